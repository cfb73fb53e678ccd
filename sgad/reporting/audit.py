"""The audit: whether every stored number still follows from its run, its configuration, its data and the tree.

Nothing is repaired; each finding is one sentence. What cannot be looked at, because run folders or data are elsewhere,
is said as a note and is no finding.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sgad.config.compose import run_hash
from sgad.config.experiment import ExperimentConfig, RunKey
from sgad.errors import SgadError
from sgad.reporting.audit_folders import broken_data, broken_run, other_samples
from sgad.reporting.tables.save import save_tables
from sgad.store.collect import collect
from sgad.store.kept import FILES as KEPT_FILES
from sgad.store.provenance import Provenance, collected_hashes, read_provenance, read_rows, row_key
from sgad.store.stored import experiment_folder, read_stored, stored_folder

Row = Mapping[str, str]


@dataclass
class Audit:
    """What was found, what could not be looked at, and how much was looked at."""

    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    values: int = 0
    runs: int = 0
    with_folder: int = 0

    def summary(self) -> str:
        """One line on the extent of the audit."""
        return (
            f"{self.values} values of {self.runs} runs looked at, {self.with_folder} of them against their run folders:"
            f" {len(self.findings)} findings, {len(self.notes)} notes"
        )


@dataclass(frozen=True)
class _Place:
    experiment: ExperimentConfig
    results: Path
    data: Path
    logs: Path

    @property
    def folder(self) -> Path:
        return stored_folder(self.results, self.experiment.name)

    @property
    def is_reference(self) -> bool:
        return self.folder != experiment_folder(self.results, self.experiment.name)

    def run_folder(self, key: RunKey) -> Path:
        return self.results / "runs" / key.folder

    def present(self) -> list[RunKey]:
        """The runs whose folders are there; the reference's are another's, whatever is here."""
        if self.is_reference:
            return []
        return [key for key in self.experiment.run_keys() if (self.run_folder(key) / "run.json").is_file()]


def audit(
    experiment: ExperimentConfig,
    results_dir: Path | str = "results",
    data_dir: Path | str = "data",
    logs_dir: Path | str = "logs",
) -> Audit:
    """Look at everything that is stored of an experiment.

    Raises
    ------
    InputError
        If it was never collected, or a stored table cannot be read at all.
    """
    place = _Place(experiment, Path(results_dir), Path(data_dir), Path(logs_dir))
    stored = read_stored(place.results, experiment.name)
    rows = read_rows(place.folder / "runs.csv")
    audit = Audit(
        values=int(stored.metrics["value"].notna().sum()),
        runs=len(experiment.run_keys()),
        with_folder=len(place.present()),
    )
    try:
        provenance: Provenance | None = read_provenance(place.folder)
    except SgadError as error:
        provenance = None
        audit.findings.append(f"{error}; without it nobody can tell whether a number was edited")
    audit.findings += _edited_files(place, provenance) if provenance else []
    audit.findings += _other_runs(place, rows)
    audit.findings += _other_configurations(place, rows)
    audit.findings += _differing_rows(place)
    for key in place.present():
        collected = provenance["runs"].get(key.folder) if provenance else None
        audit.findings += broken_run(place.run_folder(key), collected["files"] if collected else {})
        audit.findings += other_samples(place.run_folder(key))
    for dataset in experiment.dataset_keys():
        audit.findings += broken_data(place.data / dataset, [row for row in rows if row.get("dataset") == dataset])
    audit.findings += _other_tables(place)
    audit.notes += _untraceable(place, rows)
    return audit


def _edited_files(place: _Place, provenance: Provenance) -> Iterator[str]:
    """Collected files that are not as they were collected."""
    now, then = collected_hashes(place.folder), provenance["files"]
    for name in sorted(now.keys() | then.keys()):
        if name not in now:
            yield f"{place.folder / name} was collected and is gone; collect again"
        elif name not in then:
            yield f"{place.folder / name} was never collected; delete it or collect again"
        elif now[name] != then[name]:
            yield f"{place.folder / name} was changed by hand after it was collected; collect again"


def _other_runs(place: _Place, rows: Sequence[Row]) -> Iterator[str]:
    """Runs of the experiment without a row, and rows of no run."""
    wanted = {(key.dataset, key.model, key.variant, str(key.seed)) for key in place.experiment.run_keys()}
    stored = [row_key(row) for row in rows]
    for key in sorted(wanted - set(stored)):
        yield f"{'/'.join(key)} belongs to the experiment but has no row in runs.csv; collect again"
    for key in sorted(set(stored) - wanted):
        yield f"{'/'.join(key)} has a row in runs.csv but is no run of the experiment in the tree; collect again"


def _other_configurations(place: _Place, rows: Sequence[Row]) -> Iterator[str]:
    """Results of another configuration than the tree's."""
    by_key = {row_key(row): row for row in rows}
    for key in place.experiment.run_keys():
        row = by_key.get((key.dataset, key.model, key.variant, str(key.seed)), {})
        was, now = row.get("config_hash") or "", run_hash(key)
        if was and was != now:
            yield (
                f"{key.folder} was trained with configuration {was}, the tree's is {now}; train it again or go back to"
                f" commit {row.get('commit') or 'unknown'}"
            )


