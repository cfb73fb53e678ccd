"""One process at a time: a lock file that is gone when nobody holds it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sgad.errors import RunFailure


@contextlib.contextmanager
def exclusive(target: Path) -> Iterator[None]:
    """Hold the lock `.NAME.lock` next to `target` for the length of the block; others wait.

    Parent folders that had to be made are removed again if they are empty in the end.

    Raises
    ------
    RunFailure
        If the folder cannot be written.
    """
    made = [folder for folder in (target.parent, *target.parent.parents) if not folder.exists()]
    path = target.parent / f".{target.name}.lock"
    try:
        descriptor = _acquire(path)
    except OSError as error:
        raise RunFailure(
            f"{path.parent} cannot be written ({error.strerror or error}); choose another with --out"
        ) from error
    try:
        yield
    finally:
        # Removed while still held: whoever waits sees another inode and starts over.
        path.unlink(missing_ok=True)
        os.close(descriptor)
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _acquire(path: Path) -> int:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            # Another process removed the empty folder between the two calls.
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_same(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
