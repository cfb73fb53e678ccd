"""Features of generated and of reference images to numbers, each with its interval and its conditions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from sgad.measures.extractors.features import Features
from sgad.measures.mathematics.frechet import frechet_distance_of_features, frechet_infinity
from sgad.measures.mathematics.inception_score import inception_score
from sgad.measures.mathematics.kernel import kernel_distance, kernel_distance_subsets
from sgad.measures.mathematics.moments import moments_of
from sgad.measures.mathematics.neighbours import Neighbourhoods, nearest_distances, neighbourhood_scores

#: Chunks of the score: ten for Inception, as everywhere; one for ten-class scores, which chunks only bias.
INCEPTION_CHUNKS = 10
#: Fewer images than this many per dimension: a Frechet distance is mostly bias.
IMAGES_PER_DIMENSION = 10
K_MANIFOLD, K_DENSITY = 3, 5


@dataclass(frozen=True)
class Estimate:
    """A value, its interval if it has one, what was done, and the numbers beside it. NumPy-free for JSON."""

    value: float
    low: float | None = None
    high: float | None = None
    method: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class Comparison:
    """Generated against reference features of one network; what several quantities share is computed once."""

    def __init__(self, generated: Features, reference: Features, network: str, seed: int = 0) -> None:
        self.generated, self.reference, self.network = generated, reference, network
        self._seed = seed
        self._neighbours: Neighbourhoods | None = None

    def estimate(self, quantity: str) -> Estimate:
        """One quantity.

        Raises
        ------
        ValueError
            If there are too few images for it, or the network has no logits for a score.
        """
        return QUANTITIES[quantity](self)

    def equal_sets(self) -> tuple[Any, Any]:
        """As many generated as reference features, drawn without replacement from the larger set."""
        a, b = self.generated.values, self.reference.values
        count = min(len(a), len(b))
        return self._draw(a, count), self._draw(b, count)

    def _draw(self, values: Any, count: int) -> Any:
        if count == len(values):
            return values
        return values[np.sort(np.random.default_rng(self._seed).choice(len(values), count, replace=False))]

    def neighbours(self) -> Neighbourhoods:
        """Precision, recall, density and coverage of equally many images a side."""
        if self._neighbours is None:
            generated, reference = self.equal_sets()
            self._neighbours = neighbourhood_scores(generated, reference, k_manifold=K_MANIFOLD, k_density=K_DENSITY)
        return self._neighbours


def _frechet(data: Comparison) -> Estimate:
    a, b = data.generated.values, data.reference.values
    value = frechet_distance_of_features(a, b)
    return Estimate(value, method="float64, singular values of covariance factors", details=_rank(a, b))


def _rank(a: Any, b: Any) -> dict[str, Any]:
    width, smaller = a.shape[1], min(len(a), len(b))
    details: dict[str, Any] = {"features": width, "rank_deficient": smaller <= width}
    if smaller < IMAGES_PER_DIMENSION * width:
        details["warning"] = (
            f"{smaller} images for {width} features: below {IMAGES_PER_DIMENSION} each the distance is biased"
            " upwards; compare equal n only"
        )
    return details


def _infinity(data: Comparison) -> Estimate:
    found = frechet_infinity(data.generated.values, moments_of(data.reference.values))
    details = {
        "residual": found.residual,
        "slope": found.slope,
        "sizes": found.sizes,
        "distances": found.distances,
    }
    if len(data.generated) < 1000:
        details["warning"] = "below about 1,000 images the distance is not yet a straight line in 1/n"
    return Estimate(found.value, method="line in 1/n through 8 sizes from n/5 to n, 3 draws each", details=details)


def _score(data: Comparison) -> Estimate:
    logits = data.generated.logits
    if logits is None:
        raise ValueError("this network has no classes, so it gives no score")
    if data.network == "classifier":
        score = inception_score(logits, chunks=1, seed=None)
        return Estimate(score.whole, method="one chunk", details={"classes": logits.shape[1]})
    score = inception_score(logits, chunks=INCEPTION_CHUNKS)
    low, high = score.mean - score.deviation, score.mean + score.deviation
    details = {"deviation_over_chunks": score.deviation, "one_chunk": score.whole, "classes": logits.shape[1]}
    return Estimate(score.mean, low, high, f"{INCEPTION_CHUNKS} chunks, shuffled with seed 2020", details)


def _kid(data: Comparison) -> Estimate:
    a, b = data.generated.values, data.reference.values
    found = kernel_distance(a, b)
    low, high = found.value - found.standard_error, found.value + found.standard_error
    details: dict[str, Any] = {"standard_error": found.standard_error}
    # The form that other packages print; nobody else's values are there to compare the classifier's with.
    if data.network.startswith("inception_"):
        details |= _kid_subsets(a, b)
    method = "cubic kernel, all pairs, unbiased, +- jackknife standard error"
    return Estimate(found.value, low, high, method, details)


def _kid_subsets(a: Any, b: Any) -> dict[str, Any]:
    subsets = kernel_distance_subsets(a, b)
    details = {
        "subsets_mean": subsets.mean,
        "subsets_deviation": subsets.deviation,
        "subsets": f"{subsets.subsets} x {subsets.size}, seed 2020",
    }
    if subsets.size < 1000:
        details["note"] = f"subsets of {subsets.size} instead of 1000: there are no more images"
    return details


def _share(name: str, k: int) -> Callable[[Comparison], Estimate]:
    def estimate(data: Comparison) -> Estimate:
        scores = data.neighbours()
        count = min(len(data.generated), len(data.reference))
        return Estimate(getattr(scores, name), method=f"k={k}, {count} a side", details={"k": k, "n_each": count})

    return estimate


def _nearest(data: Comparison) -> Estimate:
    """Copies of the reference give 0; near 1, images are as far from the reference as its images are from each other."""
    generated, reference = data.equal_sets()
    own = nearest_distances(reference, [reference], leave_out_copies=1)
    others = nearest_distances(generated, [reference])
    scale = float(np.median(own))
    if scale == 0:
        raise ValueError("most reference images are copies of each other, so there is nothing to compare with")
    details = {"median_generated": float(np.median(others)), "median_reference": scale, "n_each": len(reference)}
    method = f"median distance to the nearest reference image over that within the reference, {len(reference)} a side"
    return Estimate(float(np.median(others)) / scale, method=method, details=details)


QUANTITIES: dict[str, Callable[[Comparison], Estimate]] = {
    "frechet": _frechet,
    "infinity": _infinity,
    "score": _score,
    "kid": _kid,
    "precision": _share("precision", K_MANIFOLD),
    "recall": _share("recall", K_MANIFOLD),
    "density": _share("density", K_DENSITY),
    "coverage": _share("coverage", K_DENSITY),
    "nearest": _nearest,
}


def combine(estimates: Sequence[Estimate]) -> Estimate:
    """The mean over several networks.

    The interval is their range; where each has an interval of its own (KID), the mean of those.
    """
    if len(estimates) == 1:
        return estimates[0]
    values = [estimate.value for estimate in estimates]
    lows = [estimate.low for estimate in estimates if estimate.low is not None]
    highs = [estimate.high for estimate in estimates if estimate.high is not None]
    own_interval = len(lows) == len(highs) == len(values)
    details = dict(estimates[0].details) | {"values": values, "lowest": min(values), "highest": max(values)}
    return Estimate(
        float(np.mean(values)),
        float(np.mean(lows)) if own_interval else min(values),
        float(np.mean(highs)) if own_interval else max(values),
        f"mean over {len(values)} networks, {estimates[0].method}",
        details,
    )


def over_draws(estimates: Sequence[Estimate]) -> Estimate:
    """The mean over sets of images from fresh latents, with its 95 % t interval."""
    if len(estimates) == 1:
        return estimates[0]
    values = np.array([estimate.value for estimate in estimates])
    margin = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    mean = float(values.mean())
    details = dict(estimates[0].details) | {"draws": len(values), "values": values.tolist()}
    method = f"mean and 95 % t interval over {len(values)} sets of fresh latents, {estimates[0].method}"
    return Estimate(mean, mean - margin, mean + margin, method, details)
