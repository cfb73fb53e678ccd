"""Frechet distance between Gaussians, and between the Gaussians fitted to two sets of features.

d^2 = |m1 - m2|^2 + tr C1 + tr C2 - 2 tr (C1 C2)^(1/2)   (Dowson and Landau 1982, equation 16)

With factors C = F F', tr (C1 C2)^(1/2) is the sum of the singular values of F1' F2. Nothing is squared, so no
noise eigenvalue can turn into a root of its own size, nothing becomes complex, and no epsilon is added to any
diagonal.

m, C: mean and covariance of each set's features. In Inception's features this is FID, in an autoencoder's FAD, in a
classifier's CFD.

>>> frechet_distance(np.zeros(8), np.eye(8), np.ones(8), 4 * np.eye(8))  # 8 (1 - 0)^2 + 8 (2 - 1)^2
16.0
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from sgad.measures.mathematics.moments import Array, Moments, moments_of

EPSILON = float(np.finfo(np.float64).eps)
#: Below this many columns svdvals is as fast as anything.
GRADED_FROM = 256
#: Eigenvalues below this share of the largest may be noise (of size eps).
SMALLEST_EIGENVALUE = 1e-13


def frechet_distance(mean1: ArrayLike, covariance1: ArrayLike, mean2: ArrayLike, covariance2: ArrayLike) -> float:
    """The squared Frechet distance of two Gaussians: FID, where the features are Inception's.

    Takes means (d,) and symmetric positive semi-definite covariances (d, d); computes in float64.

    Raises
    ------
    ValueError
        If shapes do not agree, a value is not finite, or a covariance is not symmetric.
    """
    m1, c1 = _checked(mean1, covariance1, "1")
    m2, c2 = _checked(mean2, covariance2, "2")
    if m1.shape != m2.shape:
        raise ValueError(f"both means must have the same length, got {m1.size} and {m2.size}")
    shift = m1 - m2
    return _distance(float(shift @ shift), float(np.trace(c1) + np.trace(c2)), root_trace(c1, c2))


def frechet_distance_of_features(features1: NDArray[Any], features2: NDArray[Any]) -> float:
    """The squared Frechet distance of the Gaussians fitted to features (n1, d) and (n2, d).

    Where a set has no more vectors than dimensions, its centred features are a smaller and more exact factor
    of its covariance than any decomposition: the trace is then the nuclear norm of their product.
    """
    shift = features1.mean(axis=0, dtype=np.float64) - features2.mean(axis=0, dtype=np.float64)
    factor1, trace1 = _factor_of_features(features1)
    factor2, trace2 = _factor_of_features(features2)
    is_graded = min(len(features1), len(features2)) > features1.shape[1]
    root = _nuclear_norm(factor1, factor2, is_graded=is_graded)
    return _distance(float(shift @ shift), trace1 + trace2, root)


def root_trace(covariance1: Array, covariance2: Array) -> float:
    """Tr (C1 C2)^(1/2) of two symmetric positive semi-definite matrices (d, d)."""
    return _nuclear_norm(factor(covariance1), factor(covariance2), is_graded=True)


def factor(covariance: Array) -> Array:
    """F (d, r) with F F' = C up to rounding, r the numerical rank, and columns from large to small.

    Cholesky with pivots, which ends at the rank: a covariance of n < d vectors costs d n^2, not d^3. Where
    that leaves more than rounding (an indefinite matrix), eigenvectors of the eigenvalues above d eps times
    the largest. What is left out is noise: some 1,500 noise eigenvalues of relative size eps have roots of
    1e-8, which add up.
    """
    width = len(covariance)
    largest = float(np.diagonal(covariance).max())
    if largest <= 0:
        return np.zeros((width, 1))
    # The transpose of a symmetric matrix is itself, in the order of columns that LAPACK wants.
    pivoted, order, rank, _ = linalg.lapack.dpstrf(covariance.T, tol=width * EPSILON * largest, lower=1)
    candidate: Array = np.empty((width, rank))
    # Above the diagonal LAPACK leaves what was there.
    pivoted[:rank, :rank] = np.tril(pivoted[:rank, :rank])
    candidate[order - 1] = pivoted[:, :rank]
    if _is_exact(covariance, candidate, largest):
        return candidate
    values, vectors = linalg.eigh(covariance, driver="evd", check_finite=False)
    keep = values > width * EPSILON * values.max()
    return np.asarray((vectors[:, keep] * np.sqrt(values[keep]))[:, ::-1])


def _is_exact(covariance: Array, candidate: Array, largest: float) -> bool:
    """Whether the remainder C - F F' is rounding, seen through random vectors (all of it would cost d^2 r)."""
    width = len(covariance)
    probes = np.random.default_rng(0).standard_normal((width, 2))
    remainder = covariance @ probes - candidate @ (candidate.T @ probes)
    return bool(np.abs(remainder).max() <= 100 * width * EPSILON * largest)


