"""Compiled functions that are kept between processes: next to the package, else for the user, else in a temporary folder."""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba


def jit(**options: Any) -> Callable[[Any], Any]:
    """Compile a function with Numba without Python's lock, kept on disk for the next process.

    Numba refuses to import a function that it cannot keep (a read-only checkout, an account without a home); here a
    private temporary folder takes it, and where there is none it is compiled each time.
    """

    def compiled(function: Any) -> Any:
        try:
            return numba.njit(nogil=True, cache=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
        folder = private_folder()
        if folder is None:
            return numba.njit(nogil=True, **options)(function)
        numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
        return numba.njit(nogil=True, cache=True, **options)(function)

    return compiled


def private_folder() -> Path | None:
    """A folder for compiled code in the system's temporary one, None where that cannot be written.

    What is read from it is run, so that it must be this account's and nobody else's.
    """
    folder = Path(tempfile.gettempdir()) / f"sgad-compiled-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    return folder if is_ours else None