def _differing_rows(place: _Place) -> Iterator[str]:
    """Collect once more, elsewhere, and compare the rows of every run whose folder is there."""
    present = {(key.dataset, key.model, key.variant, str(key.seed)) for key in place.present()}
    if not present:
        return
    with tempfile.TemporaryDirectory() as name:
        again = Path(name) / place.experiment.name
        again.mkdir()
        # What is kept of runs whose folders are gone decides which values of the others are set aside.
        for file in (file for file in (*KEPT_FILES, "histories.csv") if (place.folder / file).is_file()):
            shutil.copyfile(place.folder / file, again / file)
        try:
            collect(place.experiment, place.results, place.data, folder=again)
        except SgadError as error:
            yield str(error)
            return
        for file, more in (("runs.csv", ()), ("metrics.csv", ("metric",)), ("histories.csv", ("step",))):
            now, then = (_by_name(read_rows(folder / file), more) for folder in (place.folder, again))
            ours = {row for row in now.keys() | then.keys() if row[:4] in present or (row[3] == "" and row in then)}
            for row in sorted(ours):
                yield from _differences(place.folder / file, row, now.get(row), then.get(row))


def _by_name(rows: Sequence[dict[str, str]], more: Sequence[str]) -> dict[tuple[str, ...], dict[str, str]]:
    return {(*row_key(row), *(row.get(column) or "" for column in more)): row for row in rows}


def _differences(path: Path, name: Sequence[str], now: Row | None, then: Row | None) -> Iterator[str]:
    run = f"{path}: {'/'.join(part for part in name[:4] if part)} {' '.join(name[4:])}".rstrip()
    if now is None or then is None:
        said = (
            "has no row, though its run folder gives one"
            if now is None
            else "has a row that its run folder does not give"
        )
        yield f"{run} {said}; collect again"
        return
    for column in then:
        if now.get(column) != then[column]:
            yield f"{run}: {column} is {now.get(column)!r}, its run folder gives {then[column]!r}; collect again"


def _other_tables(place: _Place) -> Iterator[str]:
    """Stored tables that the stored numbers do not give."""
    stored = read_stored(place.results, place.experiment.name)
    with tempfile.TemporaryDirectory() as name:
        try:
            made = save_tables(replace(stored, made_in=Path(name)), place.experiment.tables)
        except SgadError as error:
            yield str(error)
            return
        # The reference keeps tables as Markdown alone.
        for path in (path for path in made if path.suffix == ".md" or not place.is_reference):
            kept = place.folder / path.relative_to(name)
            if not kept.is_file():
                yield f"{kept} is absent; run `sgad regenerate {place.experiment.name}`"
            elif kept.read_bytes() != path.read_bytes():
                yield f"{kept} is not what metrics.csv gives; run `sgad regenerate {place.experiment.name}`"


def _untraceable(place: _Place, rows: Sequence[Row]) -> Iterator[str]:
    """Links of the chain that cannot be followed from here."""
    commits = sorted({row.get("commit") or "" for row in rows if row.get("config_hash")})
    for commit in commits:
        if not commit:
            yield "some runs name no commit: they were trained outside a checkout"
        elif commit.endswith("+"):
            yield f"some runs were trained from commit {commit[:-1]} with changes that were not committed"
        elif not _is_known(commit):
            yield f"commit {commit} of some runs is not in this repository"
    for key in place.present():
        if not (place.logs / "train" / f"{key.folder}.log").is_file():
            yield f"{key.folder} has no log below {place.logs}"
    if len(place.present()) < len(place.experiment.run_keys()):
        yield "some run folders are not here; their numbers were compared with the hashes in provenance.json alone"
    absent = [key for key in place.experiment.dataset_keys() if not (place.data / key / "manifest.json").is_file()]
    if absent:
        yield f"prepared data are not here: {', '.join(absent)}"


def _is_known(commit: str) -> bool:
    if not re.fullmatch(r"[0-9a-f]{7,40}", commit):
        # From a file that anybody may have written, and git would take some texts for options.
        return False
    root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "cat-file", "-e", f"{commit}^{{commit}}"],
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
