"""Features of generated and of reference images to numbers, each with its interval and its conditions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from sgad.catalogue.declarations import function_of
from sgad.catalogue.metrics import metrics
from sgad.measures.estimate import Estimate
from sgad.measures.extractors.features import Features
from sgad.measures.mathematics.neighbours import Neighbourhoods, neighbourhood_scores


class Comparison:
    """Generated against reference features of one network; what several quantities share is computed once."""

    #: Neighbours of precision and recall, and of density and coverage.
    K_MANIFOLD, K_DENSITY = 3, 5

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
        made: Estimate = function_of(metrics()[quantity].compute)(self)
        return made

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
            self._neighbours = neighbourhood_scores(
                generated, reference, k_manifold=self.K_MANIFOLD, k_density=self.K_DENSITY
            )
        return self._neighbours


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
