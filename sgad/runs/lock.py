"""One process a run folder: a lock that the system frees when its holder dies, however it dies."""

import contextlib
import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sgad.errors import RunFailure


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextlib.contextmanager
def run_lock(folder: Path, tell: Callable[[str], None] = _tell, wait: float = float("inf")) -> Iterator[None]:
    """Hold the folder's lock for the length of the block.

    A second process says for whom it waits, then waits up to `wait` seconds.

    Raises
    ------
    RunFailure
        If the holder is still alive when the time is over.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Opened without inheritance, so that a child which outlives its parent cannot hold the lock.
    with open(folder / ".lock", "a+", encoding="utf-8") as handle:
        _acquire(handle.fileno(), folder, lambda: _holder(folder), tell, wait)
        handle.truncate(0)
        handle.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        handle.flush()
        yield


def _acquire(
    descriptor: int, folder: Path, holder: Callable[[], str], tell: Callable[[str], None], wait: float
) -> None:
    deadline, told = time.monotonic() + wait, False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise RunFailure(f"{folder} is in use by {holder()}; wait for it or stop it") from None
            if not told:
                tell(f"{folder} is in use by {holder()}; waiting until it ends")
                told = True
            time.sleep(0.2)


def _holder(folder: Path) -> str:
    try:
        content = json.loads((folder / ".lock").read_text(encoding="utf-8"))
        return f"process {content['pid']} on {content['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def is_locked(folder: Path) -> bool:
    """Return whether a living process works in the run folder."""
    path = folder / ".lock"
    if not path.exists():
        return False
    with open(path, encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
