"""Faults of a single training. Each function disturbs one training and returns what was wrong afterwards, "" if nothing."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.trainings import (
    CASES,
    CHECKPOINT_EVERY,
    STEPS,
    Case,
    Training,
    checkpoint_steps,
    fingerprint,
    last_step,
    resumed_at,
    train,
)
from sgad.machine.files import sha256_of
from sgad.training.checkpoint import FOLDER

#: What issue 9 allows between SIGTERM and a checkpoint on disk.
SECONDS_TO_SAVE = 10.0
#: Enough for a whole tiny training; the full disks are smaller.
ROOMY_MB = 600


class Skipped(Exception):
    """Raised where the machine cannot make a fault; the reason stands in the table."""


@dataclass(frozen=True)
class Bench:
    """Where trainings are disturbed, and what they would have been undisturbed."""

    folder: Path
    data: Path
    random: random.Random
    references: dict[Case, str]
    seconds: float

    def place(self, name: str, index: int) -> tuple[Case, Path]:
        """Return the case of a fault and a fresh folder for it."""
        folder = self.folder / f"{name}{index}"
        shutil.rmtree(folder, ignore_errors=True)
        return CASES[index % len(CASES)], folder / "run"

    def judge(self, case: Case, folder: Path, ended: Training) -> str:
        """Return what is wrong with a run that was resumed to its end."""
        if ended.code != 0:
            return (
                f"the resumed training ended with {ended.code}: {(ended.said().splitlines() or ['nothing said'])[-1]}"
            )
        if "Traceback" in ended.said():
            return "a traceback in the log"
        return "" if fingerprint(folder) == self.references[case] else "the final weights differ"


def _stopped(bench: Bench, case: Case, folder: Path, number: signal.Signals) -> tuple[Training, float]:
    """Start a training and send a signal at a random instant of its life; return it and the seconds it then took."""
    limit = bench.seconds
    while True:
        shutil.rmtree(folder.parent, ignore_errors=True)
        training = Training(case, bench.data, folder)
        time.sleep(bench.random.uniform(0, limit))
        begin = time.monotonic()
        training.send(number)
        if training.wait() != 0:
            return training, time.monotonic() - begin
        # It was done before the signal came: nothing was tried.
        limit *= 0.8


def kill(bench: Bench, index: int) -> str:
    """SIGKILL at a random instant, then the same command again."""
    case, folder = bench.place("kill", index)
    training, _ = _stopped(bench, case, folder, signal.SIGKILL)
    if training.code != -signal.SIGKILL:
        return f"ended with {training.code}, not by SIGKILL"
    reached = last_step(folder)
    ended = train(case, bench.data, folder)
    lost = reached - resumed_at(ended.said())
    # A run that had reached its last step when it was killed has a checkpoint of that step.
    if lost >= CHECKPOINT_EVERY + 1:
        return f"{lost} steps were lost, checkpoints are {CHECKPOINT_EVERY} apart"
    return bench.judge(case, folder, ended)


def terminate(bench: Bench, index: int, number: signal.Signals = signal.SIGTERM) -> str:
    """SIGTERM (or SIGUSR1) at a random instant: checkpoint and exit 130 within ten seconds; then the same command."""
    case, folder = bench.place(number.name, index)
    training, seconds = _stopped(bench, case, folder, number)
    if training.code != 130:
        return f"exit code {training.code} instead of 130"
    if seconds > SECONDS_TO_SAVE:
        return f"{seconds:.1f} s from the signal to the end"
    at = re.findall(rf"stopped by {number.name} at step (\d+)", training.said())
    if at and checkpoint_steps(folder)[-1:] != [int(at[-1])]:
        return f"no checkpoint of step {at[-1]}, at which it stopped"
    return bench.judge(case, folder, train(case, bench.data, folder))


def user_signal(bench: Bench, index: int) -> str:
    """SIGUSR1, which clusters send some time before a limit."""
    return terminate(bench, index, signal.SIGUSR1)


@contextmanager
def _small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A tmpfs of this size at `folder`; afterwards it is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=False, capture_output=True)


def _mount(*words: str) -> None:
    if os.geteuid() != 0:
        raise Skipped("mounting needs root")
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skipped(f"mount refused: {done.stderr.strip()}")


def full_disk(bench: Bench, index: int) -> str:
    """A disk that is full at a random point: one sentence, old files whole, and the same command once there is room."""
    case, folder = bench.place("disk", index)
    disk, log = folder.parent / "disk", folder.parent / "log"
    run = disk / "run"
    with _small_disk(disk, bench.random.randint(1, 120)):
        training = train(case, bench.data, run, log)
        if training.code != 1 or not re.search(r"sgad: cannot write .*No space left on device", training.said()):
            return f"exit code {training.code}, said: {(training.said().splitlines() or ['nothing'])[-1]}"
        if problem := _torn(run):
            return problem
        _mount("-o", f"remount,size={ROOMY_MB}m", str(disk))
        return bench.judge(case, run, train(case, bench.data, run, log))


def _torn(folder: Path) -> str:
    """Return what is not whole in a run folder, "" if all is."""
    for path in folder.rglob("*"):
        if ".tmp" in path.name:
            return f"{path.name} was left behind"
    for path in (folder / FOLDER).glob("*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        if sha256_of(path.with_suffix(".safetensors")) != record["sha256"]:
            return f"{path.stem} is torn"
    record = folder / "run.json"
    if record.is_file() and json.loads(record.read_text(encoding="utf-8"))["status"] not in ("running", "completed"):
        return "the full disk was written down as the run's failure"
    return ""


def damaged(bench: Bench, index: int) -> str:
    """The newest checkpoint truncated or with one bit flipped: the one before it is used."""
    case, folder = bench.place("damage", index)
    training = Training(case, bench.data, folder)
    while len(checkpoint_steps(folder)) < 2:
        if training.poll() is not None:
            return f"it ended with {training.code} before it had two checkpoints"
        time.sleep(0.002)
    training.send(signal.SIGKILL)
    training.wait()
    steps = checkpoint_steps(folder)
    _damage(folder / FOLDER / f"step-{steps[-1]:08d}.safetensors", bench.random, truncate=index % 2 == 0)
    ended = train(case, bench.data, folder)
    if "is damaged or absent; the one before it is used" not in ended.said():
        return "the damage was not noticed"
    if resumed_at(ended.said()) != steps[-2]:
        return f"resumed at step {resumed_at(ended.said())} instead of {steps[-2]}"
    return bench.judge(case, folder, ended)


def _damage(path: Path, random: random.Random, truncate: bool) -> None:
    content = bytearray(path.read_bytes())
    if truncate:
        content = content[: random.randrange(len(content))]
    else:
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(bytes(content))


def two_writers(bench: Bench, index: int) -> str:
    """A second process on the same folder: it waits, and takes over only when the first one is dead."""
    case, folder = bench.place("two", index)
    first = Training(case, bench.data, folder)
    while not checkpoint_steps(folder):
        if first.poll() is not None:
            return f"it ended with {first.code} before it had a checkpoint"
        time.sleep(0.002)
    second = Training(case, bench.data, folder, folder.parent / "second.log")
    while f"in use by process {first.pid}" not in second.said():
        if second.poll() is not None:
            return "the second process did not wait"
        time.sleep(0.01)
    kills = index % 2 == 0
    if kills:
        first.send(signal.SIGKILL)
    first.wait()
    second.wait()
    if "already" not in second.said() and not kills:
        return "the second process trained what the first had finished"
    return bench.judge(case, folder, second)


def changed_configuration(bench: Bench, index: int) -> str:
    """Another learning rate after a kill: the old checkpoint is refused with a sentence, the run starts afresh."""
    case, folder = CHANGED, bench.place("changed", index)[1]
    before = Case(case.model, case.seed)
    training = Training(before, bench.data, folder)
    while not checkpoint_steps(folder):
        if training.poll() is not None:
            return f"it ended with {training.code} before it had a checkpoint"
        time.sleep(0.002)
    training.send(signal.SIGKILL)
    training.wait()
    ended = train(case, bench.data, folder)
    if "was made with another configuration" not in ended.said() or resumed_at(ended.said()):
        return "the old checkpoint was not refused"
    return bench.judge(case, folder, ended)


#: The configuration that `changed_configuration` changes to.
CHANGED = Case("swgan", 0, (("lr_generator", 1e-3),))


def rerun(bench: Bench, index: int) -> str:
    """Killed between its record and its exit; then its outputs go, as Snakemake deletes them before it tries again."""
    case, folder = bench.place("rerun", index)
    training = Training(case, bench.data, folder)
    while training.poll() is None and not _is_recorded(folder):
        time.sleep(0.001)
    training.send(signal.SIGKILL)
    training.wait()
    for name in ("run.json", "generator.safetensors"):
        (folder / name).unlink(missing_ok=True)
    ended = train(case, bench.data, folder)
    if "were put back" not in ended.said() and resumed_at(ended.said()) != STEPS:
        return "the finished training was begun again"
    return bench.judge(case, folder, ended)


def _is_recorded(folder: Path) -> bool:
    """Whether run.json says how the training ended."""
    path = folder / "run.json"
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["status"] != "running"


def read_only_data(bench: Bench, index: int) -> str:
    """The prepared data on a read-only mount."""
    case, folder = bench.place("readonly", index)
    mounted = folder.parent / "data"
    mounted.mkdir(parents=True)
    _mount("--bind", str(bench.data), str(mounted))
    try:
        _mount("-o", "remount,bind,ro", str(mounted))
        return bench.judge(case, folder, train(case, mounted, folder))
    finally:
        subprocess.run(["umount", str(mounted)], check=False, capture_output=True)


assert STEPS % CHECKPOINT_EVERY == 0
