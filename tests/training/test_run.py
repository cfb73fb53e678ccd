"""The train stage: same seed same bits, interruption and resume, divergence, what a changed configuration does."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sgad.cli import main
from sgad.config.compose import resolve
from sgad.data.prepared import load_prepared
from sgad.errors import InputError, Interrupted, TakenOver
from sgad.runs.record import RunRecord, read_record
from sgad.training import loop, run
from sgad.training.checkpoint import FOLDER, load_tensors
from sgad.training.history import read_rows
from sgad.training.run import TrainRequest, record_failure, train_run

SMALL: dict[str, Any] = {
    "time_steps": 2,
    "threshold": 0.3,
    "batch_size": 4,
    "latent_dim": 4,
    "max_steps": 6,
    "log_every": 2,
    "grid_every": 3,
    "checkpoint_every": 2,
    "engine": "torch",
}


def request(digits: Path, folder: Path, seed: int = 0, model: str = "swgan", **changes: Any) -> TrainRequest:
    """Return a request for a training of a second."""
    config = resolve("digits", model, "paper", seed, settings={**SMALL, **changes}).config
    return TrainRequest(config, digits, folder, device="cpu", threads=1)


def train(digits: Path, folder: Path, seed: int = 0, **changes: Any) -> RunRecord:
    return train_run(request(digits, folder, seed, **changes), lambda message: None)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of both networks."""
    parts = (load_tensors(folder / f"{part}.safetensors") for part in ("generator", "discriminator"))
    return {f"{index}/{name}": value for index, part in enumerate(parts) for name, value in part.items()}


def equal(left: Path, right: Path) -> bool:
    """Return whether two runs ended with the same bits."""
    first, second = weights(left), weights(right)
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_training_leaves_all_its_files(digits: Path, tmp_path: Path) -> None:
    record = train(digits, tmp_path)
    assert (record.status, record.steps, record.target_steps, record.sessions) == ("completed", 6, 6, 1)
    assert record == read_record(tmp_path)
    assert record.engine == "torch" and record.commit is not None and record.seconds > 0
    assert "digits (scikit-learn), not MNIST" in record.caption_note
    assert {"order", "z", "grid", "initial generator", "initial discriminator"} <= record.seeds.keys()
    assert len(set(record.seeds.values())) == len(record.seeds)
    assert {"sgad", "torch", "safetensors"} <= record.versions.keys() and record.peak_memory_mb > 0
    rows = read_rows(tmp_path / "history.csv")
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert all(np.isfinite(float(row["loss_generator"])) for row in rows)
    assert 0 <= float(rows[-1]["firing_rate_generator"]) <= 1
    layers = read_rows(tmp_path / "layers.csv")
    assert [row["step"] for row in layers] == [step for step in ("2", "4", "6") for _ in range(6)]
    time_steps = read_rows(tmp_path / "time_steps.csv")
    assert [row["time_step"] for row in time_steps[:2]] == ["1", "2"]
    assert [float(row["distance_to_last"]) > 0 for row in time_steps[:2]] == [True, False]
    gap = float(rows[-1]["score_fake"]) - float(rows[-1]["score_real"])
    assert float(rows[-1]["critic_gap"]) == pytest.approx(gap, abs=1e-4)
    assert sorted(path.name for path in (tmp_path / "grids").iterdir()) == [
        "step-000003.png",
        "step-000006.png",
    ]
    assert not (tmp_path / FOLDER).exists()