def _factor_of_features(features: NDArray[Any]) -> tuple[Array, float]:
    """A factor (d, r) of the covariance of features (n, d), and its trace."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features must have shape (n, d) with n >= 2, got {features.shape}")
    if not np.isfinite(features).all():
        raise ValueError("features hold values that are not finite")
    count, width = features.shape
    if count <= width:
        centred = features.astype(np.float64)
        centred -= centred.mean(axis=0)
        centred /= np.sqrt(count - 1)
        return centred.T, float(np.sum(centred * centred))
    covariance = moments_of(features).covariance
    return factor(covariance), float(np.trace(covariance))


def _nuclear_norm(factor1: Array, factor2: Array, *, is_graded: bool) -> float:
    """The nuclear norm of F1' F2; `is_graded` says that the columns of both go from large to small."""
    small, large = sorted((factor1, factor2), key=lambda f: f.shape[1])
    product = large.T @ small
    if is_graded and product.shape[1] >= GRADED_FROM:
        return _graded_nuclear_norm(product)
    return _singular_sum(product)


def _graded_nuclear_norm(product: Array) -> float:
    """The nuclear norm of a product of graded factors, several times faster than svdvals and as exact.

    Roots of eigenvalues would lose the small ones, as squaring does. But product = Q R has an R whose rows go from
    large to small as well, and the small eigenvalues of such an R R' are as exact as the large ones (Drmac and
    Veselic 2008). Where a rank is missing they are noise, whose roots add up: that is seen, and left to svdvals.
    """
    (triangle,) = linalg.qr(product, mode="r", check_finite=False)
    triangle = triangle[: product.shape[1]]
    values = linalg.eigvalsh(triangle @ triangle.T, driver="evd", check_finite=False)
    if values[0] <= SMALLEST_EIGENVALUE * values[-1]:
        return _singular_sum(product)
    return float(np.sqrt(values).sum())


def _singular_sum(matrix: Array) -> float:
    return float(linalg.svdvals(matrix, check_finite=False).sum())


def _distance(shift: float, traces: float, root: float) -> float:
    # 2 tr (C1 C2)^(1/2) <= tr C1 + tr C2, so anything below 0 is the rounding of equal covariances.
    return shift + max(traces - 2 * root, 0.0)


def _checked(mean: ArrayLike, covariance: ArrayLike, which: str) -> tuple[Array, Array]:
    m = np.atleast_1d(np.asarray(mean, np.float64))
    c = np.atleast_2d(np.asarray(covariance, np.float64))
    if m.ndim != 1 or c.shape != (m.size, m.size):
        raise ValueError(f"mean{which} and covariance{which} must be (d,) and (d, d), got {m.shape} and {c.shape}")
    if not (np.isfinite(m).all() and np.isfinite(c).all()):
        raise ValueError(f"mean{which} or covariance{which} holds values that are not finite")
    if np.abs(c - c.T).max(initial=0.0) > 1e-6 * np.abs(c).max(initial=0.0):
        raise ValueError(f"covariance{which} is not symmetric")
    return m, c


@dataclass(frozen=True)
class Extrapolation:
    """Frechet distance at infinitely many images; `residual` is the root mean square of the line's fit."""

    value: float
    residual: float
    slope: float
    sizes: tuple[int, ...]
    distances: tuple[float, ...]


def frechet_infinity(
    features1: NDArray[Any],
    reference: Moments,
    *,
    points: int = 8,
    draws: int = 3,
    seed: int = 0,
) -> Extrapolation:
    """Extrapolate the distance of generated features (n, d) to infinite n (Chong and Forsyth 2020, section 3).

    The bias is close to linear in 1/n; a line is fitted through `points` sizes from n / 5 to n, each the mean
    of `draws` random subsets without replacement. The reference's own bias stays: compare equal references
    only.
    """
    total = len(features1)
    if total < 10:
        raise ValueError(f"an extrapolation needs at least 10 feature vectors, got {total}")
    sizes = np.linspace(max(total // 5, 2), total, points).round().astype(int)
    random = np.random.default_rng(seed)
    right = factor(reference.covariance), float(np.trace(reference.covariance))
    distances = [
        np.mean(
            [
                _distance_to(features1[random.choice(total, size, replace=False)], reference.mean, *right)
                for _ in range(draws if size < total else 1)
            ]
        )
        for size in sizes
    ]
    slope, value = np.polyfit(1 / sizes, distances, 1)
    residual = float(np.sqrt(np.mean((np.polyval((slope, value), 1 / sizes) - distances) ** 2)))
    return Extrapolation(float(value), residual, float(slope), tuple(map(int, sizes)), tuple(map(float, distances)))


def _distance_to(features: NDArray[Any], mean: Array, reference_factor: Array, reference_trace: float) -> float:
    own, trace = _factor_of_features(features)
    shift = features.mean(axis=0, dtype=np.float64) - mean
    root = _nuclear_norm(own, reference_factor, is_graded=len(features) > features.shape[1])
    return _distance(float(shift @ shift), trace + reference_trace, root)
