"""Files that are either whole or absent: written under a temporary name, flushed, then renamed."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sgad.errors import InputError, WriteFailure


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it there when the block ends well, remove it when it does not.

    Raises
    ------
    WriteFailure
        If the disk is full or the folder cannot be written; what stood at `path` is untouched.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The suffix is kept: writers such as Pillow choose the format by it.
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=f".tmp{target.suffix}", dir=target.parent)
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


def write_failure(path: Path | str, error: Exception) -> WriteFailure:
    """Return the error of a file that could not be written."""
    said = getattr(error, "strerror", None) or error
    return WriteFailure(
        f"cannot write {path}: {said}; free some space or choose another folder, then the same command goes on"
    )


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
    except (OSError, ValueError, RecursionError) as error:
        # RecursionError: brackets by the ten thousand.
        raise InputError(f"{path} is not a readable JSON file ({error}); delete it and run its stage again") from error


def sha256_of(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 of a file's content."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
