"""The table of results: per data set, mean ± std over seeds, reported figures in columns of their own."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sgad.catalogue import TableKind
from sgad.catalogue.metrics import MetricInfo, metric_info
from sgad.display.captions import (
    checked_caption,
    data_caption,
    dataset_title,
    memorisation_caption,
    missing_caption,
    protocol_caption,
    protocol_parts,
    sentences,
    set_aside_caption,
)
from sgad.display.formats import ABSENT, Cell, Column, Table, TableFile, to_csv, whole_text
from sgad.display.labels import heading
from sgad.names import label_of
from sgad.store.comparisons import MIN_SEEDS, Key, tied_with_best
from sgad.store.reported import REPORTED_LABELS, Reported, reported_for, reported_metrics
from sgad.store.stored import Captions, Stored, model_title, rows_of
from sgad.store.summary import ENDINGS, is_baseline

if TYPE_CHECKING:
    import pandas as pd

Row = Any
#: The recipe that reported figures of the same models are about.
PAPER_RECIPE = "paper"
#: Marks a baseline that was measured by another protocol than the models, for example on fewer images.
OTHER_PROTOCOL = "†"
MEANS = (
    f"Mean ± standard deviation over n training seeds; in bold the best mean of a column among those of at least {MIN_SEEDS}"
    " seeds, and all that are not told apart from it (Welch's test with Holm's correction over the column)"
)
_REPORTED_COLUMNS = ("source", "reported_value", "reported_source", "reported_protocol")
_SUMMARY_COLUMNS = (
    "dataset",
    "model",
    "variant",
    "family",
    "time_steps",
    "metric",
    "mean",
    "std",
    "low",
    "high",
    "n",
    "samples",
    "protocol",
    "runs",
    *ENDINGS,
)


def results_tables(summary: "pd.DataFrame", runs: "pd.DataFrame", captions: Captions) -> list[Table]:
    """One results table per data set, in the order of the runs."""
    return [results_table(summary, runs, captions, dataset) for dataset in dict.fromkeys(runs["dataset"])]


def results_table(summary: "pd.DataFrame", runs: "pd.DataFrame", captions: Captions, dataset: str) -> Table:
    """Models against metrics on one data set; reported, reproduced and baselines in blocks apart."""
    here = summary[summary["dataset"] == dataset]
    # What only baselines were measured by, the memorisation check, stands in the caption: it is no column of a comparison.
    metrics = [metric_info(key) for key in dict.fromkeys(here[~here["model"].map(is_baseline)]["metric"])]
    figures = reported_for(dataset)
    best = {metric.key: tied_with_best(here, metric.key) for metric in metrics}
    others = other_protocols(here)
    blocks = [
        ("reported by others", _reported_rows(figures, len(metrics))),
        ("reproduced here", _model_rows(here, captions, metrics, figures, best)),
        ("for scale", _baseline_rows(here, metrics, figures, others)),
    ]
    columns = [Column("model"), Column("variant"), Column("family"), Column("T", is_number=True)]
    columns += [Column(heading(metric), "reproduced", is_number=True) for metric in metrics]
    columns += [
        Column(f"{REPORTED_LABELS[metric]}{' ↑' if metric == 'inception_score' else ' ↓'}", "reported", True)
        for metric in reported_metrics(figures)
    ]
    columns.append(Column("runs"))
    return Table(
        key=f"results-{dataset}",
        title=f"Results on {dataset_title(captions, dataset)}",
        columns=columns,
        blocks=[(name, rows) for name, rows in blocks if rows],
        caption=sentences(
            [
                MEANS,
                data_caption(captions, dataset, runs),
                protocol_caption(summary, dataset),
                _other_protocols_text(others),
                missing_caption(here, captions),
                set_aside_caption(here),
                checked_caption(here),
                memorisation_caption(here),
                _sources(figures, here),
            ]
        ),
    )


def spread_text(mean: float, std: float, n: int, metric: MetricInfo) -> str:
    """Text such as "12.3 ± 0.4 (n = 5)"; without ± for one seed, "–" for none."""
    if n == 0 or math.isnan(mean):
        return ABSENT
    if n == 1:
        return f"{mean:.{metric.decimals}f} (n = 1)"
    return f"{mean:.{metric.decimals}f} ± {std:.{metric.decimals}f} (n = {n})"


def runs_text(row: Row) -> str:
    """Text such as "3" if all listed runs completed, else for example "1 of 3 (1 diverged, 1 absent)"."""
    others = [f"{getattr(row, ending)} {ending}" for ending in ENDINGS[1:] if getattr(row, ending)]
    return f"{row.completed} of {row.runs} ({', '.join(others)})" if others else f"{row.runs}"


def _model_rows(
    here: "pd.DataFrame",
    captions: Captions,
    metrics: Sequence[MetricInfo],
    figures: list[Reported],
    best: dict[str, set[Key]],
) -> list[list[Cell]]:
    models: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows_of(here[~here["model"].map(is_baseline)]):
        models.setdefault((row.model, row.variant), {})[row.metric] = row
    rows = []
    for (model, variant), found in models.items():
        first, label = next(iter(found.values())), model_title(captions, model)
        cells = [Cell(label), Cell(variant), Cell(label_of("family", first.family) or ABSENT)]
        cells.append(Cell(whole_text(first.time_steps)))
        cells += [_metric_cell(found.get(metric.key), metric, best) for metric in metrics]
        about = _reported_of(figures, label_of("model", model), first)
        cells += [Cell(about.get(name, ABSENT)) for name in reported_metrics(figures)]
        rows.append([*cells, Cell(runs_text(first))])
    return rows


def _metric_cell(row: Row, metric: MetricInfo, best: dict[str, set[Key]]) -> Cell:
    if row is None:
        return Cell(ABSENT)
    text = spread_text(row.mean, row.std, row.n, metric) if row.n else row.problem or ABSENT
    return Cell(text, is_best=(row.model, row.variant) in best[metric.key])


def _baseline_rows(
    here: "pd.DataFrame",
    metrics: Sequence[MetricInfo],
    figures: list[Reported],
    others: dict[tuple[str, str], str],
) -> list[list[Cell]]:
    models: dict[str, dict[str, Row]] = {}
    for row in rows_of(here[here["model"].map(is_baseline)]):
        models.setdefault(row.model, {})[row.metric] = row
    rows = []
    for model, found in models.items():
        cells = [Cell(label_of("model", model)), Cell(ABSENT), Cell(ABSENT), Cell(ABSENT)]
        for metric in metrics:
            mark = OTHER_PROTOCOL if (model, metric.key) in others else ""
            measured = found.get(metric.key)
            text = f"{measured.mean:.{metric.decimals}f}{mark}" if measured and measured.n else ABSENT
            cells.append(Cell(text))
        rows.append([*cells, *[Cell(ABSENT)] * len(reported_metrics(figures)), Cell(ABSENT)])
    return rows


def other_protocols(here: "pd.DataFrame") -> dict[tuple[str, str], str]:
    """The protocols of baselines, by model and metric, that are not those of the models."""
    is_scale = here["model"].map(is_baseline)
    valued = here["n"] > 0
    used = {row.metric: row.protocol for row in rows_of(here[valued & ~is_scale])}
    return {
        (row.model, row.metric): row.protocol
        for row in rows_of(here[valued & is_scale])
        if row.metric in used and row.protocol != used[row.metric]
    }


def _other_protocols_text(others: dict[tuple[str, str], str]) -> str:
    protocols: dict[str, dict[str, str]] = {}
    for (model, metric), protocol in others.items():
        protocols.setdefault(model, {})[metric] = protocol
    named: dict[str, list[str]] = {}
    for model, of_model in protocols.items():
        named.setdefault("; ".join(protocol_parts(of_model)), []).append(label_of("model", model))
    parts = [f"{', '.join(models)}: {text}" for text, models in named.items()]
    return f"{OTHER_PROTOCOL} by another protocol – {'; '.join(parts)}" if parts else ""


def _reported_rows(figures: list[Reported], num_metrics: int) -> list[list[Cell]]:
    rows = []
    for model, family, time_steps in dict.fromkeys((f.model, f.family, f.time_steps) for f in figures):
        own = {f.metric: f.value for f in figures if (f.model, f.time_steps) == (model, time_steps)}
        cells = [Cell(model), Cell(ABSENT), Cell(label_of("family", family)), Cell(time_steps or ABSENT)]
        cells += [Cell(ABSENT)] * num_metrics
        cells += [Cell(own.get(metric, ABSENT)) for metric in reported_metrics(figures)]
        rows.append([*cells, Cell(ABSENT)])
    return rows


def _reported_of(figures: list[Reported], label: str, row: Row) -> dict[str, str]:
    """What others reported, by metric, for the very thing that a row is: model, family, number of steps, the release's recipe."""
    if row.variant.partition("+")[0] != PAPER_RECIPE:
        return {}
    what = (label, row.family, whole_text(row.time_steps))
    return {f.metric: f.value for f in figures if (f.model, f.family, f.time_steps) == what}


