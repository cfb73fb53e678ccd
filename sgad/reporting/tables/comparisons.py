"""Every comparison of an experiment with its interval and verdict, the numbers behind bold cells and words."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sgad.catalogue import TableKind
from sgad.catalogue.metrics import metric_info
from sgad.display.captions import dataset_title, sentences
from sgad.display.formats import ABSENT, Cell, Column, Table, TableFile, to_csv
from sgad.store.comparisons import MIN_SEEDS, Comparison, compare, comparisons_frame
from sgad.store.stored import Captions, Stored, model_title

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    Column("measure"),
    Column("this"),
    Column("against"),
    Column("n", is_number=True),
    Column("difference", is_number=True),
    Column("95 % interval", is_number=True),
    Column("degrees of freedom", is_number=True),
    Column("p", is_number=True),
    Column("p, corrected", is_number=True),
    Column("verdict"),
)


def comparisons_tables(compared: Sequence[Comparison], captions: Captions) -> list[Table]:
    """One table per data set: its models at equal recipe and length, then the variants of each model."""
    return [
        _table([each for each in compared if each.dataset == dataset], captions, dataset)
        for dataset in dict.fromkeys(each.dataset for each in compared)
    ]


def comparisons_csv(compared: Sequence[Comparison]) -> str:
    """All comparisons, unrounded."""
    frame = comparisons_frame(list(compared))
    return to_csv(tuple(frame.columns), frame.to_numpy().tolist())


def _table(compared: Sequence[Comparison], captions: Captions, dataset: str) -> Table:
    blocks: dict[str, list[list[Cell]]] = {}
    for each in compared:
        blocks.setdefault(_heading(each, captions), []).append(_row(each, captions))
    return Table(
        key=f"comparisons-{dataset}",
        title=f"What differs on {dataset_title(captions, dataset)}",
        columns=list(_COLUMNS),
        blocks=list(blocks.items()),
        caption=sentences(
            [
                "Difference of means over seeds, in the measure's unit, this minus against, with its own 95 % interval",
                "Models are compared at equal recipe and length by Welch's test, variants with the first one of the same model,"
                " by pairs of equal seeds where both have the same seeds",
                "p is two-sided, and corrected by Holm's method for all comparisons of models on the data set, or of variants of"
                " one model, over all measures; the verdict is by the corrected p at 0.05",
                f"Fewer than {MIN_SEEDS} seeds on a side: no verdict",
            ]
        ),
    )


def _heading(each: Comparison, captions: Captions) -> str:
    if each.table == "models":
        return f"models, {each.variant}"
    return f"variants of {model_title(captions, each.model)}"


def _row(each: Comparison, captions: Captions) -> list[Cell]:
    metric = metric_info(each.metric)
    digits = metric.decimals
    names = (
        (model_title(captions, each.model), model_title(captions, each.other_model))
        if each.table == "models"
        else (each.variant, each.other_variant)
    )
    interval = ABSENT if math.isnan(each.low) else f"{each.low:+.{digits}f} to {each.high:+.{digits}f}"
    return [
        Cell(metric.label),
        *(Cell(name) for name in names),
        Cell(f"{each.n}, {each.other_n}"),
        Cell(f"{each.difference:+.{digits}f}"),
        Cell(interval),
        Cell(ABSENT if math.isnan(each.degrees) else f"{each.degrees:.1f}"),
        Cell(_p(each.p)),
        Cell(_p(each.p_holm)),
        Cell(each.verdict, is_best=each.verdict == "better"),
    ]


def _p(value: float) -> str:
    if math.isnan(value):
        return ABSENT
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def build_comparisons(stored: Stored, summary: "pd.DataFrame") -> TableFile:
    """One table a data set."""
    compared = compare(stored.metrics)
    return TableFile(comparisons_tables(compared, stored.captions), comparisons_csv(compared))


COMPARISONS = TableKind(key="comparisons", build=build_comparisons, place=4)
