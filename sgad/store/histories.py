"""The histories of a run as rows of histories.csv: what was logged of a step, and of its layers and time steps beside it."""

import csv
from collections.abc import Sequence
from pathlib import Path

Row = dict[str, str]

HISTORY_ROWS = 400
#: So many of them tell of each layer and time step, too.
DETAILED_ROWS = 50
#: File -> the columns that say whose row it is; the others become columns such as firing_rate/generator/neurons1.
DETAILS = {"layers.csv": ("network", "layer"), "time_steps.csv": ("time_step",)}


def read_history(folder: Path) -> list[Row]:
    """At most HISTORY_ROWS rows of a run's history, evenly spread, the first and the last among them."""
    rows = _spread(_whole_rows(folder / "history.csv"), HISTORY_ROWS)
    details = {row["step"]: row for row in _spread(rows, DETAILED_ROWS)}
    for name, keys in DETAILS.items():
        for row in _whole_rows(folder / name):
            if (target := details.get(row["step"])) is not None:
                whose = "/".join(row[key] for key in keys)
                target.update({f"{column}/{whose}": row[column] for column in row if column not in ("step", *keys)})
    return rows


def _whole_rows(path: Path) -> list[Row]:
    """The rows of a file; a kill may have cut the last line short."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    read = csv.DictReader(line for line in lines if line.endswith("\n"))
    return [row for row in read if None not in row and None not in row.values() and row.get("step")]


def _spread(rows: Sequence[Row], count: int) -> list[Row]:
    if len(rows) <= count:
        return list(rows)
    return [rows[round(index * (len(rows) - 1) / (count - 1))] for index in range(count)]
