"""Where every run of an experiment is, read from its files alone."""

from dataclasses import asdict, dataclass
from pathlib import Path

from sgad.config.experiment import ExperimentConfig, RunKey
from sgad.errors import InputError
from sgad.machine.progress import clock
from sgad.runs.finished import read_finished
from sgad.runs.lease import is_locked
from sgad.runs.record import FINAL, other_run, read_record

LOG_LINES = 5


@dataclass(frozen=True)
class RunState:
    """One line of `sgad status`. `images_per_second` and `seconds_left` are None where nothing is known yet."""

    run: str
    status: str
    steps: int = 0
    target_steps: int = 0
    images_per_second: float | None = None
    seconds_left: float | None = None
    measured: bool = False
    reason: str = ""
    log: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The fields as plain data."""
        return asdict(self)


def experiment_status(experiment: ExperimentConfig, results: Path, logs: Path) -> list[RunState]:
    """The state of each run of the experiment, in its order."""
    return [run_state(key, results / "runs" / key.folder, logs) for key in experiment.run_keys()]


def run_state(key: RunKey, folder: Path, logs: Path) -> RunState:
    """The state of one run.

    A run that says "running" but holds no lock was killed; the same command would resume it.
    """
    if not (folder / "run.json").is_file():
        if is_locked(folder):
            status = "running"
        elif (state := read_finished(folder)) is not None:
            reason = "its outputs were removed before a rerun; the same command puts them back"
            done = state.record
            return RunState(
                key.folder, done.status, done.steps, done.target_steps, done.images_per_second, reason=reason
            )
        else:
            status = "absent"
        return RunState(key.folder, status, log=_last_lines(key, logs, _troubled_stages(status, measured=False)))
    try:
        record = read_record(folder)
    except InputError as error:
        return RunState(key.folder, "failed", reason=str(error))
    if problem := other_run(record, key):
        return RunState(key.folder, "failed", reason=problem)
    status, reason = record.status, record.reason
    if status == "running" and not is_locked(folder):
        status, reason = "interrupted", "its process was killed; the same command resumes it"
    last = _last_history_row(folder / "history.csv")
    steps = max(record.steps, int(last.get("step", 0))) if status == "running" else record.steps
    speed = last.get("images_per_second", record.images_per_second)
    left, measured = None, (folder / "metrics.json").is_file()
    if status == "running" and steps and last.get("seconds"):
        left = last["seconds"] / steps * (record.target_steps - steps)
    return RunState(
        key.folder,
        status,
        steps,
        record.target_steps,
        speed,
        left,
        measured,
        reason,
        _last_lines(key, logs, _troubled_stages(status, measured)),
    )


def _troubled_stages(status: str, measured: bool) -> tuple[str, ...]:
    """The stages whose logs tell why a run is not further; none if all is well."""
    if status == "running" or (status in FINAL and measured):
        return ()
    return ("sample", "measure") if status in FINAL else ("*",)


def _last_history_row(path: Path) -> dict[str, float]:
    """The numbers of the last whole row; reads only the end of the file."""
    if not path.is_file():
        return {}
    with open(path, "rb") as stream:
        header = stream.readline().decode().strip().split(",")
        stream.seek(max(stream.tell(), path.stat().st_size - 2048))
        lines = [
            line for line in stream.read().decode(errors="replace").splitlines(keepends=True) if line.endswith("\n")
        ]
    if not lines:
        return {}
    try:
        return {name: float(value) for name, value in zip(header, lines[-1].strip().split(","), strict=True) if value}
    except ValueError:
        return {}


def _last_lines(key: RunKey, logs: Path, stages: tuple[str, ...]) -> tuple[str, ...]:
    """The last lines of the newest log that these stages left of a run."""
    found = [path for stage in stages for path in logs.glob(f"{stage}/{key.folder}.log") if path.is_file()]
    if not found:
        return ()
    newest = max(found, key=lambda path: path.stat().st_mtime)
    lines = newest.read_text(encoding="utf-8", errors="replace").splitlines()
    return tuple(lines[-LOG_LINES:])


def format_states(states: list[RunState]) -> str:
    """The table that `sgad status` prints."""
    width = max((len(state.run) for state in states), default=3)
    lines = [f"{'run':<{width}}  {'status':<11}  {'steps':>13}  {'images/s':>8}  {'left':>8}  measured"]
    for state in states:
        steps = f"{state.steps}/{state.target_steps}" if state.target_steps else "-"
        speed = f"{state.images_per_second:.0f}" if state.images_per_second else "-"
        left = clock(state.seconds_left) if state.seconds_left else "-"
        measured = "yes" if state.measured else "no"
        lines.append(f"{state.run:<{width}}  {state.status:<11}  {steps:>13}  {speed:>8}  {left:>8}  {measured}")
        if state.reason:
            lines.append(f"  reason: {state.reason}")
        lines.extend(f"  log: {line}" for line in state.log)
    counts = {status: sum(state.status == status for state in states) for status in {s.status for s in states}}
    lines.append(", ".join(f"{count} {status}" for status, count in sorted(counts.items())) + f"; {len(states)} in all")
    return "\n".join(lines)
