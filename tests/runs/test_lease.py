"""One process a run folder."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sgad.errors import RunFailure, TakenOver, WriteFailure
from sgad.runs import lease
from sgad.runs.lease import is_locked, refuse_if_taken_over, run_lock

HOLD = """
import sys, time
from pathlib import Path
from sgad.runs.lease import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


ELSEWHERE = '{"pid": 7, "host": "another-machine"}'


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


def test_a_holder_on_another_machine_is_waited_for_while_it_shows_life(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.write_text(ELSEWHERE)
    done = threading.Event()

    def live() -> None:
        while not done.wait(0.1):
            os.utime(path)

    other = threading.Thread(target=live)
    other.start()
    told: list[str] = []
    with (
        pytest.raises(RunFailure, match="in use by process 7 on another-machine"),
        run_lock(tmp_path, told.append, wait=1.5, lease=0.6),
    ):
        raise AssertionError("two machines in one folder")
    assert is_locked(tmp_path)
    done.set()
    other.join()
    with run_lock(tmp_path, told.append, wait=5, lease=0.6):
        assert "another-machine" not in path.read_text()
    assert path.read_text() == ""


def test_the_holder_shows_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.05)
    with run_lock(tmp_path):
        os.utime(tmp_path / ".lock", (0, 0))
        deadline = time.monotonic() + 5
        while (tmp_path / ".lock").stat().st_mtime < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (tmp_path / ".lock").stat().st_mtime > 1


def test_who_was_taken_over_writes_nothing_more(tmp_path: Path) -> None:
    with run_lock(tmp_path):
        refuse_if_taken_over(tmp_path)
        (tmp_path / ".lock").write_text(ELSEWHERE)
        with pytest.raises(TakenOver, match="taken over by process 7 on another-machine"):
            refuse_if_taken_over(tmp_path)
        # The other one is done by now.
        (tmp_path / ".lock").write_text("")
        with pytest.raises(TakenOver, match="taken over by another process"):
            refuse_if_taken_over(tmp_path)


def test_a_file_system_without_locks_still_keeps_two_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lease.fcntl, "flock", flock)
    (tmp_path / ".lock").write_text(ELSEWHERE)
    with pytest.raises(RunFailure, match="another-machine"), run_lock(tmp_path, lambda text: None, wait=0.3, lease=5):
        raise AssertionError("two machines in one folder")
    (tmp_path / ".lock").write_text("")
    with run_lock(tmp_path, wait=1):
        assert str(os.getpid()) in (tmp_path / ".lock").read_text()


def test_a_lock_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(WriteFailure, match=r"cannot write .*then the same command goes on"),
        run_lock(tmp_path / "file"),
    ):
        raise AssertionError("locked a file's inside")
