"""Which models and variants of an experiment differ: every comparison that its tables make, with interval and verdict.

What is compared is decided before any number is seen. Table `models`: every two models of one data set with the same variant,
that is the same recipe and length; unequal budgets are not compared. Table `variants`: every variant of one model against the
first one in the experiment's file.

Variants of one model share a seed's data order, latents and initial weights, so that runs of equal seeds are pairs; two models
share no weights and are taken as independent (Welch). Holm's correction counts the comparisons of one table, all its metrics
together. Distances to held-out images are for choosing, and not compared where the experiment has others.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from sgad.catalogue.metrics import metric_info
from sgad.config.experiment import VALID_MEASURES
from sgad.store.inference import LEVEL, holm, paired, welch
from sgad.store.stored import rows_of
from sgad.store.summary import has_value, is_baseline

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["better", "worse", "not told apart", "too few seeds"]
#: Fewer seeds on a side: there is a difference, with two also an interval, but no verdict.
MIN_SEEDS = 3


@dataclass(frozen=True)
class Comparison:
    """One cell of a table against another one, in the unit of the metric.

    `difference` is the mean of (`model`, `variant`) minus that of the other; `low` and `high` are the 95 % interval of this one
    comparison, `p` its two-sided p value (NaN below `MIN_SEEDS`), `p_holm` that after correction for `comparisons` of them.
    `verdict` is that of (`model`, `variant`), by `p_holm`.
    """

    table: Literal["models", "variants"]
    dataset: str
    metric: str
    model: str
    variant: str
    other_model: str
    other_variant: str
    design: Literal["paired", "welch"]
    n: int
    other_n: int
    mean: float
    other_mean: float
    difference: float
    low: float
    high: float
    degrees: float
    p: float
    p_holm: float = math.nan
    comparisons: int = 0
    verdict: Verdict = "too few seeds"


#: Values of one metric by seed.
Seeds = dict[int, float]
Key = tuple[str, str]


def compare(metrics: "pd.DataFrame") -> list[Comparison]:
    """Make the comparisons of all tables from the rows of metrics.csv."""
    valued = has_value(metrics[~metrics["model"].map(is_baseline)])
    if not valued["metric"].isin(VALID_MEASURES).all():
        valued = valued[~valued["metric"].isin(VALID_MEASURES)]
    found: list[Comparison] = []
    for dataset, here in valued.groupby("dataset", sort=False):
        cells = _cells(here)
        found += _corrected(_between_models(str(dataset), cells))
        for model in dict.fromkeys(here["model"]):
            found += _corrected(_between_variants(str(dataset), model, cells))
    return found


def _cells(here: "pd.DataFrame") -> dict[str, dict[Key, Seeds]]:
    """Values of each metric by model and variant, in the order of the file."""
    cells: dict[str, dict[Key, Seeds]] = {}
    for row in rows_of(here):
        cells.setdefault(row.metric, {}).setdefault((row.model, row.variant), {})[int(row.seed)] = float(row.value)
    return cells


def _between_models(dataset: str, cells: dict[str, dict[Key, Seeds]]) -> Iterator[Comparison]:
    for metric, values in cells.items():
        for first, second in itertools.combinations(values, 2):
            if first[1] == second[1]:
                yield _comparison("models", dataset, metric, first, second, values)


def _between_variants(dataset: str, model: str, cells: dict[str, dict[Key, Seeds]]) -> Iterator[Comparison]:
    for metric, values in cells.items():
        own = [key for key in values if key[0] == model]
        for other in own[1:]:
            yield _comparison("variants", dataset, metric, other, own[0], values)


def _comparison(
    table: Literal["models", "variants"],
    dataset: str,
    metric: str,
    first: Key,
    second: Key,
    values: dict[Key, Seeds],
) -> Comparison:
    ours, theirs = values[first], values[second]
    is_paired = table == "variants" and set(ours) == set(theirs)
    if is_paired:
        found = paired([ours[seed] - theirs[seed] for seed in sorted(ours)])
    else:
        found = welch(*_moments(ours.values()), *_moments(theirs.values()))
    mean, other_mean = _moments(ours.values())[0], _moments(theirs.values())[0]
    return Comparison(
        table,
        dataset,
        metric,
        *first,
        *second,
        "paired" if is_paired else "welch",
        len(ours),
        len(theirs),
        mean,
        other_mean,
        found.mean,
        found.low,
        found.high,
        found.degrees,
        found.p if min(len(ours), len(theirs)) >= MIN_SEEDS else math.nan,
    )


def _moments(values: Iterable[float]) -> tuple[float, float, int]:
    numbers = list(values)
    mean, n = math.fsum(numbers) / len(numbers), len(numbers)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in numbers) / (n - 1)) if n > 1 else math.nan
    return mean, std, n


def _corrected(found: Iterable[Comparison]) -> list[Comparison]:
    """The comparisons of one table, with Holm's correction and verdicts."""
    family = list(found)
    tested = sum(not math.isnan(each.p) for each in family)
    return [
        replace(each, p_holm=p, comparisons=tested, verdict=verdict_of(each.metric, each.difference, p))
        for each, p in zip(family, holm([each.p for each in family]), strict=True)
    ]


def verdict_of(metric: str, difference: float, p: float) -> Verdict:
    """Say whether a mean that is higher by `difference` is better, given the corrected p value."""
    if math.isnan(p):
        return "too few seeds"
    if p >= 1 - LEVEL:
        return "not told apart"
    return "better" if (difference > 0) == metric_info(metric).higher_is_better else "worse"


def comparisons_frame(found: list[Comparison]) -> "pd.DataFrame":
    """The comparisons as comparisons.csv holds them, one row each."""
    import pandas as pd

    return pd.DataFrame([asdict(each) for each in found], columns=list(Comparison.__dataclass_fields__))


def tied_with_best(summary: "pd.DataFrame", metric: str) -> set[Key]:
    """Models and variants whose mean is the best of some rows of `summary`, or not told apart from the best.

    The best is looked for among cells of at least `MIN_SEEDS` seeds, and the others of these are compared with it by Welch's
    test with Holm's correction over the column. Empty where fewer than two cells have so many, or all means are equal.
    """
    rows = summary[(summary["metric"] == metric) & (summary["n"] >= MIN_SEEDS) & ~summary["model"].map(is_baseline)]
    cells = list(rows_of(rows))
    if len({row.mean for row in cells}) < 2:
        return set()
    best = (max if metric_info(metric).higher_is_better else min)(cells, key=lambda row: row.mean)
    others = [row for row in cells if (row.model, row.variant) != (best.model, best.variant)]
    tests = [welch(row.mean, row.std, row.n, best.mean, best.std, best.n) for row in others]
    adjusted = holm([test.p for test in tests])
    tied = {(row.model, row.variant) for row, p in zip(others, adjusted, strict=True) if p >= 1 - LEVEL}
    return {(best.model, best.variant), *tied}
