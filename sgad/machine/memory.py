"""Settings of the whole process that elementwise work on large tensors needs to be fast."""

import ctypes
import os
import sys

# glibc's names for mallopt's parameters.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_pages() -> bool:
    """Keep freed memory in the process instead of giving it back after each step; return whether that worked.

    Otherwise every large tensor is mapped, zeroed page by page and unmapped again, which makes elementwise steps three to
    five times slower. As MALLOC_MMAP_MAX_=0 with a large MALLOC_TRIM_THRESHOLD_, but from within; glibc only.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        # Another C library, musl for one.
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 64 * 2**20))
    return all(mallopt(name, value) == 1 for name, value in settings)


def let_threads_sleep() -> None:
    """Let OpenMP's threads sleep between parallel regions instead of spinning; call it before torch is imported.

    A spinning thread takes a core from the compiled loops that run between torch's calls (17 % of an update pair on two
    cores), and from other runs on the same machine (two of them slowed each other several times over).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
