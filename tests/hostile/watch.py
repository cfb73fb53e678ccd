"""A watch over what a test touches: every file opened for writing, renamed, made or removed is noted."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Audit event -> the positions of the paths that it changes, and of the open folder that each is relative to.
_CHANGES = {
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.symlink": ((1, 2),),
    "os.link": ((1, 3),),
}
_noted: list[str] | None = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _noted is None:
        return
    changed: list[Any] = []
    if event == "open":
        path, mode, flags = arguments[:3]
        if any(letter in str(mode or "") for letter in "wax+") or (isinstance(flags, int) and flags & _WRITING):
            changed = [path]
    elif event in _CHANGES:
        # Relative to an open folder: `shutil.rmtree`, whose own start was noted.
        changed = [arguments[path] for path, folder in _CHANGES[event] if arguments[folder] == -1]
    elif event == "os.system" or (event == "subprocess.Popen" and arguments[0] != "git"):
        _noted.append(f"/command: {arguments[0]!r}")
    _noted.extend(os.path.abspath(os.fsdecode(path)) for path in changed if isinstance(path, str | bytes | os.PathLike))


@contextmanager
def nothing_touched_outside(folder: Path) -> Iterator[None]:
    """Within the block, assert that nothing but files below `folder` is written, renamed, made or removed."""
    global _noted
    _noted, temporary = [], tempfile.tempdir
    # Temporary folders are made inside, too.
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        touched, _noted, tempfile.tempdir = _noted, None, temporary
    inside = (str(folder), "/dev/null", "/proc/")
    # Modules that are imported for the first time leave their compiled form behind.
    outside = [path for path in touched if not path.startswith(inside) and "__pycache__" not in path]
    assert not outside, f"touched {outside}"


sys.addaudithook(_note)
