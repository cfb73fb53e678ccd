"""Gather the runs of an experiment into results/experiments/E: tidy CSV files and small pictures.

Every run that the experiment lists has its row, whatever became of it. Afterwards tables, figures and report
need neither results/runs nor data/. Runs that were collected before and whose folders are gone keep their rows.
"""

import contextlib
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sgad.catalogue.metrics import as_asked_for
from sgad.config.compose import load_model, resolve_run, variant_note
from sgad.config.experiment import ExperimentConfig, RunKey
from sgad.config.paths import find_config
from sgad.errors import InputError, SgadError
from sgad.machine.files import read_json, write_json, write_text
from sgad.names import label_of
from sgad.runs.record import other_run, read_record
from sgad.store.histories import read_history
from sgad.store.kept import Kept, kept_runs
from sgad.store.pictures import collect_pictures, copy_pictures
from sgad.store.provenance import read_rows, write_provenance
from sgad.store.set_aside import SET_ASIDE, set_aside
from sgad.store.stored import (
    ANALYSIS_COLUMNS,
    BASELINES,
    CHECKED_BY,
    FINDING_COLUMNS,
    KEY_COLUMNS,
    METRIC_COLUMNS,
    METRICS,
    RUN_COLUMNS,
    Captions,
    DatasetFacts,
    experiment_folder,
    reference_folder,
    run_name,
)

Row = dict[str, Any]


@dataclass(frozen=True)
class _Run:
    """One run as found: its row of runs.csv, its folder, what was collected of it before if that is gone.

    `is_other`: the folder holds another run, whose values are set aside.
    """

    key: RunKey
    row: Row
    folder: Path
    kept: Kept | None = None
    is_other: bool = False


def collect(
    experiment: ExperimentConfig,
    results_dir: Path | str = "results",
    data_dir: Path | str = "data",
    folder: Path | None = None,
    *,
    with_reference: bool = False,
) -> Path:
    """Write {metrics.csv, runs.csv, histories.csv, analyses.csv, captions.json, provenance.json, grids/}.

    Parameters
    ----------
    folder
        Where to; results/experiments/E if it is not given.
    with_reference
        Whether runs that are absent here are taken from the reference: one machine trains some seeds, the next the others.

    Returns
    -------
    The path of metrics.csv. Its column `status` is the run's where there is a value, else says why not; a value that no
    column may hold beside the others is "set aside".

    Raises
    ------
    InputError
        If none of the runs is there but results of them by another configuration are stored: they would be lost.
    """
    results_dir, data_dir = Path(results_dir), Path(data_dir)
    folder = folder or experiment_folder(results_dir, experiment.name)
    reference = reference_folder(results_dir, experiment.name) if with_reference else None
    runs = _find_runs(experiment, results_dir, folder, reference)
    _refuse_to_forget(runs, folder, experiment.name)

    metrics = _all_metric_rows(runs, experiment.measures)
    if experiment.baselines:
        for dataset in experiment.dataset_keys():
            own = _baseline_rows(dataset, folder / "baselines" / f"{dataset}.json")
            metrics += own or (_stored_baselines(dataset, reference) if reference else [])
    remedies = {row["metric"]: text for row in metrics if (text := row.pop("remedy", None))}
    _write_csv(folder / "runs.csv", RUN_COLUMNS, [run.row for run in runs])
    _write_histories(folder / "histories.csv", runs)
    if experiment.analyses:
        analysed = [row for run in runs for row in _analysis_rows(run, experiment.analyses)]
        _write_csv(folder / "analyses.csv", ANALYSIS_COLUMNS, analysed)
    found = [(run_name(*run.key), run.folder) for run in runs if run.kept is None and not run.is_other]
    kept = {run_name(*run.key) for run in runs if run.kept is not None}
    if reference is not None:
        copy_pictures(reference / "grids", folder / "grids", kept)
    collect_pictures(folder / "grids", found, _detailed(experiment), kept)
    write_json(folder / "captions.json", _captions(experiment, runs, data_dir, folder, remedies))
    # Last: whoever waits for metrics.csv finds the other files whole.
    checked = (CHECKED_BY,) if any(row.get(CHECKED_BY) for row in metrics) else ()
    columns = (*METRIC_COLUMNS, *checked)
    _write_csv(folder / "metrics.csv", columns, [{key: row.get(key, "") for key in columns} for row in metrics])
    traces = {run.key.folder: run.kept.trace for run in runs if run.kept is not None and run.kept.trace is not None}
    write_provenance(experiment, folder, results_dir, traces)
    return folder / "metrics.csv"


