"""How far two sets of seeds differ, and how sure that is: closed forms over means, deviations and counts.

The t distribution is SciPy's, with fractional degrees of freedom. `scipy.special` alone is imported, because `scipy.stats` takes
longer to import than a whole table takes to write.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Share of intervals that hold the true difference.
LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """A difference of two means, its 95 % interval, degrees of freedom and two-sided p value; NaN where nobody can say."""

    mean: float
    low: float = math.nan
    high: float = math.nan
    degrees: float = math.nan
    p: float = math.nan


def t_quantile(degrees: float, probability: float = (1 + LEVEL) / 2) -> float:
    """Quantile of Student's t distribution; `degrees` > 0 need not be whole.

    Raises
    ------
    ValueError
        If degrees are not positive or the probability is not between 0 and 1.
    """
    from scipy.special import stdtrit

    if not degrees > 0:
        raise ValueError(f"degrees must be above 0, got {degrees}")
    if not 0 < probability < 1:
        raise ValueError(f"probability must be between 0 and 1, got {probability}")
    return float(stdtrit(degrees, probability))


def welch(mean1: float, std1: float, n1: int, mean2: float, std2: float, n2: int) -> Difference:
    """Compare two independent means whose variances may differ (Welch 1947, Biometrika 34:28).

    d = m1 - m2, se^2 = s1^2 / n1 + s2^2 / n2, t = d / se with se^4 / sum (s_i^2 / n_i)^2 / (n_i - 1) degrees of freedom.
    `std` with ddof 1. With a single seed on a side there is a difference and no interval.
    """
    difference = mean1 - mean2
    if n1 < 2 or n2 < 2:
        return Difference(difference)
    first, second = std1**2 / n1, std2**2 / n2
    if first + second == 0:
        return _without_spread(difference, n1 + n2 - 2)
    degrees = (first + second) ** 2 / (first**2 / (n1 - 1) + second**2 / (n2 - 1))
    return _by_t(difference, math.sqrt(first + second), degrees)


def paired(differences: Sequence[float]) -> Difference:
    """Compare two means by the differences of pairs, such as runs of one seed (Student 1908).

    d = mean, t = d sqrt(n) / s with n - 1 degrees of freedom.
    """
    n = len(differences)
    mean = math.fsum(differences) / n
    if n < 2:
        return Difference(mean)
    error = math.sqrt(math.fsum((value - mean) ** 2 for value in differences) / (n - 1) / n)
    return student(mean, error, n - 1)


def student(difference: float, error: float, degrees: float) -> Difference:
    """Compare by Student's t: a difference, its standard error, and the degrees of freedom of that error."""
    return _by_t(difference, error, degrees) if error > 0 else _without_spread(difference, degrees)


def _by_t(difference: float, error: float, degrees: float) -> Difference:
    from scipy.special import stdtr

    half = t_quantile(degrees) * error
    p = 2 * float(stdtr(degrees, -abs(difference) / error))
    return Difference(difference, difference - half, difference + half, degrees, p)


def _without_spread(difference: float, degrees: float) -> Difference:
    # Runs that agree to the bit, as two copies of one run do.
    return Difference(difference, difference, difference, degrees, 1.0 if difference == 0 else 0.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for how many there are (Holm 1979, Scandinavian Journal of Statistics 6:65); NaN stays and is not counted.

    The i-th smallest of m is multiplied by m - i + 1 and is at least its predecessor: whatever the dependence between the
    comparisons, the chance that any true null falls below 0.05 is at most 5 %.
    """
    order = sorted((index for index, p in enumerate(p_values) if not math.isnan(p)), key=lambda index: p_values[index])
    adjusted, largest = list(p_values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted
