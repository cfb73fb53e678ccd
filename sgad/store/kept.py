"""What an earlier collection stored of runs whose folders are gone: results are committed, run folders are not.

A machine trains some runs of an experiment, collects and commits; the next one trains others. Stored rows of a run stay as
long as the tree's configuration of it is the one that it was trained with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sgad.config.compose import run_hash
from sgad.config.experiment import RunKey
from sgad.errors import SgadError
from sgad.store.provenance import RunTrace, read_provenance, read_rows, row_key
from sgad.store.stored import histories_file

StoredRow = dict[str, str]
#: Without these nothing of what was collected before is kept.
FILES = ("runs.csv", "metrics.csv")


@dataclass
class Kept:
    """One run as it was collected before: its row of runs.csv, its rows of the other files, where they came from."""

    row: StoredRow
    metrics: list[StoredRow] = field(default_factory=list)
    history: list[StoredRow] = field(default_factory=list)
    analyses: list[StoredRow] = field(default_factory=list)
    trace: RunTrace | None = None

    def add(self, name: str, row: StoredRow) -> None:
        """Add a row of metrics.csv, histories.csv or analyses.csv."""
        if name == "histories":
            # Columns of other runs' histories are empty.
            self.history.append({column: value for column, value in row.items() if value != ""})
        else:
            (self.metrics if name == "metrics" else self.analyses).append(row)


def kept_runs(folder: Path, absent: Sequence[RunKey]) -> dict[RunKey, Kept]:
    """What `folder` (results/experiments/E or the reference) holds of the absent runs, by the tree's configuration only."""
    if not absent or not all((folder / name).is_file() for name in FILES):
        return {}
    wanted = {(key.dataset, key.model, key.variant, str(key.seed)): key for key in absent}
    kept: dict[RunKey, Kept] = {}
    for row in read_rows(folder / "runs.csv"):
        key = wanted.get(row_key(row))
        if key is not None and row.get("config_hash") and row["config_hash"] == _hash(key):
            kept[key] = Kept(row)
    for name in ("metrics", "histories", "analyses"):
        # An experiment without analyses has no such file.
        path = histories_file(folder) if name == "histories" else folder / f"{name}.csv"
        for row in read_rows(path) if path.is_file() else ():
            if (key := wanted.get(row_key(row))) in kept:
                kept[key].add(name, row)
    traces = _traces(folder)
    for key, run in kept.items():
        run.trace = traces.get(key.folder)
    return kept


def _hash(key: RunKey) -> str:
    try:
        return run_hash(key)
    except SgadError:
        return ""


def _traces(folder: Path) -> dict[str, RunTrace]:
    try:
        return read_provenance(folder)["runs"]
    except SgadError:
        return {}