def _refuse_to_forget(runs: Sequence[_Run], folder: Path, name: str) -> None:
    stored = folder / "runs.csv"
    if not stored.is_file() or any(run.row["status"] != "absent" for run in runs):
        return
    with open(stored, encoding="utf-8", newline="") as stream:
        if any(row.get("status") == "completed" for row in csv.DictReader(stream)):
            raise InputError(
                f"{stored} holds results of another configuration, and no run folder is there; use `sgad regenerate {name}`"
                " at the commit that made them, or delete the file to begin afresh"
            )


def _find_runs(
    experiment: ExperimentConfig, results_dir: Path, folder: Path, reference: Path | None = None
) -> list[_Run]:
    """Every run as its folder says, or, where that is gone, as it was collected before or is in the reference."""
    runs = [_find_run(key, results_dir) for key in experiment.run_keys()]
    absent = [run.key for run in runs if run.row["status"] == "absent"]
    kept = kept_runs(folder, absent)
    if reference is not None:
        kept |= kept_runs(reference, [key for key in absent if key not in kept])
    return [_Run(run.key, kept[run.key].row, run.folder, kept[run.key]) if run.key in kept else run for run in runs]


def _find_run(key: RunKey, results_dir: Path) -> _Run:
    folder = results_dir / "runs" / key.folder
    row: Row = dict.fromkeys(RUN_COLUMNS, "") | key._asdict() | {"run_dir": f"runs/{key.folder}"}
    if not (folder / "run.json").is_file():
        return _Run(key, row | _planned(key) | {"status": "absent", "reason": "not trained"}, folder)
    try:
        found = read_record(folder)
    except SgadError as error:
        return _Run(key, row | _planned(key) | {"status": "failed", "reason": str(error)}, folder)
    problem = other_run(found, key)
    if problem:
        return _Run(
            key, row | _planned(key) | {"status": "failed", "reason": SET_ASIDE + problem}, folder, is_other=True
        )
    record = found.model_dump()
    facts = {column: record[column] for column in RUN_COLUMNS if column in record}
    if record["status"] == "running":
        facts |= {"reason": "had not ended when it was collected"}
    return _Run(key, row | facts, folder)


def _planned(key: RunKey) -> Row:
    """Family and time steps as configured, for a run without a record; empty if the configuration is gone."""
    try:
        config = resolve_run(key)
    except InputError:
        return {}
    return {"family": config.network_family, "time_steps": config.time_steps}


def _identity(run: Row) -> Row:
    return {column: run[column] for column in ("dataset", "model", "variant", "family", "time_steps", "seed")}


def _all_metric_rows(runs: Sequence[_Run], measures: Sequence[str]) -> list[Row]:
    """All runs' rows of metrics.csv, in the order of the runs; values that cannot be used together are marked."""
    rows_of = {run.key: _metric_rows(run, measures) for run in runs}
    kept = {run.key for run in runs if run.kept is not None}
    marked = set_aside(
        [row for key, rows in rows_of.items() if key not in kept for row in rows],
        [row for key, rows in rows_of.items() if key in kept for row in rows],
    )
    order = {key: place for place, key in enumerate(rows_of)}
    return sorted(marked, key=lambda row: order[RunKey(row["dataset"], row["model"], row["variant"], int(row["seed"]))])


