"""Who is best, by how much, and how sure that is: one sentence for each data set and metric."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sgad.display.labels import model_labels
from sgad.names import Metric, metric_info
from sgad.store.stored import Captions, rows_of
from sgad.store.summary import is_baseline, t_quantile

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Verdict:
    """The best mean of one metric. `runner_up` is empty if only one model has a value."""

    metric: Metric
    best: str
    best_mean: float
    best_std: float
    best_n: int
    runner_up: str
    gap: float
    low: float
    high: float

    @property
    def certainty(self) -> str:
        """How sure the order of the first two is."""
        if not self.runner_up:
            return "nothing to compare with"
        if self.gap == 0:
            return "equal means"
        if math.isnan(self.low):
            return "too few seeds to say"
        return "clear at 95 %" if self.low > 0 else "not told apart at 95 %"


def verdicts(summary: "pd.DataFrame", captions: Captions, dataset: str) -> list[Verdict]:
    """Return a verdict for each metric of a data set that any model has a value of."""
    here = summary[(summary["dataset"] == dataset) & ~summary["model"].map(is_baseline)]
    labels = model_labels(here, captions)
    found = []
    for key in dict.fromkeys(here["metric"]):
        metric = metric_info(key)
        rows = here[(here["metric"] == key) & (here["n"] > 0)]
        ranked = rows_of(rows.sort_values("mean", ascending=not metric.higher_is_better))
        if ranked:
            found.append(_verdict(metric, ranked, labels))
    return found


def _verdict(metric: Metric, ranked: list[Any], labels: dict[tuple[str, str], str]) -> Verdict:
    best, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    gap = abs(best.mean - second.mean) if second else math.nan
    half = difference_half_width(best.std, best.n, second.std, second.n) if second else math.nan
    return Verdict(
        metric=metric,
        best=labels[best.model, best.variant],
        best_mean=best.mean,
        best_std=best.std,
        best_n=best.n,
        runner_up=labels[second.model, second.variant] if second else "",
        gap=gap,
        low=gap - half,
        high=gap + half,
    )


def difference_half_width(std1: float, n1: int, std2: float, n2: int) -> float:
    """Return the half width of Welch's 95 % interval for a difference of two means; NaN with a single seed.

    The degrees of freedom (Welch and Satterthwaite) are rounded down, which widens the interval a little.
    """
    if n1 < 2 or n2 < 2:
        return math.nan
    first, second = std1**2 / n1, std2**2 / n2
    if first + second == 0:
        return 0.0
    degrees = (first + second) ** 2 / (first**2 / (n1 - 1) + second**2 / (n2 - 1))
    return t_quantile(max(1, math.floor(degrees))) * math.sqrt(first + second)
