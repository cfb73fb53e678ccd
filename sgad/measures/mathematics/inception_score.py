"""Inception score of any classifier (Salimans et al. 2016).

IS = exp( mean_x sum_c p(c|x) (log p(c|x) - log p(c)) ),   p(c) = mean_x p(c|x)

p(c|x): the classifier's softmax for image x. From 1 (all images alike, or unsure) to the number of classes.

>>> inception_score(np.eye(4) * 100, chunks=1).whole
4.0
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgad.measures.mathematics.moments import Array


@dataclass(frozen=True)
class Score:
    """Mean and standard deviation over chunks; `whole` takes all images as one chunk.

    Small chunks bias the score downwards: each holds fewer images to estimate p(y) from.
    """

    mean: float
    deviation: float
    whole: float


def log_softmax(logits: NDArray[Any]) -> Array:
    """The logarithm of the softmax over the last axis, in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def inception_score(logits: NDArray[Any], *, chunks: int = 10, seed: int | None = 2020) -> Score:
    """The score of logits (n, classes).

    The images are shuffled before they are cut into chunks, with torch-fidelity's generator and seed; `seed`
    None keeps their order.

    Raises
    ------
    ValueError
        If there are fewer images than chunks.
    """
    if logits.ndim != 2 or len(logits) < chunks:
        raise ValueError(f"an inception score of {chunks} chunks needs at least as many images, got {len(logits)}")
    # The old generator on purpose: it makes the same order as torch-fidelity.
    order = np.random.RandomState(seed).permutation(len(logits)) if seed is not None else np.arange(len(logits))
    log_p = log_softmax(logits)[order]
    edges = [index * len(log_p) // chunks for index in range(chunks + 1)]
    scores = [_score(log_p[start:stop]) for start, stop in pairwise(edges)]
    return Score(float(np.mean(scores)), float(np.std(scores)), _score(log_p))


def _score(log_p: Array) -> float:
    p = np.exp(log_p)
    marginal = p.mean(axis=0, keepdims=True)
    # p log p - p log q with 0 log 0 = 0: an impossible class adds nothing.
    divergence = np.sum(p * (log_p - np.log(marginal, where=marginal > 0, out=np.zeros_like(marginal))), axis=1)
    return float(np.exp(divergence.mean()))