def _metric_rows(run: _Run, measures: Iterable[str]) -> list[Row]:
    """The run's rows of metrics.csv: what was measured, and each wanted measure that was not."""
    if run.kept is not None:
        # What was set aside beside other runs may be used beside these.
        status = run.row["status"]
        return [row | {"status": status} if row["status"].startswith(SET_ASIDE) else row for row in run.kept.metrics]
    status, reason = run.row["status"], run.row["reason"]
    problem = f"{status}: {reason}" if reason else status
    measured, path = [], run.folder / "metrics.json"
    if path.is_file():
        try:
            measured = _entries(path)
        except SgadError as error:
            problem = f"not computed: {error}"
    elif status == "completed":
        problem = "not computed: not measured"
    used = reason if run.is_other else status
    rows = [_identity(run.row) | _measured(entry, used) for entry in measured]
    missing = [name for name in measures if name not in {as_asked_for(row["metric"]) for row in rows}]
    if measured:
        problem = "not computed: not asked for when the run was measured"
    return rows + [_identity(run.row) | {"metric": name, "status": problem} for name in missing]


def _entries(path: Path) -> list[Row]:
    content = read_json(path)
    entries = content.get("metrics") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and entry.get("metric") for entry in entries):
        raise InputError(f"{path} has no list of metrics; delete it and measure again")
    return entries


def _measured(entry: Mapping[str, Any], run_status: str) -> Row:
    """One entry of metrics.json as cells; `status` is the run's where there is a value, else there may be a `remedy`."""
    cells = {column: entry.get(column) for column in ("metric", "value", "low", "high", "n", "protocol")}
    is_computed = entry.get("status", "computed") == "computed" and entry.get("value") is not None
    details = entry.get("details") or {}
    if is_computed:
        checks = [check["by"] for check in details.get("cross_check", []) if check.get("theirs") is not None]
        return cells | {"status": run_status} | ({CHECKED_BY: ", ".join(checks)} if checks else {})
    return cells | {"status": entry.get("status") or "not computed", "remedy": details.get("remedy")}


def _analysis_rows(run: _Run, analyses: Iterable[str]) -> list[Row]:
    """The run's rows of analyses.csv: what `sgad analyse` found, and a row for each analysis that is not there."""
    wanted, found = list(analyses), []
    if run.kept is not None:
        found = [row for row in run.kept.analyses if row["analysis"] in wanted]
    for path in (run.folder / "analyses" / f"{name}.csv" for name in wanted):
        if path.is_file() and run.kept is None and not run.is_other:
            found += read_rows(path)
    rows = [_identity(run.row) | {column: row.get(column, "") for column in FINDING_COLUMNS} for row in found]
    missing = [name for name in wanted if name not in {row["analysis"] for row in rows}]
    reason = run.row["reason"] or run.row["status"] if run.row["status"] in ("absent", "failed") else "not analysed"
    return rows + [
        _identity(run.row) | {"analysis": name, "quantity": name, "status": f"not computed: {reason}"}
        for name in missing
    ]


def _baseline_rows(dataset: str, path: Path) -> list[Row]:
    """Rows of real data, noise and a training set copied, if they were measured for this data set."""
    if not path.is_file():
        return []
    entries = [entry for entry in _entries(path) if entry.get("model") in BASELINES]
    same: Row = {"dataset": dataset, "variant": "", "family": "baseline", "time_steps": "", "seed": ""}
    return [same | {"model": entry["model"]} | _measured(entry, "completed") for entry in entries]


def _stored_baselines(dataset: str, folder: Path) -> list[Row]:
    rows: list[Row] = [dict(row) for row in read_rows(folder / METRICS)]
    return [row for row in rows if row["dataset"] == dataset and row["model"] in BASELINES]


