"""Measures by nearest neighbours: precision, recall, density, coverage, memorisation.

B(y_j): the ball around reference y_j out to its k-th nearest reference; B(x_i): the same around generated x_i.
precision = share of the m generated x_i that are in some B(y_j)
recall    = share of the n reference y_j that are in some B(x_i)            (Kynkaanniemi et al. 2019, equation 2; k = 3)
density   = sum_i #{j: x_i in B(y_j)} / (k m)
coverage  = share of the y_j whose ball holds some x_i                      (Naeem et al. 2020, section 3; k = 5)

Distances are Euclidean, in float64, a block of rows at a time.

>>> random = np.random.default_rng(0)
>>> found = neighbourhood_scores(random.normal(0, 0.1, (100, 4)), random.normal(0, 1, (100, 4)))
>>> found.precision, found.recall
(1.0, 0.01)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgad.measures.mathematics.moments import Array

BLOCK_ROWS = 1024


@dataclass(frozen=True)
class Neighbourhoods:
    """Shares in [0, 1]; density may exceed 1, its expectation for equal distributions."""

    precision: float
    recall: float
    density: float
    coverage: float
    k_manifold: int
    k_density: int


def squared_distances(x: Array, y: Array) -> Array:
    """|x_i - y_j|^2 for x (m, d) and y (n, d): shape (m, n).

    Below the rounding of the expanded square the result is exactly 0, so that copies are found as copies.
    """
    norms_x, norms_y = np.einsum("id,id->i", x, x)[:, None], np.einsum("jd,jd->j", y, y)[None]
    result: Array = x @ y.T
    result *= -2
    result += norms_x
    result += norms_y
    result[result < 1e-13 * (norms_x + norms_y)] = 0
    return result


def neighbourhood_scores(
    generated: NDArray[Any], reference: NDArray[Any], *, k_manifold: int = 3, k_density: int = 5
) -> Neighbourhoods:
    """Precision and recall (balls to neighbour `k_manifold`), density and coverage (`k_density`).

    Features (m, d) and (n, d). All four depend on m and n: compare values of equal n only.

    Raises
    ------
    ValueError
        If a set has no more vectors than the larger k.
    """
    needed = max(k_manifold, k_density) + 1
    if min(len(generated), len(reference)) < needed:
        raise ValueError(
            f"neighbours {k_manifold} and {k_density} need at least {needed} vectors a side,"
            f" got {len(generated)} and {len(reference)}"
        )
    fake, real = _centred(generated, reference)
    real_radii = _radii(real, (k_manifold, k_density))
    (fake_radius,) = _radii(fake, (k_manifold,))
    return _scores(fake, real, fake_radius, real_radii[0], real_radii[1], k_manifold, k_density)


def _scores(
    fake: Array,
    real: Array,
    fake_radius: Array,
    real_radius: Array,
    real_radius_density: Array,
    k_manifold: int,
    k_density: int,
) -> Neighbourhoods:
    precise, inside = 0, 0
    recalled = np.zeros(len(real), bool)
    nearest = np.full(len(real), np.inf)
    for rows in _blocks(len(fake)):
        distances = squared_distances(fake[rows], real)
        precise += int((distances <= real_radius).any(axis=1).sum())
        inside += int((distances <= real_radius_density).sum())
        recalled |= (distances <= fake_radius[rows, None]).any(axis=0)
        np.minimum(nearest, distances.min(axis=0), out=nearest)
    return Neighbourhoods(
        precision=precise / len(fake),
        recall=float(recalled.mean()),
        density=inside / (k_density * len(fake)),
        coverage=float((nearest <= real_radius_density).mean()),
        k_manifold=k_manifold,
        k_density=k_density,
    )


def nearest_distances(queries: NDArray[Any], blocks: Iterable[NDArray[Any]], *, leave_out_copies: int = 0) -> Array:
    """The distance (m,) of each query (m, d) to the nearest of all points, which come in blocks (b, d).

    `leave_out_copies` = 1 takes the second nearest, for queries that are themselves among the points.
    """
    x = np.asarray(queries, np.float64)
    best = np.full((len(x), leave_out_copies + 1), np.inf)
    for block in blocks:
        y = np.asarray(block, np.float64)
        for rows in _blocks(len(x)):
            candidates = np.concatenate([best[rows], squared_distances(x[rows], y)], axis=1)
            best[rows] = np.sort(np.partition(candidates, leave_out_copies, axis=1)[:, : leave_out_copies + 1], axis=1)
    if not np.isfinite(best).all():
        raise ValueError(f"a nearest neighbour needs more than {leave_out_copies} points")
    result: Array = np.sqrt(best[:, leave_out_copies])
    return result


@dataclass(frozen=True)
class Memorisation:
    """Median distance to the nearest training image, of generated and of held-out images, and copies found.

    `ratio` near 1: as far from the training images as new real ones; near 0: copies. `share_closer` is the
    share of generated images that are closer to a training image than 95 % of the held-out ones are.
    """

    ratio: float
    generated: float
    held_out: float
    share_closer: float


def memorisation(own: Array, held_out: Array) -> Memorisation:
    """Compare distances to the nearest training image: of generated images (m,) and of held-out ones (n,)."""
    median_own, median_other = float(np.median(own)), float(np.median(held_out))
    if median_other == 0:
        raise ValueError("most held-out images are copies of training images, so there is nothing to compare with")
    closer = float((own < np.quantile(held_out, 0.05)).mean())
    return Memorisation(median_own / median_other, median_own, median_other, closer)


def _radii(x: Array, ks: tuple[int, ...]) -> list[Array]:
    """For each k the squared distances (n,) to the k-th neighbour other than the point itself."""
    radii = [np.empty(len(x)) for _ in ks]
    for rows in _blocks(len(x)):
        ordered = np.partition(squared_distances(x[rows], x), ks, axis=1)
        for radius, k in zip(radii, ks, strict=True):
            radius[rows] = ordered[:, k]
    return radii


def _centred(x: NDArray[Any], y: NDArray[Any]) -> tuple[Array, Array]:
    """Move both by the mean of y: the expanded square then loses fewer digits."""
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features must be (m, d) and (n, d), got {a.shape} and {b.shape}")
    centre = b.mean(axis=0)
    return a - centre, b - centre


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK_ROWS, count)) for start in range(0, count, BLOCK_ROWS))
