"""How alike two sets of responses to the same stimuli are: RSA, CKA, SVCCA, regression; noise ceilings; permutations.

All take responses (n, d) and (n, e), float64, rows in the order of the stimuli. SciPy's distances and ranks, NumPy's
decompositions; `sgad.analyses.alignment.measure` says what the scores mean.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

Array = NDArray[np.float64]
Order = NDArray[np.intp]

#: SVCCA keeps the components that hold this share of the variance (Raghu et al. 2017) ...
VARIANCE_KEPT = 0.99
#: ... but not more than this share of the number of stimuli, where any two sets would correlate.
LARGEST_RANK = 0.2
FOLDS = 5


class Score:
    """A similarity whose second set may be handed over in another order of stimuli: `at(order)`."""

    def __init__(self, at: Callable[[Order], float], count: int) -> None:
        self.at, self.count = at, count

    @property
    def value(self) -> float:
        """The similarity of the sets as they are."""
        return self.at(np.arange(self.count))


def rdm(responses: Array) -> Array:
    """The representational dissimilarities (n (n - 1) / 2): 1 - correlation of the responses to two stimuli.

    Stimuli to which nothing responds differently have no correlation; they count as unrelated (1).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        distances = pdist(responses, "correlation")
    return np.asarray(np.nan_to_num(distances, nan=1.0), np.float64)


def rsa(a: Array, b: Array) -> Score:
    """Representational similarity analysis: Spearman correlation of the dissimilarities (Kriegeskorte et al. 2008)."""
    ranks = _standardised(rankdata(rdm(a)))
    square = squareform(rankdata(rdm(b)))
    upper = np.triu_indices(len(a), 1)

    def at(order: Order) -> float:
        return float(ranks @ _standardised(square[np.ix_(order, order)][upper]))

    return Score(at, len(a))


def _standardised(values: Array) -> Array:
    centred: Array = values - values.mean()
    norm = float(np.linalg.norm(centred))
    return np.asarray(centred / norm) if norm > 0 else centred


def linear_cka(a: Array, b: Array) -> Score:
    """Centred kernel alignment with linear kernels and the unbiased estimate of HSIC.

    Kornblith et al. 2019; the estimate of Song et al. 2012, without which independent responses of many neurons score high.
    """
    k, m = (_gram(values) for values in (a, b))
    scale = np.sqrt(max(_hsic(k, k), 0.0) * max(_hsic(m, m), 0.0))

    def at(order: Order) -> float:
        return _hsic(k, m[np.ix_(order, order)]) / scale if scale > 0 else 0.0

    return Score(at, len(a))


def _gram(values: Array) -> Array:
    centred = values - values.mean(axis=0)
    gram: Array = centred @ centred.T
    np.fill_diagonal(gram, 0)
    return gram


def _hsic(k: Array, m: Array) -> float:
    """Unbiased HSIC of two kernel matrices (n, n) with zeros on their diagonals (Song et al. 2012, equation 5)."""
    n = len(k)
    trace = float((k * m).sum())
    sums = float(k.sum() * m.sum()) / ((n - 1) * (n - 2))
    rows = 2 * float(k.sum(axis=0) @ m.sum(axis=0)) / (n - 2)
    return (trace + sums - rows) / (n * (n - 3))


def svcca(a: Array, b: Array) -> Score:
    """Mean canonical correlation of the main components (Raghu et al. 2017), at most n / 5 of them.

    Canonical correlations of independent responses are not 0; `adjusted` takes chance off with the permutations' mean.
    """
    u, v = _directions(a), _directions(b)

    def at(order: Order) -> float:
        if not u.shape[1] or not v.shape[1]:
            return 0.0
        correlations = np.linalg.svd(u.T @ v[order], compute_uv=False)
        return float(correlations.mean())

    return Score(at, len(a))


def _directions(values: Array) -> Array:
    """Orthonormal coordinates (n, r) of the stimuli along the main components."""
    centred = values - values.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    if s[0] <= 0:
        return np.zeros((len(values), 0))
    variance = np.cumsum(s**2) / np.sum(s**2)
    rank = min(int(np.searchsorted(variance, VARIANCE_KEPT)) + 1, max(int(LARGEST_RANK * len(values)), 1))
    return np.asarray(u[:, : min(rank, int((s > 1e-10 * s[0]).sum()))])