def _write_histories(path: Path, runs: Iterable[_Run]) -> None:
    rows: list[Row] = []
    for run in runs:
        if run.is_other:
            continue
        history = run.kept.history if run.kept is not None else read_history(run.folder)
        rows += [run.key._asdict() | row for row in history]
    columns = dict.fromkeys([*KEY_COLUMNS, "step"])
    for row in rows:
        columns.update(dict.fromkeys(row))
    _write_csv(path, list(columns), rows)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _detailed(experiment: ExperimentConfig) -> set[str]:
    """Names of the runs whose pictures over training are kept: all of a few runs, else each first seed's."""
    keys = experiment.run_keys()
    if len(keys) <= 24:
        return {run_name(*key) for key in keys}
    first = {key[:3]: key for key in reversed(keys)}
    return {run_name(*key) for key in first.values()}


def _captions(
    experiment: ExperimentConfig, runs: Sequence[_Run], data_dir: Path, folder: Path, remedies: dict[str, str]
) -> Captions:
    facts = _before(folder).get("datasets")
    before: dict[str, DatasetFacts] = facts if isinstance(facts, dict) else {}
    notes: dict[str, str] = {}
    for run in runs:
        notes.setdefault(run.key.dataset, "")
        notes[run.key.dataset] = notes[run.key.dataset] or str(run.row["caption_note"] or "")
    return Captions(
        experiment=experiment.name,
        title=experiment.title,
        note=". ".join(part for part in (experiment.note, _precision_note(runs)) if part),
        description=experiment.description,
        datasets={
            # Without the prepared data, what was said of them before still holds.
            dataset: _dataset_facts(dataset, note, data_dir, before.get(dataset))
            for dataset, note in sorted(notes.items())
        },
        variants={variant: _variant_note(variant) for variant in dict.fromkeys(run.key.variant for run in runs)},
        models=_model_titles(dict.fromkeys(run.key.model for run in runs), _before(folder).get("models")),
        remedies=remedies,
    )


def _precision_note(runs: Sequence[_Run]) -> str:
    """Say which runs were trained with rounded products; nothing of whole float32."""
    found: dict[str, set[str]] = {}
    for run in runs:
        with contextlib.suppress(InputError):
            precision = resolve_run(run.key).precision
            if precision != "float32":
                found.setdefault(precision, set()).add(run.key.variant)
    return ". ".join(
        f"Trained with precision {precision} (variants {', '.join(sorted(variants))}), all others with float32"
        for precision, variants in sorted(found.items())
    )


def _before(folder: Path) -> dict[str, Any]:
    """What an earlier collection wrote into captions.json."""
    path = folder / "captions.json"
    content = read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _model_titles(models: Iterable[str], before: Any) -> dict[str, str]:
    """Titles of the models' YAML files; of a file that is gone, the title that was stored before."""
    known = before if isinstance(before, dict) else {}
    titles = {}
    for model in models:
        try:
            titles[model] = load_model(find_config("models", model)).title
        except InputError:
            titles[model] = str(known.get(model) or label_of("model", model))
    return titles


def _dataset_facts(dataset: str, note: str, data_dir: Path, before: DatasetFacts | None) -> DatasetFacts:
    path = data_dir / dataset / "manifest.json"
    if before is not None and not path.is_file():
        return before
    manifest = read_json(path) if path.is_file() else {}
    if not isinstance(manifest, dict) or not isinstance(manifest.get("counts") or {}, dict):
        raise InputError(f"{path} is not a manifest; prepare the data set again")
    return DatasetFacts(
        title=str(manifest.get("title") or label_of("dataset", dataset)),
        note=str(manifest.get("caption_note", note)),
        citation=str(manifest.get("citation") or ""),
        licence=str(manifest.get("licence") or ""),
        images=dict(manifest.get("counts") or {}),
    )


def _variant_note(variant: str) -> str:
    try:
        return variant_note(variant)
    except InputError:
        return ""
