"""`sgad status`: what runs, what was killed, what failed why, with the last lines of its log."""

import json
from pathlib import Path

import pytest

from sgad.cli import main
from sgad.config.experiment import ExperimentConfig, RunKey
from sgad.runs.finished import keep_finished
from sgad.runs.lease import run_lock
from sgad.runs.record import RunRecord, read_record
from sgad.runs.status import LOG_LINES, RunState, experiment_status, format_states

KEYS = [RunKey("digits", "sgad", "quick", seed) for seed in range(5)]
HISTORY = "step,images_per_second,seconds\n10,50,4.0\n20,60,8.0\n30,7"


def experiment() -> ExperimentConfig:
    return ExperimentConfig(
        name="small", title="small", datasets=("digits",), models=("sgad",), variants=("quick",), seeds=(0, 1, 2, 3, 4)
    )


def write_run(root: Path, key: RunKey, status: str, reason: str = "", log: str = "") -> Path:
    folder = root / "results/runs" / key.folder
    folder.mkdir(parents=True)
    RunRecord(
        **key._asdict(), family="snn", time_steps=4, status=status, reason=reason, steps=20, target_steps=100, config_hash="h"
    ).write(folder)  # fmt: skip
    if log:
        path = root / "logs/train" / f"{key.folder}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(log)
    return folder


@pytest.fixture
def states(tmp_path: Path) -> list[RunState]:
    """One run of each kind: running, killed, failed, completed, never started."""
    running = write_run(tmp_path, KEYS[0], "running")
    # The last row was cut short by the kill of an earlier session.
    (running / "history.csv").write_text(HISTORY)
    write_run(tmp_path, KEYS[1], "running", log="killed here\n")
    lines = "".join(f"line {number}\n" for number in range(20))
    write_run(tmp_path, KEYS[2], "failed", "RuntimeError: this part is broken", lines)
    done = write_run(tmp_path, KEYS[3], "completed")
    (done / "metrics.json").write_text("{}")
    with run_lock(running):
        return experiment_status(experiment(), tmp_path / "results", tmp_path / "logs")


def test_each_run_stands_where_it_is(states: list[RunState]) -> None:
    assert [state.status for state in states] == ["running", "interrupted", "failed", "completed", "absent"]
    assert [state.measured for state in states] == [False, False, False, True, False]


def test_a_running_one_tells_speed_and_time_left(states: list[RunState]) -> None:
    running = states[0]
    assert (running.steps, running.images_per_second) == (20, 60.0)
    assert running.seconds_left == pytest.approx(32.0)
    assert running.log == ()


def test_more_than_a_day_is_told_in_hours() -> None:
    table = format_states([RunState("digits/sgad/paper/seed0", "running", 1, 2, 1.0, 100_000.0)])
    assert "27:46:40" in table


def test_a_failed_one_tells_reason_and_last_lines(states: list[RunState]) -> None:
    failed = states[2]
    assert failed.reason == "RuntimeError: this part is broken"
    assert failed.log == tuple(f"line {number}" for number in range(20 - LOG_LINES, 20))
    assert states[1].log == ("killed here",) and "the same command resumes it" in states[1].reason


def test_a_run_whose_measures_failed_shows_their_log(tmp_path: Path) -> None:
    write_run(tmp_path, KEYS[0], "completed", log="trained well\n")
    path = tmp_path / "logs/measure" / f"{KEYS[0].folder}.log"
    path.parent.mkdir(parents=True)
    path.write_text("sgad: no classifier\n")
    state = experiment_status(experiment(), tmp_path / "results", tmp_path / "logs")[0]
    assert (state.status, state.measured, state.log) == ("completed", False, ("sgad: no classifier",))


def test_a_finished_run_whose_outputs_a_workflow_removed_is_not_absent(tmp_path: Path) -> None:
    folder = write_run(tmp_path, KEYS[0], "completed")
    (folder / "generator.safetensors").write_bytes(b"weights")
    keep_finished(folder, read_record(folder))
    for name in ("run.json", "generator.safetensors"):
        (folder / name).unlink()
    state = experiment_status(experiment(), tmp_path / "results", tmp_path / "logs")[0]
    assert (state.status, state.steps) == ("completed", 20) and "the same command puts them back" in state.reason


def test_the_table_counts_every_ending(states: list[RunState]) -> None:
    text = format_states(states)
    assert text.splitlines()[-1] == "1 absent, 1 completed, 1 failed, 1 interrupted, 1 running; 5 in all"
    assert "  reason: RuntimeError: this part is broken\n  log: line 15\n" in text


def test_the_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, RunKey("digits", "sgan", "quick", 0), "failed", "bad", "last words\n")
    with pytest.raises(SystemExit) as stopped:
        main(["status", "quick", "--json", "--results", str(tmp_path / "results"), "--logs", str(tmp_path / "logs")])
    assert not stopped.value.code
    runs = {run["run"]: run for run in json.loads(capsys.readouterr().out)}
    assert runs["digits/sgan/quick/seed0"]["log"] == ["last words"]
