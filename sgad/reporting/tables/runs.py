"""The table of runs: how each ended, what it took, and where it ran."""

import math
from typing import TYPE_CHECKING

from sgad.catalogue import TableKind
from sgad.display.captions import dataset_title, sentences
from sgad.display.formats import ABSENT, Cell, Column, Table, TableFile, to_csv, whole_text
from sgad.store.stored import RUN_COLUMNS, Captions, Stored, model_title, rows_of

if TYPE_CHECKING:
    import pandas as pd


def runs_table(runs: "pd.DataFrame", captions: Captions) -> Table:
    """Every run with its ending, cost and provenance."""
    headings = (
        "data set",
        "model",
        "variant",
        "seed",
        "T",
        "status",
        "reason",
        "steps",
        "seconds",
        "machine",
    )
    numbers = ("seed", "T", "steps", "seconds")
    rows = [
        [
            Cell(row.dataset),
            Cell(model_title(captions, row.model)),
            Cell(row.variant),
            Cell(whole_text(row.seed)),
            Cell(whole_text(row.time_steps)),
            Cell(row.status),
            Cell(row.reason or ABSENT),
            Cell(whole_text(row.steps)),
            Cell(ABSENT if math.isnan(row.seconds) else f"{row.seconds:.1f}"),
            Cell(" ".join(word for word in (row.device, row.machine) if word) or ABSENT),
        ]
        for row in rows_of(runs)
    ]
    datasets = "; ".join(dataset_title(captions, name) for name in dict.fromkeys(runs["dataset"]))
    return Table(
        key="runs",
        title=f"Runs of {captions['title']}",
        columns=[Column(name, is_number=name in numbers) for name in headings],
        blocks=[("", rows)],
        caption=sentences([f"Data: {datasets}", captions["note"], "Seconds are wall-clock time of training"]),
    )


def build_runs(stored: Stored, summary: "pd.DataFrame") -> TableFile:
    """One table of all data sets; runs.csv has every column of the stored file."""
    content = to_csv(RUN_COLUMNS, stored.runs[list(RUN_COLUMNS)].to_numpy().tolist())
    return TableFile([runs_table(stored.runs, stored.captions)], content)


RUNS = TableKind(key="runs", build=build_runs, place=2)
