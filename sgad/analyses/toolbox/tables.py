"""Tables of an analysis: a row a model and variant, a column a quantity; every row in full precision as CSV."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sgad.catalogue import TableKind
from sgad.catalogue.lookup import analysis_of
from sgad.display.captions import dataset_title
from sgad.display.findings import Seen, analysis_caption, at_position, findings, looked_at, models_of, seen
from sgad.display.formats import Cell, Column, Table, TableFile, to_csv
from sgad.store.stored import ANALYSIS_COLUMNS, Stored, model_title

if TYPE_CHECKING:
    import pandas as pd

PIXELS = "pixels"
#: Yardsticks of `sgad.analyses.toolbox.yardsticks`: heading and decimals.
YARDSTICKS = {"classifier": "CFD", "fad_eval": "FAD (eval)", PIXELS: "pixel W1"}
DECIMALS = {"classifier": 2, "fad_eval": 1, PIXELS: 3}


@dataclass(frozen=True)
class Shown:
    """One column: which quantity of which part, how many decimals, and a factor for its unit."""

    heading: str
    quantity: str
    part: str | None = None
    decimals: int = 2
    scale: float = 1.0
    position: float | None = None
    group: str = ""


#: The columns of a table, given the rows of one data set.
Columns = Callable[["pd.DataFrame"], Sequence[Shown]]
#: (stored, data set) to a table; one without rows is left out.
Build = Callable[[Stored, str], Table]


def model_table(analysis: str, columns: Columns) -> TableKind:
    """The table of an analysis with a row a model and variant."""

    def build(stored: Stored, dataset: str) -> Table:
        return _model_table(stored, analysis, dataset, columns)

    return table_per_dataset(analysis, build)


def table_per_dataset(analysis: str, build: Build) -> TableKind:
    """The table of an analysis, made by `build` for each data set; its CSV file holds every row of analyses.csv."""

    def build_file(stored: Stored, summary: "pd.DataFrame") -> TableFile:
        tables = [build(stored, dataset) for dataset in dict.fromkeys(stored.runs["dataset"])]
        return TableFile([table for table in tables if table.blocks[0][1]], _csv(stored, analysis))

    return TableKind(key=analysis, build=build_file)


def _model_table(stored: Stored, analysis: str, dataset: str, columns: Columns) -> Table:
    frame = findings(stored, analysis, dataset)
    shown = [column for column in columns(frame) if _has(frame, column)]
    rows = [
        [
            Cell(model_title(stored.captions, model)),
            Cell(variant),
            *(Cell(_look(frame, column, model, variant).text(column.decimals, column.scale)) for column in shown),
        ]
        for model, variant in models_of(frame if frame.empty else looked_at(stored, analysis, dataset))
    ]
    headings = [Column("model"), Column("variant")]
    headings += [Column(column.heading, column.group, is_number=True) for column in shown]
    quantities = [column.quantity for column in shown]
    return table_of_rows(stored, analysis, dataset, headings, rows, quantities)


def _has(frame: "pd.DataFrame", column: Shown) -> bool:
    rows = frame[frame["quantity"] == column.quantity]
    return bool((rows["part"] == column.part).any()) if column.part is not None else not rows.empty


def _look(frame: "pd.DataFrame", column: Shown, model: str, variant: str) -> Seen:
    rows = frame if column.position is None else at_position(frame, column.position)
    return seen(rows, model, variant, column.quantity, column.part)


def table_of_rows(
    stored: Stored, analysis: str, dataset: str, columns: list[Column], rows: list[list[Cell]], quantities: list[str]
) -> Table:
    """A table of one data set with the title of its analysis, and a caption that says how its quantities were taken."""
    return Table(
        key=f"{analysis.replace('_', '-')}-{dataset}",
        title=f"{analysis_of(analysis).title} on {dataset_title(stored.captions, dataset)}",
        columns=columns,
        blocks=[("", rows)],
        caption=analysis_caption(stored, analysis, dataset, quantities),
    )


def _csv(stored: Stored, analysis: str) -> str:
    frame = stored.analyses
    if frame is None:
        return to_csv(ANALYSIS_COLUMNS, [])
    here = frame[frame["analysis"] == analysis]
    return to_csv(ANALYSIS_COLUMNS, here[list(ANALYSIS_COLUMNS)].to_numpy().tolist())
