"""Mean and covariance of features in float64, in one pass over blocks.

m = sum_i x_i / n,   C = sum_i (x_i - m)(x_i - m)' / (n - 1)

>>> moments = moments_of_blocks([np.array([[0.0, 0.0]]), np.array([[2.0, 4.0]])])
>>> moments.mean.tolist(), moments.covariance.tolist()
([1.0, 2.0], [[2.0, 4.0], [4.0, 8.0]])
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Rows turned into float64 at a time.
BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Moments:
    """Mean (d,) and covariance (d, d), divided by n - 1, of n feature vectors."""

    n: int
    mean: Array
    covariance: Array

    @property
    def is_rank_deficient(self) -> bool:
        """Whether n vectors are too few for a covariance of full rank."""
        return self.n <= self.mean.size


class RunningMoments:
    """Accumulates mean and scatter matrix block by block (Chan, Golub and LeVeque 1983, equation 2.1).

    Holds d^2 numbers however many vectors pass by; subtracting each block's own mean first keeps the digits
    that a sum of squares would lose.
    """

    def __init__(self, width: int) -> None:
        self.n = 0
        self._mean: Array = np.zeros(width)
        self._scatter: Array = np.zeros((width, width))

    def update(self, features: NDArray[Any]) -> None:
        """Add a block of features (B, d) of any real type."""
        block = np.asarray(features, np.float64)
        count = len(block)
        if count == 0:
            return
        mean = block.mean(axis=0)
        centred = block - mean
        shift = mean - self._mean
        total = self.n + count
        self._scatter += centred.T @ centred
        self._scatter += np.outer(shift, shift) * (self.n * count / total)
        self._mean += shift * (count / total)
        self.n = total

    def result(self) -> Moments:
        """The moments so far.

        Raises
        ------
        ValueError
            If fewer than two vectors were added: a covariance needs two.
        """
        if self.n < 2:
            raise ValueError(f"a covariance needs at least 2 feature vectors, got {self.n}")
        return Moments(self.n, self._mean.copy(), self._scatter / (self.n - 1))


def moments_of_blocks(blocks: Iterable[NDArray[Any]]) -> Moments:
    """The moments of all rows of the blocks (B, d), read one after the other."""
    running: RunningMoments | None = None
    for block in blocks:
        running = running or RunningMoments(block.shape[1])
        running.update(block)
    if running is None:
        raise ValueError("a covariance needs at least 2 feature vectors, got 0")
    return running.result()


def moments_of(features: NDArray[Any]) -> Moments:
    """The moments of features (n, d), without a float64 copy of the whole array."""
    if features.ndim != 2:
        raise ValueError(f"features must have shape (n, d), got {features.shape}")
    return moments_of_blocks(features[i : i + BLOCK_ROWS] for i in range(0, len(features), BLOCK_ROWS))
