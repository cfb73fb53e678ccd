"""What each change is worth: every variant of an experiment beside its first one, and which of them go on.

A search by successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943) is a chain of experiments: many variants
trained for a short time, then `halve` writes the experiment in which the better ones train longer.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sgad.catalogue import TableKind
from sgad.catalogue.metrics import MetricInfo, metric_info
from sgad.config.experiment import VALID_MEASURES, ExperimentConfig
from sgad.display.captions import data_caption, dataset_title, protocol_caption, sentences, set_aside_caption
from sgad.display.formats import ABSENT, Cell, Column, Table, TableFile, to_csv, whole_text
from sgad.errors import InputError, nearest, require_choice
from sgad.store.comparisons import MIN_SEEDS, Comparison, compare
from sgad.store.stored import Captions, Stored, model_title, rows_of
from sgad.store.summary import is_baseline

if TYPE_CHECKING:
    import pandas as pd

LENGTH = "max_steps="


def effects_tables(
    summary: "pd.DataFrame", runs: "pd.DataFrame", captions: Captions, compared: Sequence[Comparison]
) -> list[Table]:
    """One table per data set and model that has more than one variant."""
    variants: dict[tuple[str, str], set[str]] = {}
    for row in rows_of(runs):
        variants.setdefault((row.dataset, row.model), set()).add(row.variant)
    pairs = [pair for pair, names in variants.items() if len(names) > 1]
    return [effects_table(summary, runs, captions, compared, dataset, model) for dataset, model in pairs]


def effects_table(
    summary: "pd.DataFrame",
    runs: "pd.DataFrame",
    captions: Captions,
    compared: Sequence[Comparison],
    dataset: str,
    model: str,
) -> Table:
    """The variants of one model on one data set, the first one on top, the others by the first metric.

    A cell is the mean over seeds and, in brackets, how far it is from the first variant's; bold if that is better beyond chance.
    """
    here = summary[(summary["dataset"] == dataset) & (summary["model"] == model)]
    trained = runs[(runs["dataset"] == dataset) & (runs["model"] == model)].dropna(subset=["steps"])
    lengths = trained.groupby("variant")["steps"].max()
    metrics = [metric_info(key) for key in dict.fromkeys(here["metric"])]
    means = {(row.variant, row.metric): float(row.mean) for row in rows_of(here) if row.n}
    counts = {row.variant: row for row in rows_of(here)}
    better = {(each.variant, each.metric) for each in _of(compared, dataset, model) if each.verdict == "better"}
    base, *others = dict.fromkeys(here["variant"])
    ranked = sorted(others, key=lambda variant: _rank(means.get((variant, metrics[0].key)), metrics[0]))
    rows = [
        [
            Cell(variant),
            Cell(whole_text(counts[variant].time_steps)),
            Cell(_count(lengths.get(variant))),
            *(
                _effect(
                    means.get((variant, m.key)),
                    None if variant == base else means.get((base, m.key)),
                    m,
                    is_better=(variant, m.key) in better,
                )
                for m in metrics
            ),
            Cell(str(int(counts[variant].completed))),
            Cell(str(int(counts[variant].runs))),
        ]
        for variant in [base, *ranked]
    ]
    columns = [Column("variant"), Column("T", is_number=True), Column("update pairs", is_number=True)]
    columns += [*(Column(_heading(metric), is_number=True) for metric in metrics)]
    columns += [Column("completed", is_number=True), Column("runs", is_number=True)]
    return Table(
        key=f"effects-{dataset}-{model}",
        title=f"What each change is worth: {model_title(captions, model)} on {dataset_title(captions, dataset)}",
        columns=columns,
        blocks=[("", rows)],
        caption=sentences(
            [
                f"Mean over seeds; in brackets the difference to the first row, {base}",
                "Bold: better than the first row beyond chance (Holm's correction over the table; at least"
                f" {MIN_SEEDS} seeds each); table `comparisons` and effects.csv have the intervals",
                data_caption(captions, dataset, runs[runs["model"] == model]),
                protocol_caption(summary, dataset),
                set_aside_caption(here),
            ]
        ),
    )


def _of(compared: Sequence[Comparison], dataset: str, model: str) -> list[Comparison]:
    return [each for each in compared if (each.table, each.dataset, each.model) == ("variants", dataset, model)]


def effects_csv(summary: "pd.DataFrame", compared: Sequence[Comparison]) -> str:
    """Every variant's mean and its difference to the first variant of its data set and model, unrounded, with verdict."""
    lines: list[list[object]] = []
    for (dataset, model), here in summary[~summary["model"].map(is_baseline)].groupby(["dataset", "model"], sort=False):
        base = here["variant"].iloc[0]
        start = {row.metric: row.mean for row in rows_of(here[here["variant"] == base])}
        tests = {(each.variant, each.metric): each for each in _of(compared, str(dataset), str(model))}
        for row in rows_of(here):
            change = row.mean - start[row.metric] if row.metric in start else math.nan
            key = [dataset, model, row.variant, row.time_steps]
            test = tests.get((row.variant, row.metric))
            found = [test.low, test.high, test.p_holm, test.design, test.verdict] if test else [math.nan] * 3 + ["", ""]
            lines.append([*key, base, row.metric, row.mean, change, row.n, row.runs, *found])
    columns = ("dataset", "model", "variant", "time_steps", "base", "metric", "mean", "difference", "n", "runs")
    return to_csv((*columns, "low", "high", "p_holm", "design", "verdict"), lines)