def test_the_same_seed_gives_the_same_bits_and_another_does_not(digits: Path, tmp_path: Path) -> None:
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(digits, tmp_path / folder, seed)
    assert equal(tmp_path / "a", tmp_path / "b")
    assert not equal(tmp_path / "a", tmp_path / "c")


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "swgan"},
        {"model": "sgad", "optimizer": "adam", "ema_decay": 0.9},
        {"model": "sgan", "encoder": "rate"},
        {"model": "swgan", "constraint": "r1", "constraint_interval": 4, "dtype": "float64"},
    ],
)
def test_an_interrupted_run_resumes_bit_identically(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    train(digits, tmp_path / "whole", **changes)
    update, calls = loop.update_pair, []

    def interrupted(*arguments: Any, **named: Any) -> Any:
        calls.append(named["step"])
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(*arguments, **named)

    monkeypatch.setattr(loop, "update_pair", interrupted)
    with pytest.raises(Interrupted, match="SIGTERM at step 3 of 6; the same command goes on"):
        train(digits, tmp_path / "parts", **changes)
    assert read_record(tmp_path / "parts").status == "interrupted"
    record = train(digits, tmp_path / "parts", **changes)
    assert calls == [0, 1, 2, 3, 4, 5]
    assert (record.status, record.sessions) == ("completed", 2)
    assert equal(tmp_path / "whole", tmp_path / "parts")
    assert _measured(tmp_path / "whole") == _measured(tmp_path / "parts")
    (earlier,) = record.earlier_sessions
    assert (earlier.steps, earlier.commit, earlier.machine) == (3, record.commit, record.machine)
    assert earlier.seconds < record.seconds and earlier.started <= record.started


def _measured(folder: Path) -> list[dict[str, str]]:
    """Return history.csv without what the clock says."""
    rows = read_rows(folder / "history.csv")
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    return [{key: value for key, value in row.items() if "second" not in key} for row in rows]


def train_one_pair(digits: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until a signal that comes during the first update pair."""

    def interrupted(*arguments: Any, **named: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return update(*arguments, **named)

    update = loop.update_pair
    with monkeypatch.context() as patch:
        patch.setattr(loop, "update_pair", interrupted)
        with pytest.raises(Interrupted):
            train(digits, folder)


def test_an_interrupted_run_does_not_go_on_with_other_data(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_one_pair(digits, tmp_path / "run", monkeypatch)
    other = shutil.copytree(digits, tmp_path / "digits")
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps({**manifest, "content_hash": "prepared-anew"}))
    said: list[str] = []
    record = train_run(request(other, tmp_path / "run"), said.append)
    assert any("was made with other data" in line for line in said)
    assert (record.sessions, record.data_hash, record.earlier_sessions) == (1, "prepared-anew", [])


def test_a_resume_with_other_threads_says_so_and_records_it(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_one_pair(digits, tmp_path, monkeypatch)
    said: list[str] = []
    record = train_run(replace(request(digits, tmp_path), threads=2), said.append)
    assert "resuming with 2 CPU threads, the steps before had 1" in " ".join(said)
    assert ([session.threads for session in record.earlier_sessions], record.threads) == ([1], 2)


def test_a_signal_after_the_checkpoint_was_decided_on_waits_for_the_next(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*arguments: Any) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    monkeypatch.setattr(loop, "all_finite", late)
    with pytest.raises(Interrupted, match="at step 3 of 6"):
        train(digits, tmp_path)
    assert [path.stem for path in sorted((tmp_path / FOLDER).glob("*.json"))][-1] == "step-00000003"


def test_a_finished_run_is_left_alone(digits: Path, tmp_path: Path) -> None:
    train(digits, tmp_path)
    before = (tmp_path / "generator.safetensors").stat().st_mtime_ns
    told: list[str] = []
    train_run(request(digits, tmp_path), told.append)
    assert "already completed" in told[0]
    assert (tmp_path / "generator.safetensors").stat().st_mtime_ns == before


def delete_outputs(folder: Path) -> None:
    """Do what Snakemake does before it runs a job again: declared outputs go, whatever else is there stays."""
    for name in ("run.json", "generator.safetensors"):
        (folder / name).unlink(missing_ok=True)


def test_a_finished_run_whose_outputs_were_deleted_is_restored(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = train(digits, tmp_path)
    generator = (tmp_path / "generator.safetensors").read_bytes()
    delete_outputs(tmp_path)
    monkeypatch.setattr(run, "train", lambda *given, **named: pytest.fail("it was trained again"))
    assert train(digits, tmp_path) == before == read_record(tmp_path)
    assert (tmp_path / "generator.safetensors").read_bytes() == generator


@pytest.mark.parametrize("last", ["keep_finished", "rmtree"])
def test_a_process_that_dies_after_its_record_loses_no_step(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """Before the finished state is kept there is the last checkpoint, after it the state itself."""

    def die(*given: Any, **named: Any) -> None:
        raise MemoryError("killed")

    with monkeypatch.context() as patch:
        if last == "keep_finished":
            patch.setattr(run, "keep_finished", die)
        else:
            patch.setattr(
                run.shutil, "rmtree", lambda path, **named: die() if path.name == FOLDER and path.is_dir() else None
            )
        with pytest.raises(MemoryError):
            train(digits, tmp_path)
    assert read_record(tmp_path).status == "completed" and (tmp_path / FOLDER).is_dir()
    delete_outputs(tmp_path)
    monkeypatch.setattr(loop, "update_pair", lambda *given, **named: pytest.fail("it was trained again"))
    assert train(digits, tmp_path).steps == 6
    assert not (tmp_path / FOLDER).exists()


def test_a_damaged_generator_is_put_back(digits: Path, tmp_path: Path) -> None:
    train(digits, tmp_path)
    whole = (tmp_path / "generator.safetensors").read_bytes()
    (tmp_path / "generator.safetensors").unlink()
    (tmp_path / "generator.safetensors").write_bytes(whole[:-1])
    train(digits, tmp_path)
    assert (tmp_path / "generator.safetensors").read_bytes() == whole


def test_no_resume_trains_a_finished_run_anew(digits: Path, tmp_path: Path) -> None:
    first = train(digits, tmp_path)
    again = train_run(replace(request(digits, tmp_path), resume=False), lambda message: None)
    assert (first.status, again.status) == ("completed", "completed") and again.seconds != first.seconds


def test_a_changed_configuration_starts_afresh(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(digits, tmp_path / "fresh", lr_generator=1e-3)
    steps = []
    update = loop.update_pair
    monkeypatch.setattr(loop, "update_pair", lambda *a, **k: (steps.append(k["step"]), update(*a, **k))[1])

    def stop_now(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_row", lambda *a: (stop_now(), {"step": 2})[1])
        with pytest.raises(Interrupted):
            train(digits, tmp_path / "run")
    train(digits, tmp_path / "run", lr_generator=1e-3)
    # A signal that comes while a row is written stops the step after it.
    assert steps == [0, 1, 2, 0, 1, 2, 3, 4, 5]
    assert equal(tmp_path / "fresh", tmp_path / "run")


def test_a_divergence_is_kept_flagged_and_finite(digits: Path, tmp_path: Path) -> None:
    record = train(digits, tmp_path, optimizer="adam", lr_discriminator=1e36, lr_generator=1e36, max_steps=20)
    assert record.status == "diverged"
    assert "not finite at step" in record.reason
    assert "its samples are of step" in record.reason
    assert all(torch.isfinite(value).all() for value in load_tensors(tmp_path / "generator.safetensors").values())


def test_a_penalty_is_logged_as_it_was_when_last_due(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results of a recorded pair are overwritten by the next."""
    shared, due = torch.zeros(()), []

    def overwritten(*arguments: Any, **named: Any) -> Any:
        result = update(*arguments, **named)
        if named["step"] % 4 == 0:
            due.append(result.losses["penalty"].item())
        shared.copy_(result.losses["penalty"])
        result.losses["penalty"] = shared
        return result

    update = loop.update_pair
    monkeypatch.setattr(loop, "update_pair", overwritten)
    train(digits, tmp_path, constraint="r1", constraint_interval=4)
    assert len(due) == 2 and min(due) > 0
    # After steps 2, 4 and 6: the penalties of update pairs 0, 0 and 4.
    logged = [float(row["penalty"]) for row in read_rows(tmp_path / "history.csv")]
    assert logged == pytest.approx([due[0], due[0], due[1]], rel=1e-4)


def test_a_crash_does_not_make_a_run_forget_its_sessions(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sessions in (1, 2):
        train_one_pair(digits, tmp_path, monkeypatch)
        assert read_record(tmp_path).sessions == sessions
    record_failure(request(digits, tmp_path), "out of memory")
    failed = read_record(tmp_path)
    assert (failed.status, failed.reason, failed.steps, failed.sessions) == ("failed", "out of memory", 2, 2)
    # Snakemake removes what a failed job wrote.
    (tmp_path / "run.json").unlink()
    record = train(digits, tmp_path)
    assert (record.status, record.sessions) == ("completed", 3)
    assert [session.steps for session in record.earlier_sessions] == [1, 2]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("content", ['{"pid": 7, "host": "another-machine"}', ""], ids=["at work", "done"])
def test_a_run_that_was_taken_over_writes_nothing_more(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    seen: dict[str, bytes] = {}

    def take(folder: Path) -> None:
        if read_record(folder).steps == 2 and not seen:
            (folder / ".lock").write_text(content)
            (folder / "run.json").write_text((folder / "run.json").read_text().replace('"steps": 2', '"steps": 4'))
            # Rows of the history are written as they come, before the next checkpoint is due.
            seen.update({name: data for name, data in files_of(folder).items() if not name.endswith(".csv")})
        refuse(folder)

    refuse = loop.refuse_if_taken_over
    monkeypatch.setattr(loop, "refuse_if_taken_over", take)
    words = ["train", "--dataset", "digits", "--model", "swgan", "--out", str(tmp_path), "--record-failure"]
    words += ["--data", str(digits.parent), "--device", "cpu", "--threads", "1"]
    words += [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 1
    assert "was taken over" in capsys.readouterr().err
    assert seen and {name: data for name, data in files_of(tmp_path).items() if not name.endswith(".csv")} == seen


def test_a_run_that_is_taken_over_at_its_end_leaves_the_others_files(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(*arguments: Any) -> Any:
        outcome = trained(*arguments[:5], resume=True, hooks=arguments[5])
        (tmp_path / ".lock").write_text("")
        return outcome

    trained = run.train
    monkeypatch.setattr(run, "train", lambda *parts, resume, hooks: take(*parts, hooks))
    with pytest.raises(TakenOver):
        train(digits, tmp_path)
    assert not (tmp_path / "generator.safetensors").exists()
    assert read_record(tmp_path).status == "running"


def test_a_crash_stands_in_the_record(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*arguments: Any, **settings: Any) -> None:
        raise RuntimeError("CUDA out of memory\nTried to allocate more than there is")

    monkeypatch.setattr(run, "train", crash)
    with pytest.raises(RuntimeError):
        train(digits, tmp_path)
    record = read_record(tmp_path)
    assert (record.status, record.reason) == ("failed", "RuntimeError: CUDA out of memory")


def test_a_new_training_leaves_nothing_of_what_was_made_of_the_old_one(digits: Path, tmp_path: Path) -> None:
    train(digits, tmp_path)
    made = ["samples.npz", "metrics.json", "grid.png", "steps.png", "through-time.png", "analyses/energy.csv"]
    (tmp_path / "analyses").mkdir()
    for name in made:
        (tmp_path / name).write_text("of the first training")
    (tmp_path / "notes.txt").write_text("the user's own")
    train(digits, tmp_path, seed=1)
    assert [name for name in made if (tmp_path / name).exists()] == []
    assert (tmp_path / "notes.txt").is_file()


def test_dead_neurons_are_a_collapse(digits: Path, tmp_path: Path) -> None:
    record = train(digits, tmp_path, threshold=1e6)
    assert record.status == "collapsed"
    assert "no spikes in" in record.reason


def test_a_dead_run_that_is_killed_at_its_end_stays_dead(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last checkpoint is written, the process dies, and the next one has no step left to look at."""
    with monkeypatch.context() as patch:
        patch.setattr(run, "_finish", lambda *given: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            train(digits, tmp_path, threshold=1e6)
    record = train(digits, tmp_path, threshold=1e6)
    assert (record.status, record.steps, record.sessions) == ("collapsed", 6, 2)
    assert record.images_per_second > 0


def test_a_last_batch_of_one_is_refused_at_the_door(digits: Path, tmp_path: Path) -> None:
    count = load_prepared(digits).manifest.counts["train"]
    with pytest.raises(InputError, match=f"batch_size {count - 1} leaves one of {count} training images"):
        train(digits, tmp_path / "run", batch_size=count - 1)
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_failure_is_recorded_for_the_tables(digits: Path, tmp_path: Path) -> None:
    record_failure(request(digits, tmp_path), "disk on fire")
    record = read_record(tmp_path)
    assert (record.status, record.reason) == ("failed", "disk on fire")
    assert (tmp_path / "generator.safetensors").is_file()


def test_other_data_are_refused(digits: Path, tmp_path: Path) -> None:
    config = resolve("mnist", "swgan", "paper", settings=SMALL).config
    with pytest.raises(InputError, match="prepared data are 'digits', the run wants 'mnist'"):
        train_run(TrainRequest(config, digits, tmp_path / "run"), print)
    with pytest.raises(InputError, match="sgad prepare"):
        train_run(TrainRequest(config, tmp_path / "absent", tmp_path / "run"), print)
    assert not (tmp_path / "run").exists()


def start(digits: Path, folder: Path) -> "subprocess.Popen[str]":
    """Start the command line on a training that takes several seconds."""
    words = [
        sys.executable,
        "-m",
        "sgad",
        "train",
        "--dataset",
        "digits",
        "--model",
        "swgan",
        "--out",
        str(folder),
    ]
    words += ["--data", str(digits.parent), "--device", "cpu", "--threads", "1"]
    for key, value in {**SMALL, "max_steps": 120, "grid_every": 1000}.items():
        words += ["--set", f"{key}={value}"]
    return subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for_checkpoint(folder: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while not list((folder / FOLDER).glob("*.json")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_a_signal_exits_with_130_and_one_sentence(digits: Path, tmp_path: Path, number: signal.Signals) -> None:
    process = start(digits, tmp_path)
    wait_for_checkpoint(tmp_path, process)
    process.send_signal(number)
    begin = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - begin < 10
    assert f"stopped by {number.name} at step" in errors.splitlines()[-1]
    assert "Traceback" not in errors


def test_a_signal_before_the_first_step_exits_with_130_too(digits: Path, tmp_path: Path) -> None:
    process = start(digits, tmp_path)
    while not (tmp_path / ".lock").is_file():
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on" in errors and "Traceback" not in errors


def test_a_full_disk_is_not_the_runs_failure(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    words = ["train", "--dataset", "digits", "--model", "swgan", "--out", str(tmp_path), "--record-failure"]
    words += ["--data", str(digits.parent), "--device", "cpu", "--threads", "1"]
    words += [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    with monkeypatch.context() as patch:
        patch.setattr("sgad.machine.files.os.replace", full)
        with pytest.raises(SystemExit) as stopped:
            main(words)
    assert stopped.value.code == 1
    assert "No space left on device; free some space" in capsys.readouterr().err
    assert not (tmp_path / "run.json").exists()
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert not stopped.value.code
    assert read_record(tmp_path).status == "completed"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("cannot cache function 'add': no locator available for file 'numba_loops.py'"),
        OSError(errno.ESTALE, "Stale file handle"),
        MemoryError(),
        RuntimeError("CUDA error: uncorrectable ECC error encountered"),
    ],
    ids=["cache", "file server", "memory", "device"],
)
def test_a_fault_of_the_machine_ends_in_no_record(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*arguments: Any, **settings: Any) -> None:
        raise error

    words = ["train", "--dataset", "digits", "--model", "swgan", "--out", str(tmp_path), "--record-failure"]
    words += ["--data", str(digits.parent), "--device", "cpu", "--threads", "1"]
    words += [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    with monkeypatch.context() as patch:
        patch.setattr(run, "train", fail)
        with pytest.raises(SystemExit) as stopped:
            main(words)
    assert stopped.value.code == 1
    assert read_record(tmp_path).status == "running"
    assert not (tmp_path / "generator.safetensors").exists()
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert not stopped.value.code
    assert read_record(tmp_path).status == "completed"


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.31])
def test_a_killed_training_resumes_bit_identically(digits: Path, tmp_path: Path, delay: float) -> None:
    whole = start(digits, tmp_path / "whole")
    assert whole.wait(timeout=120) == 0
    process = start(digits, tmp_path / "killed")
    wait_for_checkpoint(tmp_path / "killed", process)
    time.sleep(delay)
    process.kill()
    process.communicate()
    again = start(digits, tmp_path / "killed")
    _, errors = again.communicate(timeout=120)
    assert again.returncode == 0
    assert "resuming at step" in errors
    assert equal(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize(("threshold", "is_silent"), [(1e6, True), (0.3, False)])
def test_a_critic_that_stays_silent_is_spoken_of_once(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threshold: float, is_silent: bool
) -> None:
    monkeypatch.setattr(loop, "SILENT_FOR", 3)
    said: list[str] = []
    train_run(request(digits, tmp_path, threshold=threshold), said.append)
    spoken = [text for text in said if "the critic has no spikes in" in text]
    assert len(spoken) == is_silent
    assert not is_silent or spoken[0].startswith("after 4 update pairs the critic has no spikes in neurons1")
