"""Tiny trainings to be disturbed: started as processes of their own, compared bit by bit.

Each is a child forked from a process that has already imported the package and compiled its kernels, and runs the same
`sgad.cli.main` as the command. So it lives for about two seconds, and a fault at a random instant meets training, not
the start of Python.
"""

import hashlib
import json
import os
import re
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from sgad.cli import main
from sgad.training.checkpoint import FOLDER

STEPS, CHECKPOINT_EVERY = 12, 3
SETTINGS = {
    "time_steps": 2,
    "threshold": 0.3,
    "batch_size": 4,
    "latent_dim": 4,
    "max_steps": STEPS,
    "log_every": 1,
    "grid_every": 6,
    "checkpoint_every": CHECKPOINT_EVERY,
}
#: No training here takes longer, even on a busy machine; one that does hangs.
PATIENCE = 300.0


@dataclass(frozen=True)
class Case:
    """One training: what decides its result."""

    model: str
    seed: int
    settings: tuple[tuple[str, object], ...] = ()

    def words(self, data: Path, folder: Path) -> list[str]:
        """Return the command line."""
        words = ["train", "--dataset", "digits", "--model", self.model, "--seed", str(self.seed)]
        words += ["--data", str(data), "--out", str(folder), "--device", "cpu", "--threads", "1"]
        for key, value in {**SETTINGS, **dict(self.settings)}.items():
            words += ["--set", f"{key}={value}"]
        return words


#: Three optimisers' and networks' worth of state, in turn.
CASES = (
    Case("swgan", 0),
    Case("sgad", 1, (("optimizer", "adam"), ("ema_decay", 0.9))),
    Case("sgan", 2, (("encoder", "rate"),)),
)


class Training:
    """A running child, its log beside the run folder."""

    def __init__(self, case: Case, data: Path, folder: Path, log: Path | None = None) -> None:
        self.case, self.folder = case, folder
        self.log = log or folder.with_suffix(".log")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.code: int | None = None
        self.begun = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            _become(case.words(data, folder), self.log)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended already."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self) -> int:
        """Wait for its end and return the exit code; one that hangs is killed and counts as killed."""
        while self.poll() is None:
            if time.monotonic() - self.begun > PATIENCE:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.01)
        assert self.code is not None
        return self.code

    def said(self) -> str:
        """Return what it and its predecessors in this folder wrote to their log."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""


def _become(words: list[str], log: Path) -> None:
    """In the child: be the command line, then go without the parent's exit handlers."""
    code = 99
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        main(words)
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 0
    except BaseException:  # noqa: BLE001 - whatever it was, it belongs into the log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def train(case: Case, data: Path, folder: Path, log: Path | None = None) -> Training:
    """Train to the end and return the ended child."""
    training = Training(case, data, folder, log)
    training.wait()
    return training


def fingerprint(folder: Path) -> str:
    """Return a hash of every tensor of both networks; empty if the run is not complete."""
    files = [folder / f"{part}.safetensors" for part in ("generator", "discriminator")]
    record = folder / "run.json"
    if not all(path.is_file() for path in (*files, record)):
        return ""
    if json.loads(record.read_text(encoding="utf-8"))["status"] not in ("completed", "collapsed"):
        return ""
    return hashlib.sha256(b"".join(_tensors(path) for path in files)).hexdigest()


def _tensors(path: Path) -> bytes:
    """Return names, types, shapes and bytes of a safetensors file; its metadata come in no fixed order."""
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    header.pop("__metadata__", None)
    return json.dumps(header, sort_keys=True).encode() + content[begin:]


def checkpoint_steps(folder: Path) -> list[int]:
    """Return the steps of the checkpoints that are there, oldest first."""
    return sorted(int(path.stem.removeprefix("step-")) for path in (folder / FOLDER).glob("step-*.json"))


def last_step(folder: Path) -> int:
    """Return the last step that history.csv knows of."""
    path = folder / "history.csv"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    steps = [int(match.group(1)) for line in lines if (match := re.match(r"(\d+),", line))]
    return max(steps, default=0)


def resumed_at(said: str) -> int:
    """Return the step at which the last session went on, 0 if it began afresh."""
    steps = re.findall(r"resuming at step (\d+)", said)
    return int(steps[-1]) if steps else 0
