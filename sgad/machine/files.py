"""Files that are either whole or absent: written under a temporary name, flushed, then renamed."""

import contextlib
import errno
import glob
import hashlib
import json
import os
import re
import socket
import stat
import struct
import tempfile
import time
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sgad.errors import InputError, WriteFailure
from sgad.machine.stand_ins import damaged

#: What NumPy raises on an archive or array that is damaged or hostile: of the archive, its compression, its headers.
DAMAGED_ARRAY = (
    *(OSError, ValueError, EOFError, KeyError, AttributeError, TypeError, SyntaxError, RuntimeError, RecursionError),
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError),
)
#: The same of text that should be JSON; RecursionError: brackets by the ten thousand.
DAMAGED_JSON = (ValueError, RecursionError)
#: After how long a temporary file that a process on another machine wrote counts as left behind.
ABANDONED_SECONDS = 3600.0


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path next to `path`; move it there when the block ends well, remove it when it does not.

    Raises
    ------
    WriteFailure
        If the disk is full or the folder cannot be written; what was at `path` is untouched.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        # The suffix is kept: writers such as Pillow choose the format by it.
        prefix = f".{target.stem}-{os.getpid()}@{socket.gethostname()}-"
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=f".tmp{target.suffix}", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp and safetensors make files private; results are meant to be read by others.
        temporary.chmod(0o666 & ~_umask())
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise write_failure(target, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _remove_abandoned(target: Path) -> None:
    """Remove the temporary files that killed processes left of this file."""
    for path in target.parent.glob(f".{glob.escape(target.stem)}-*.tmp{glob.escape(target.suffix)}"):
        # Somebody else may be removing it, or own it.
        with contextlib.suppress(OSError):
            if _is_abandoned(path):
                path.unlink()


def _is_abandoned(path: Path) -> bool:
    """Whether nobody writes this temporary file any more: its process on this machine is dead, or it is an hour old."""
    named = re.search(r"-(\d+)@(.+)-[^-]+\.tmp", path.name)
    if named and named[2] == socket.gethostname() and not _is_alive(int(named[1])):
        return True
    return time.time() - path.stat().st_mtime > ABANDONED_SECONDS


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # Another user's.
        return True
    return True


def require_writable(folder: Path) -> None:
    """Find out before long work whether its result can be written; nothing is left behind.

    Raises
    ------
    WriteFailure
        If no file can be made in `folder` or, where it does not exist yet, in the nearest folder above it.
    """
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise write_failure(folder, error) from error


def write_failure(path: Path | str, error: Exception) -> WriteFailure:
    """The error of a file that could not be written, with the remedy for its cause."""
    said = getattr(error, "strerror", None) or error
    # Other libraries' errors carry the number in their text alone.
    told = re.search(r"os error (\d+)", str(error))
    number = getattr(error, "errno", None) or (int(told[1]) if told else None)
    return WriteFailure(
        f"cannot write {path}: {said}; {_REMEDIES.get(number, 'check that folder and its disk')}, {_THEN}"
    )


#: What helps, by the number of the system's error.
_REMEDIES: dict[int | None, str] = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space or choose another folder"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "get write access to that folder or choose another one"),
    errno.ENAMETOOLONG: "choose a shorter name",
}
_THEN = "then the same command goes on"


def expanded(path: Path | str) -> Path:
    """The path with `~` replaced by the home folder; as it is where the account has none (no HOME, no passwd entry)."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def share_folder(folder: Path) -> None:
    """Give a private folder, as `tempfile.mkdtemp` makes it, the permissions of one made by `mkdir`."""
    # The bit by which a folder's group goes on to what is made in it is kept: a group shares the checkout.
    folder.chmod(0o777 & ~_umask() | folder.stat().st_mode & stat.S_ISGID)


def _umask() -> int:
    # There is no way to read the mask without setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write bytes atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON atomically, indented, keys in the order given; NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_npz(path: Path | str, **arrays: Any) -> None:
    """Write a compressed .npz file atomically."""
    import numpy as np

    with atomic_write(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, **arrays)


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        If the file is absent, unreadable or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; run the stage that writes it first") from error
    except (OSError, *DAMAGED_JSON) as error:
        raise damaged(
            Path(path), f"is not a readable JSON file ({error}); delete it and run its stage again"
        ) from error


def sha256_of(path: Path | str) -> str:
    """The hexadecimal SHA-256 of a file's content."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
