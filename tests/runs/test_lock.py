"""One process a run folder."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sgad.errors import RunFailure
from sgad.runs.lock import is_locked, run_lock

HOLD = """
import sys, time
from pathlib import Path
from sgad.runs.lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_says_for_whom_it_waits(tmp_path: Path) -> None:
    with hold(tmp_path) as process:
        told: list[str] = []
        with (
            pytest.raises(RunFailure, match=f"in use by process {process.pid}"),
            run_lock(tmp_path, told.append, wait=0.5),
        ):
            raise AssertionError("the lock was given twice")
        assert is_locked(tmp_path)
        assert str(process.pid) in told[0]
        process.kill()


def test_a_killed_process_frees_the_lock(tmp_path: Path) -> None:
    with hold(tmp_path) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    start = time.monotonic()
    with run_lock(tmp_path, wait=5):
        assert is_locked(tmp_path)
    assert time.monotonic() - start < 4
    assert not is_locked(tmp_path)