def _count(steps: int | None) -> str:
    return ABSENT if steps is None else f"{steps:,}"


def _heading(metric: MetricInfo) -> str:
    return f"{metric.label} {'↑' if metric.higher_is_better else '↓'}"


def _rank(value: float | None, metric: MetricInfo) -> float:
    """A key that sorts better values first and absent ones last."""
    if value is None or math.isnan(value):
        return math.inf
    return -value if metric.higher_is_better else value


def _effect(value: float | None, base: float | None, metric: MetricInfo, *, is_better: bool) -> Cell:
    if value is None:
        return Cell(ABSENT)
    text = f"{value:.{metric.decimals}f}"
    if base is None:
        return Cell(text)
    return Cell(f"{text} ({value - base:+.{metric.decimals}f})", is_best=is_better)


def halve(
    experiment: ExperimentConfig, summary: "pd.DataFrame", metric: str, keep: int, steps: int, name: str
) -> ExperimentConfig:
    """The next experiment of a search: the `keep` best variants, trained for `steps` update pairs.

    Variants are ranked by their mean rank in `metric` over data sets and models; the experiment's first one goes on in
    any case, because the others are measured against it.

    Raises
    ------
    InputError
        If it is no search, the metric is none of held-out images or was not measured, or there is nothing to leave out.
    """
    if experiment.purpose != "search":
        raise InputError(
            f"{experiment.name}: purpose is {experiment.purpose!r}; recipes are chosen by a search, so write"
            " `purpose: search` and measures of held-out images into its file"
        )
    require_choice("--metric", metric, VALID_MEASURES)
    if experiment.runs:
        raise InputError(f"{experiment.name}: a search lists its variants in `variants`, not in `runs`")
    measured = summary[(summary["metric"] == metric) & ~summary["model"].map(is_baseline) & (summary["n"] > 0)]
    if measured.empty:
        known = list(dict.fromkeys(summary["metric"]))
        raise InputError(f"{experiment.name} holds no values of {metric!r}{nearest(metric, known)}; run it first")
    base, *others = experiment.variants
    if not 1 <= keep < len(others):
        raise InputError(f"--keep must be between 1 and {len(others) - 1}, got {keep}")
    # Ranks, because a metric's scale differs from data set to data set; distances all of them, so the lowest is best.
    ranks = measured.assign(rank=measured.groupby(["dataset", "model"])["mean"].rank())
    mean_rank = ranks.groupby("variant")["rank"].mean()
    better = sorted(others, key=lambda variant: float(mean_rank.get(variant, math.inf)))[:keep]
    # In the order of the file, so that the two are easy to compare.
    variants = [base, *(variant for variant in others if variant in better)]
    return ExperimentConfig.model_validate(
        experiment.model_dump()
        | {
            "name": name,
            "title": f"The best of {experiment.name}, trained longer",
            "note": f"successive halving of {experiment.name}: {steps} update pairs a run",
            "variants": [with_length(variant, steps) for variant in variants],
            "description": f"The {keep} best variants of {experiment.name} by {metric}, {steps} update pairs each.",
        }
    )


def with_length(variant: str, steps: int) -> str:
    """A variant's name with its number of update pairs replaced, or added."""
    parts = [part for part in variant.split("+") if not part.startswith(LENGTH)]
    return "+".join([*parts, f"{LENGTH}{steps}"])


def build_effects(stored: Stored, summary: "pd.DataFrame") -> TableFile:
    """One table a data set and model."""
    compared = compare(stored.metrics)
    return TableFile(effects_tables(summary, stored.runs, stored.captions, compared), effects_csv(summary, compared))


EFFECTS = TableKind(key="effects", build=build_effects, place=3)
