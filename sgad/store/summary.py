"""Statistics over seeds: mean, standard deviation, t interval, n, and how the runs of each cell ended."""

import math
from typing import TYPE_CHECKING

from sgad.errors import InputError
from sgad.store.inference import t_quantile
from sgad.store.set_aside import SET_ASIDE
from sgad.store.stored import BASELINES, CHECKED_BY, rows_of

if TYPE_CHECKING:
    import pandas as pd

CELL = ["dataset", "model", "variant"]
ENDINGS = ("completed", "collapsed", "diverged", "failed", "interrupted", "running", "absent")


def has_value(metrics: "pd.DataFrame") -> "pd.DataFrame":
    """The rows that hold a finite value to be used."""
    finite = metrics["value"].notna() & (metrics["value"].abs() != math.inf)
    return metrics[finite & ~is_set_aside(metrics)]


def is_set_aside(metrics: "pd.DataFrame") -> "pd.Series[bool]":
    """Whether each row holds a value by another protocol than most; see `sgad.store.set_aside`."""
    return metrics["status"].astype(str).str.startswith(SET_ASIDE)


def check_protocols(metrics: "pd.DataFrame") -> None:
    """Refuse to let two protocols share a column: the values of one metric on one data set, over all models.

    Baselines stand apart in tables and are marked there if their protocol differs: a small data set has fewer
    images than models can draw.

    Raises
    ------
    InputError
        Naming the metric, the protocols and a model measured by each.
    """
    valued = has_value(metrics[~metrics["model"].map(is_baseline)])
    valued = valued.drop_duplicates(["dataset", "metric", "protocol"])
    twice = valued[valued.duplicated(["dataset", "metric"], keep=False)]
    if twice.empty:
        return
    dataset, metric = twice.iloc[0][["dataset", "metric"]]
    clash = twice[(twice["dataset"] == dataset) & (twice["metric"] == metric)]
    named = " and ".join(f"{row.protocol!r} ({row.model})" for row in rows_of(clash))
    raise InputError(
        f"{metric} on {dataset} was measured by {len(clash)} protocols, which no column may hold: {named};"
        " measure again by one of them"
    )


def summarise(metrics: "pd.DataFrame", runs: "pd.DataFrame") -> "pd.DataFrame":
    """One row per data set, model, variant and metric, over the seeds.

    Parameters
    ----------
    metrics, runs
        metrics.csv and runs.csv. Values of collapsed runs count like any other; a run without one lowers n.

    Returns
    -------
    dataset, model, variant, family, time_steps, metric, mean, std (ddof 1; NaN for one seed), low, high (95 %
    t interval of the mean), n, samples (images a run), protocol, checked_by
    (packages that agree with every value), problem (why the measure was not computed, where all
    finished runs say the same), set_aside (values by another protocol, not counted), runs (listed), and a count of every ending.

    Raises
    ------
    InputError
        If a column would hold two protocols.
    """
    check_protocols(metrics)
    if CHECKED_BY not in metrics.columns:
        metrics = metrics.assign(**{CHECKED_BY: ""})
    cells = metrics.drop_duplicates([*CELL, "metric"])[[*CELL, "family", "time_steps", "metric"]]
    grouped = has_value(metrics).groupby([*CELL, "metric"], sort=False)
    # Real numbers of a single seed have no spread; a baseline is measured once.
    values = grouped.agg(
        mean=("value", "mean"),
        std=("value", "std"),
        n=("value", "size"),
        samples=("n", "min"),
        protocol=("protocol", "first"),
        checked_by=(CHECKED_BY, _shared_text),
    ).reset_index()
    table = cells.merge(values, on=[*CELL, "metric"], how="left")
    table["n"] = table["n"].fillna(0).astype(int)
    half = [
        t_quantile(n - 1) * std / math.sqrt(n) if n > 1 else math.nan
        for n, std in zip(table["n"], table["std"], strict=True)
    ]
    table["low"], table["high"] = table["mean"] - half, table["mean"] + half
    problems = metrics.groupby([*CELL, "metric"], sort=False)["status"].agg(_shared_problem)
    table = table.merge(problems.rename("problem").reset_index(), on=[*CELL, "metric"], how="left")
    aside = metrics[[*CELL, "metric"]].assign(set_aside=is_set_aside(metrics).astype(int))
    table = table.merge(
        aside.groupby([*CELL, "metric"], sort=False).sum().reset_index(), on=[*CELL, "metric"], how="left"
    )
    counts = count_endings(runs)
    table = table.merge(counts, on=CELL, how="left")
    # Baselines have no runs; without this, one of them would turn every count into a float.
    counted = ["runs", *ENDINGS]
    table[counted] = table[counted].fillna(0).astype(int)
    return table


def _shared_text(texts: "pd.Series[str]") -> str:
    """The text that all of them have; empty if they differ."""
    return str(texts.iloc[0]) if len(set(texts)) == 1 else ""


def _shared_problem(statuses: "pd.Series[str]") -> str:
    """For example "not computed: weights absent" if that is what all finished runs say of the measure."""
    problems = {status for status in statuses if status.startswith("not computed: ")}
    problems = {problem for problem in problems if not problem.startswith("not computed: run failed")}
    return problems.pop() if len(problems) == 1 else ""


def count_endings(runs: "pd.DataFrame") -> "pd.DataFrame":
    """Count, for each data set, model and variant, the runs and how they ended."""
    counts = runs[CELL].assign(runs=1, **{ending: (runs["status"] == ending).astype(int) for ending in ENDINGS})
    return counts.groupby(CELL, sort=False).sum().reset_index()


def is_baseline(model: str) -> bool:
    """Whether a row is a floor or ceiling rather than a model."""
    return model in BASELINES
