"""Kernel distance (KID): squared maximum mean discrepancy with a polynomial kernel (Binkowski et al. 2018, section 4).

k(a, b) = (a . b / d + 1)^3                                                       for features of d numbers
KID = sum_{i != j} k(x_i, x_j) / (m (m - 1)) + sum_{i != j} k(y_i, y_j) / (n (n - 1)) - 2 sum_{i, j} k(x_i, y_j) / (m n)

x: m generated, y: n reference features. The estimate is unbiased: near 0 it is negative at times, and is never clipped.

>>> random = np.random.default_rng(0)
>>> found = kernel_distance(random.normal(0, 1, (200, 8)), random.normal(1, 1, (200, 8)))
>>> round(found.value, 2), round(found.standard_error, 2)
(7.01, 0.66)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgad.measures.mathematics.moments import Array

#: Rows of the kernel matrix held at a time.
BLOCK_ROWS = 1024


@dataclass(frozen=True)
class KernelDistance:
    """An unbiased estimate, negative at times near 0 and never clipped, and its standard error."""

    value: float
    standard_error: float


@dataclass(frozen=True)
class SubsetDistance:
    """Mean and standard deviation over random, overlapping subsets; the deviation is not a standard error."""

    mean: float
    deviation: float
    subsets: int
    size: int


def polynomial_kernel(x: Array, y: Array) -> Array:
    """(x y' / d + 1)^3 for x (m, d) and y (n, d): shape (m, n)."""
    product: Array = x @ y.T
    product /= x.shape[1]
    product += 1
    # Two products are several times faster than a power.
    return product * product * product


def kernel_distance(features1: NDArray[Any], features2: NDArray[Any]) -> KernelDistance:
    """The all-pairs unbiased estimate with its delete-one jackknife standard error.

    Features (m, d) and (n, d), any m, n >= 3; float64; memory for one block of rows. The jackknife is exact
    here: the row sums of the three kernel matrices give every leave-one-out estimate.

    Raises
    ------
    ValueError
        If a set is smaller than 3, or the widths differ.
    """
    x, y = _checked(features1, features2, minimum=3)
    m, n = len(x), len(y)
    within_x, within_y = _row_sums(x), _row_sums(y)
    across_x, across_y = _cross_sums(x, y)
    sum_x, sum_y, sum_across = within_x.sum(), within_y.sum(), across_x.sum()
    term_x, term_y = sum_x / (m * (m - 1)), sum_y / (n * (n - 1))
    value = term_x + term_y - 2 * sum_across / (m * n)
    without_x = (sum_x - 2 * within_x) / ((m - 1) * (m - 2)) + term_y - 2 * (sum_across - across_x) / ((m - 1) * n)
    without_y = term_x + (sum_y - 2 * within_y) / ((n - 1) * (n - 2)) - 2 * (sum_across - across_y) / (m * (n - 1))
    variance = (m - 1) * without_x.var() + (n - 1) * without_y.var()
    return KernelDistance(float(value), float(np.sqrt(variance)))


def kernel_distance_subsets(
    features1: NDArray[Any],
    features2: NDArray[Any],
    *,
    subsets: int = 100,
    size: int = 1000,
    seed: int = 2020,
) -> SubsetDistance:
    """The form that other packages print: mean and deviation over `subsets` pairs of `size` vectors.

    The draws are torch-fidelity's for the same seed. `size` is lowered to the smaller set and returned as
    used.
    """
    x, y = _checked(features1, features2, minimum=2)
    used = min(size, len(x), len(y))
    # The old generator on purpose: it makes the same subsets as torch-fidelity.
    random = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        first = x[random.choice(len(x), used, replace=False)]
        second = y[random.choice(len(y), used, replace=False)]
        within = (_row_sums(first).sum() + _row_sums(second).sum()) / (used * (used - 1))
        values.append(within - 2 * _cross_sums(first, second)[0].sum() / used**2)
    return SubsetDistance(float(np.mean(values)), float(np.std(values)), subsets, used)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK_ROWS, count)) for start in range(0, count, BLOCK_ROWS))


def _row_sums(x: Array) -> Array:
    """Sum over j != i of k(x_i, x_j)."""
    sums = np.empty(len(x))
    for rows in _blocks(len(x)):
        kernel = polynomial_kernel(x[rows], x)
        diagonal = kernel[np.arange(len(kernel)), np.arange(rows.start, rows.stop)]
        sums[rows] = kernel.sum(axis=1) - diagonal
    return sums


def _cross_sums(x: Array, y: Array) -> tuple[Array, Array]:
    """The sums of k(x_i, y_j) over j, and over i."""
    of_x, of_y = np.empty(len(x)), np.zeros(len(y))
    for rows in _blocks(len(x)):
        kernel = polynomial_kernel(x[rows], y)
        of_x[rows] = kernel.sum(axis=1)
        of_y += kernel.sum(axis=0)
    return of_x, of_y


def _checked(features1: NDArray[Any], features2: NDArray[Any], minimum: int) -> tuple[Array, Array]:
    x, y = np.asarray(features1, np.float64), np.asarray(features2, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"features must be (m, d) and (n, d), got {x.shape} and {y.shape}")
    if min(len(x), len(y)) < minimum:
        raise ValueError(f"a kernel distance needs at least {minimum} vectors a side, got {len(x)} and {len(y)}")
    return x, y
