"""provenance.json: from every collected number back to its run, configuration, commit, data and log.

Written by `collect` beside the CSV files. It outlives the run folders, which are not committed, and holds the hash of every
collected file, so that `sgad audit` sees what was edited since. It protects against slips, not against forgers: who edits
a number can edit its hash.
"""

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, TypedDict

from sgad.catalogue import lookup
from sgad.config.experiment import ExperimentConfig, RunKey
from sgad.errors import InputError, SgadError
from sgad.machine.files import read_json, sha256_of, write_json
from sgad.runs.record import read_record
from sgad.store.stored import stored_folder

FILE_NAME = "provenance.json"
#: Columns of metrics.csv that name a value.
TRACED = ("dataset", "model", "variant", "seed", "metric", "value")
#: What `collect` makes; the other files of an experiment follow from these.
COLLECTED = ("metrics.csv", "runs.csv", "histories.csv", "histories.csv.gz", "analyses.csv", "captions.json", "grids")


class RunTrace(TypedDict):
    """Where one run's numbers come from: paths below the results folder, hashes, and the record itself."""

    folder: str
    log: str
    files: dict[str, str]
    record: dict[str, Any]


class Provenance(TypedDict):
    """The content of provenance.json."""

    experiment: str
    files: dict[str, str]
    runs: dict[str, RunTrace]


def write_provenance(
    experiment: ExperimentConfig, folder: Path, results_dir: Path, kept: Mapping[str, RunTrace]
) -> None:
    """Write provenance.json of an experiment that was just collected into `folder`.

    `kept` are the traces of runs whose folders are gone, by the runs' names.
    """
    content = Provenance(
        experiment=experiment.name,
        files=collected_hashes(folder),
        runs={key.folder: kept.get(key.folder) or _trace(key, results_dir) for key in experiment.run_keys()},
    )
    write_json(folder / FILE_NAME, content)


def collected_hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every collected file, by its name below `folder`."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    kept = sorted(name for name in names if name.parts[0] in COLLECTED)
    return {name.as_posix(): sha256_of(folder / name) for name in kept}


def _trace(key: RunKey, results_dir: Path) -> RunTrace:
    folder = results_dir / "runs" / key.folder
    try:
        record = read_record(folder).model_dump(mode="json")
    except SgadError:
        record = {}
    return RunTrace(
        folder=f"runs/{key.folder}",
        log=f"logs/train/{key.folder}.log",
        files=file_hashes(folder, run_files()),
        record=record,
    )


def run_files() -> tuple[str, ...]:
    """Files of a run folder that collected numbers come from."""
    own = ("run.json", "config.yaml", "history.csv", "layers.csv", "time_steps.csv", "metrics.json")
    return (*own, *(f"analyses/{key}.csv" for key in lookup.analyses()))


def file_hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of those of the named files that are there."""
    return {name: sha256_of(folder / name) for name in names if (folder / name).is_file()}


def read_provenance(folder: Path) -> Provenance:
    """Read provenance.json of a collected experiment.

    Raises
    ------
    InputError
        If it is absent or broken.
    """
    path = folder / FILE_NAME
    content: Any = read_json(path)
    is_whole = (
        isinstance(content, Mapping)
        and isinstance(content.get("files"), dict)
        and isinstance(content.get("runs"), dict)
        and all(isinstance(run, dict) and set(RunTrace.__annotations__) <= set(run) for run in content["runs"].values())
    )
    if not is_whole:
        raise InputError(f"{path} is not what `sgad collect` writes; collect the experiment again")
    provenance: Provenance = content
    return provenance


def read_rows(path: Path, columns: Iterable[str] = ()) -> list[dict[str, str]]:
    """Rows of a CSV file, compressed or not, as text.

    Raises
    ------
    InputError
        If it is absent, no table, or lacks one of `columns`.
    """
    try:
        with _opened(path) as stream:
            reader = csv.DictReader(stream)
            rows, names = list(reader), reader.fieldnames or []
    except (OSError, ValueError, EOFError, zlib.error, csv.Error) as error:
        raise InputError(f"{path} is not a readable table ({error}); run `sgad collect` again") from error
    missing = [column for column in columns if column not in names]
    if missing:
        raise InputError(f"{path} lacks the column {missing[0]!r}; run `sgad collect` again")
    return rows


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return open(path, encoding="utf-8", newline="")


def row_key(row: Mapping[str, str]) -> tuple[str, str, str, str]:
    """(dataset, model, variant, seed) of a row as text."""
    return row.get("dataset") or "", row.get("model") or "", row.get("variant") or "", row.get("seed") or ""


def trace_lines(experiment: ExperimentConfig, results_dir: Path | str = "results") -> Iterator[str]:
    """Yield, for every value of metrics.csv, the files and hashes that it goes back to."""
    folder = stored_folder(results_dir, experiment.name)
    runs = read_provenance(folder)["runs"]
    for row in read_rows(folder / "metrics.csv", TRACED):
        if not row.get("value"):
            continue
        name = "/".join((*row_key(row)[:3], f"seed{row['seed']}"))
        cell = f"{row['dataset']} {row['model']} {row['variant']} seed {row['seed']} {row['metric']} = {row['value']}"
        if name not in runs:
            yield f"{row['dataset']} {row['model']} {row['metric']} = {row['value']}: baselines/{row['dataset']}.json"
            continue
        run = runs[name]
        record, files = run["record"], run["files"]
        yield (
            f"{cell}: {run['folder']}/metrics.json ({files.get('metrics.json', '')[:12]}), run.json"
            f" ({files.get('run.json', '')[:12]}), configuration {record.get('config_hash', '')}, commit"
            f" {record.get('commit', '')}, data {record.get('data_hash', '')[:12]} (manifest.json of {row['dataset']}),"
            f" {run['log']}"
        )