#: FAD by published protocols: the measure, whose it is, and which reported rows it compares with.
_PUBLISHED_FAD = (("fad_fsvae", "FSVAE's", "FSVAE and VAE"), ("fad_fsddim", "FSDDIM's", "FSDDIM"))


def comparability(metrics: "pd.DataFrame") -> str:
    """Which reported figures the rows of metrics.csv compare with: FAD, where it was measured as those who report it did."""
    warning = "Reported figures are other people's, by other protocols, and not comparable with ours"
    measured = [
        f"{metric_info(key).label} is measured as {whose} authors did and compares with the FAD of {rows}"
        for key, whose, rows in _PUBLISHED_FAD
        if (metrics["metric"] == key).any()
    ]
    return f"{warning}, save FAD: {'; '.join(measured)}" if measured else warning


def _sources(figures: list[Reported], here: "pd.DataFrame") -> str:
    if not figures:
        return ""
    names = "; ".join(dict.fromkeys(f.source for f in figures))
    return f"{comparability(here)}: {names}"


def results_csv(summary: "pd.DataFrame") -> str:
    """Reproduced and reported figures in full precision, told apart by the column `source`."""
    columns = [*_SUMMARY_COLUMNS, *_REPORTED_COLUMNS]
    rows = [[*row, "reproduced", "", "", ""] for row in summary[list(_SUMMARY_COLUMNS)].to_numpy().tolist()]
    for dataset in dict.fromkeys(summary["dataset"]):
        for figure in reported_for(dataset):
            known = {"dataset": dataset, "model": figure.model, "family": figure.family}
            known |= {"time_steps": figure.time_steps, "metric": figure.metric, "source": "reported"}
            known |= {"reported_value": figure.value, "reported_source": figure.source}
            known |= {"reported_protocol": figure.protocol}
            rows.append([known.get(column, "") for column in columns])
    return to_csv(columns, rows)


def build_results(stored: Stored, summary: "pd.DataFrame") -> TableFile:
    """One table a data set; results.csv holds the same numbers unrounded."""
    return TableFile(results_tables(summary, stored.runs, stored.captions), results_csv(summary))


RESULTS = TableKind(key="results", build=build_results, place=1)
