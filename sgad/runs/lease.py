"""One process a run folder, on one machine and on many.

On one machine the system frees the lock when its holder dies, however it dies. Between machines a shared file system may
not carry locks at all (NFS mounted with `nolock`), so the holder also moves the lock file's time now and then. Whoever
finds the name of another machine in the file waits until that time has stood still for a minute. No clocks are compared.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sgad.errors import RunFailure, TakenOver
from sgad.machine.files import DAMAGED_JSON, write_failure

FILE_NAME = ".lock"
#: Seconds between two signs of life, and without one until a holder on another machine counts as dead.
BEAT, LEASE = 10.0, 60.0
#: What a file system says that has no locks.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextlib.contextmanager
def run_lock(
    folder: Path, tell: Callable[[str], None] = _tell, wait: float = float("inf"), lease: float = LEASE
) -> Iterator[None]:
    """Hold the folder's lock for the length of the block.

    A second process says for whom it waits, then waits up to `wait` seconds.

    Raises
    ------
    RunFailure
        If the holder is still alive when the time is over.
    WriteFailure
        If the lock file cannot be written.
    """
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Opened without inheritance, so that a child which outlives its parent cannot hold the lock.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise write_failure(path, error) from error
    done = threading.Event()
    try:
        _acquire(descriptor, folder, tell, wait, lease)
        _write(descriptor, path, json.dumps(_me()))
        threading.Thread(target=_beat, args=(path, done), daemon=True, name="sgad-lock").start()
        yield
        _write(descriptor, path, "")
    finally:
        done.set()
        os.close(descriptor)


def _me() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname()}


def _write(descriptor: int, path: Path, text: str) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
    except OSError as error:
        raise write_failure(path, error) from error


def _beat(path: Path, done: threading.Event) -> None:
    while not done.wait(BEAT):
        # A sign of life that a full or vanished file system does not take is no reason to stop.
        with contextlib.suppress(OSError):
            os.utime(path)


def _acquire(descriptor: int, folder: Path, tell: Callable[[str], None], wait: float, lease: float) -> None:
    begin, seen = time.monotonic(), _Life(folder, lease)
    told = False
    while not (_has_lock(descriptor) and seen.is_free()):
        if time.monotonic() >= begin + wait:
            raise RunFailure(f"{folder} is in use by {_name(_content(folder))}; wait for it or stop it")
        if not told:
            tell(f"{folder} is in use by {_name(_content(folder))}; waiting until it ends")
            told = True
        time.sleep(0.2)


def _has_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


class _Life:
    """Signs of life of a holder on another machine, whose lock this machine may not see."""

    def __init__(self, folder: Path, lease: float) -> None:
        self._folder, self._lease = folder, lease
        self._moved, self._since = -1, time.monotonic()

    def is_free(self) -> bool:
        """Whether nobody on another machine has shown life for the length of the lease."""
        if not _is_elsewhere(_content(self._folder)):
            return True
        moved = (self._folder / FILE_NAME).stat().st_mtime_ns
        if moved != self._moved:
            self._moved, self._since = moved, time.monotonic()
        return time.monotonic() - self._since >= self._lease


def _content(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, *DAMAGED_JSON):
        return {}
    return content if isinstance(content, dict) else {}


def _is_elsewhere(content: dict[str, Any]) -> bool:
    return bool(content.get("host", socket.gethostname()) != socket.gethostname())


def _name(content: dict[str, Any]) -> str:
    return f"process {content['pid']} on {content['host']}" if {"pid", "host"} <= set(content) else "another process"


def refuse_if_taken_over(folder: Path) -> None:
    """Called by who believes to hold the lock, before anything is written into the folder.

    Raises
    ------
    TakenOver
        If another process took the folder, because this one, or its network, stood still for longer than the lease.
        It may have finished since: then the lock file is empty.
    """
    content = _content(folder)
    # Without a lock file nobody works under a lock.
    if content != _me() and (folder / FILE_NAME).is_file():
        raise TakenOver(
            f"{folder} was taken over by {_name(content)} while this process stood still; nothing is written"
        )


def is_locked(folder: Path) -> bool:
    """Whether a living process works in the run folder."""
    path = folder / FILE_NAME
    try:
        with open(path, encoding="utf-8") as handle:
            if not _has_lock(handle.fileno()):
                return True
            beat = time.time() - path.stat().st_mtime
    except OSError:
        return False
    return _is_elsewhere(_content(folder)) and beat < LEASE
