"""Who is best, by how much, and how sure that is: one sentence for each data set and metric."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sgad.catalogue.metrics import MetricInfo, metric_info
from sgad.display.labels import model_labels
from sgad.store.comparisons import MIN_SEEDS, verdict_of
from sgad.store.inference import holm, welch
from sgad.store.stored import Captions, rows_of
from sgad.store.summary import is_baseline

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Verdict:
    """The best mean of one metric. `runner_up` is empty if only one model has a value.

    `low` and `high`: Welch's 95 % interval of the gap. `p`: two-sided, after Holm's correction over the metrics of the data set.
    """

    metric: MetricInfo
    best: str
    best_mean: float
    best_std: float
    best_n: int
    runner_up: str = ""
    gap: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan

    @property
    def certainty(self) -> str:
        """How sure the order of the first two is, in the words of the comparisons."""
        if not self.runner_up:
            return "nothing to compare with"
        if self.gap == 0:
            return "equal means"
        return verdict_of(self.metric.key, self.gap if self.metric.higher_is_better else -self.gap, self.p)

    @property
    def is_sure(self) -> bool:
        """Whether the first two are told apart."""
        return self.certainty == "better"


def verdicts(summary: "pd.DataFrame", captions: Captions, dataset: str) -> list[Verdict]:
    """One verdict for each metric of a data set that any model has a value of."""
    here = summary[(summary["dataset"] == dataset) & ~summary["model"].map(is_baseline)]
    labels = model_labels(here, captions)
    found = []
    for key in dict.fromkeys(here["metric"]):
        metric = metric_info(key)
        rows = here[(here["metric"] == key) & (here["n"] > 0)]
        ranked = rows_of(rows.sort_values("mean", ascending=not metric.higher_is_better))
        if ranked:
            found.append(_verdict(metric, ranked, labels))
    return [replace(each, p=p) for each, p in zip(found, holm([each.p for each in found]), strict=True)]


def _verdict(metric: MetricInfo, ranked: list[Any], labels: dict[tuple[str, str], str]) -> Verdict:
    best = ranked[0]
    verdict = Verdict(metric, labels[best.model, best.variant], best.mean, best.std, best.n)
    if len(ranked) == 1:
        return verdict
    second = ranked[1]
    sign = 1 if metric.higher_is_better else -1
    found = welch(sign * best.mean, best.std, best.n, sign * second.mean, second.std, second.n)
    return replace(
        verdict,
        runner_up=labels[second.model, second.variant],
        gap=found.mean,
        low=found.low,
        high=found.high,
        p=found.p if min(best.n, second.n) >= MIN_SEEDS else math.nan,
    )