def regression(a: Array, b: Array, seed: int = 0) -> Score:
    """Held-out prediction of b's neurons from a by ridge regression: median correlation over neurons.

    Five folds of stimuli. The penalty is the smallest at which the fit has at most half as many degrees of freedom as
    stimuli: it depends on `a` alone, so that permutations of b are as good as exchangeable.
    """
    n = len(a)
    folds = np.array_split(np.random.default_rng(seed).permutation(n), FOLDS)
    fits = [_predictor(a, np.setdiff1d(np.arange(n), fold), fold) for fold in folds]

    def at(order: Order) -> float:
        targets = b[order]
        predicted, wanted = np.empty_like(targets), np.empty_like(targets)
        for fold, (train, weights) in zip(folds, fits, strict=True):
            # Both beside the mean of the training stimuli: with it, a constant guess would correlate negatively.
            mean = targets[train].mean(axis=0)
            predicted[fold], wanted[fold] = weights @ (targets[train] - mean), targets[fold] - mean
        return float(np.median(_column_correlations(predicted, wanted)))

    return Score(at, n)


def _predictor(a: Array, train: Order, test: Order) -> tuple[Order, Array]:
    """The training stimuli and the weights (test, train) with which their responses predict the others."""
    mean = a[train].mean(axis=0)
    x, y = a[train] - mean, a[test] - mean
    values, vectors = np.linalg.eigh(x @ x.T)
    values = np.clip(values, 0, None)
    penalty = _penalty(values, len(train) / 2)
    weights: Array = (y @ x.T) @ (vectors / (values + penalty)) @ vectors.T
    return train, weights


def _penalty(eigenvalues: Array, freedom: float) -> float:
    """The ridge penalty with at most `freedom` degrees of freedom, sum of e / (e + penalty), by bisection."""
    largest = float(eigenvalues.max())
    if largest <= 0:
        return 1.0
    low, high = 1e-9 * largest, 1e3 * largest
    if float((eigenvalues / (eigenvalues + low)).sum()) <= freedom:
        return low
    for _ in range(60):
        middle = np.sqrt(low * high)
        if float((eigenvalues / (eigenvalues + middle)).sum()) > freedom:
            low = middle
        else:
            high = middle
    return float(high)


def _column_correlations(a: Array, b: Array) -> Array:
    """Correlation of each column of a with that of b; 0 where one of them is constant."""
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    norms = np.linalg.norm(x, axis=0) * np.linalg.norm(y, axis=0)
    return np.asarray((x * y).sum(axis=0) / np.where(norms > 0, norms, np.inf))


@dataclass(frozen=True)
class Tested:
    """A score beside chance: its p value, and the score with chance at 0 and identity at 1."""

    value: float
    p: float
    adjusted: float
    chance: float


def permutation_test(score: Score, permutations: int, seed: int = 0) -> Tested:
    """Compare a score with those of shuffled stimuli: p = (1 + number at least as large) / (permutations + 1)."""
    random = np.random.default_rng(seed)
    value = score.value
    shuffled = np.array([score.at(random.permutation(score.count)) for _ in range(permutations)])
    p = (1 + int((shuffled >= value - 1e-12).sum())) / (permutations + 1)
    chance = float(shuffled.mean())
    return Tested(value, p, (value - chance) / (1 - chance), chance)


def noise_ceiling(
    trials: Array, measure: Callable[[Array, Array], Score], splits: int = 10, seed: int = 0
) -> float | None:
    """How alike the responses of two halves of the repeats are, `trials` (repeats, n, neurons); None without repeats.

    What even the true model could reach is the root of the reliability of the mean over all repeats, which follows from
    that of halves by Spearman and Brown: r' = 2 r / (1 + r).
    """
    repeats = len(trials)
    if repeats < 2:
        return None
    random = np.random.default_rng(seed)
    halves: list[float] = []
    for _ in range(splits):
        order = random.permutation(repeats)
        first, second = trials[order[: repeats // 2]].mean(axis=0), trials[order[repeats // 2 :]].mean(axis=0)
        halves.append(measure(first, second).value)
    reliability = float(np.clip(np.mean(halves), 0, 1))
    return float(np.sqrt(2 * reliability / (1 + reliability)))


def reliability(a: Array, b: Array) -> Score:
    """Median correlation of each neuron with itself in the other half: the ceiling of `regression`."""
    return Score(lambda order: float(np.median(_column_correlations(a, b[order]))), len(a))


MEASURES: dict[str, Callable[[Array, Array], Score]] = {
    "rsa": rsa,
    "cka": linear_cka,
    "svcca": svcca,
    "regression": regression,
}
#: What the ceiling of each measure is made of; SVCCA has none, since its components are not those of the halves.
CEILINGS: dict[str, Callable[[Array, Array], Score]] = {"rsa": rsa, "cka": linear_cka, "regression": reliability}


def as_rows(values: Any) -> Array:
    """Responses of any shape (n, ...) as float64 (n, d)."""
    array = np.asarray(values, np.float64)
    return array.reshape(len(array), -1)
