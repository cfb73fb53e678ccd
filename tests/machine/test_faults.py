"""Faults of the machine: never a result of a run. Caches of compiled code where nothing can be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sgad.errors import InputError, WriteFailure
from sgad.machine import compiled
from sgad.machine.faults import is_fault_of_the_machine
from sgad.machine.files import expanded, share_folder


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (OSError(28, "No space left on device"), True),
        (PermissionError(13, "Permission denied"), True),
        (MemoryError(), True),
        (ModuleNotFoundError("no module"), True),
        (torch.OutOfMemoryError("CUDA out of memory"), False),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), True),
        (RuntimeError("cannot cache function 'add': no locator available for file 'x.py'"), True),
        (WriteFailure("disk full"), True),
        (RuntimeError("this part is broken"), False),
        (ValueError("shapes differ"), False),
        (InputError("bad"), False),
    ],
)
def test_whose_fault_it_is(error: Exception, wanted: bool) -> None:
    assert is_fault_of_the_machine(error) == wanted


CODE = """
import os, sys, tempfile
import numba.core.caching as caching
for name in dir(caching):
    if name.endswith("Locator") and "UserProvided" not in name:
        getattr(caching, name).from_function = classmethod(lambda cls, function, path: None)
import sgad.data.events.frames as frames
import numpy as np
from sgad.data.events.format import Events
t = np.arange(5)
print(len(frames.denoise(Events(t, t, t, t % 2)).t), frames._supported.stats.cache_path)
"""


def run_without_home(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code as an account without HOME and without a passwd entry."""
    clean = {
        key: value for key, value in os.environ.items() if key not in ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME")
    }
    nobody = "import pwd\ndef nobody(uid): raise KeyError(uid)\npwd.getpwuid = nobody\n"
    return subprocess.run(
        [sys.executable, "-c", nobody + code],
        cwd=folder, env=clean | environment, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip


def test_compiled_code_goes_into_a_private_folder_where_nothing_else_can_be_written(tmp_path: Path) -> None:
    done = run_without_home(CODE, tmp_path, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "sgad-compiled-") in done.stdout


def test_another_account_s_folder_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled.tempfile, "gettempdir", lambda: str(tmp_path))
    found = compiled.private_folder()
    assert found is not None
    assert found.stat().st_mode & 0o777 == 0o700
    found.chmod(0o777)
    assert compiled.private_folder() is None
    found.rmdir()
    found.symlink_to(tmp_path)
    assert compiled.private_folder() is None


def test_a_function_is_compiled_where_it_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "private_folder", lambda: None)
    real = compiled.numba.njit

    def refusing(*functions, **options):  # type: ignore[no-untyped-def]
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'twice': no locator available for file 'x'")
        return real(*functions, **options)

    monkeypatch.setattr(compiled.numba, "njit", refusing)

    @compiled.jit()
    def twice(value):  # type: ignore[no-untyped-def]
        return 2 * value

    assert twice(4) == 8


def test_an_account_without_a_home_has_its_default_places(tmp_path: Path, repository: Path) -> None:
    code = (
        "from sgad.data.locate import default_dirs\n"
        "from sgad.measures.extractors.weights import checkpoint_folder\n"
        "print(default_dirs(), checkpoint_folder())"
    )
    done = run_without_home(code, repository, PYTHONPATH=str(repository))
    assert done.returncode == 0, done.stderr


def test_a_path_without_a_home_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    assert expanded("~/data") == Path("~/data")


@pytest.mark.parametrize(("mask", "mode"), [(0o002, 0o775), (0o022, 0o755), (0o077, 0o700)])
def test_a_shared_folder_follows_the_mask_and_keeps_the_group_s_bit(tmp_path: Path, mask: int, mode: int) -> None:
    folder = tmp_path / "x"
    folder.mkdir(mode=0o700)
    folder.chmod(0o2700)
    before = os.umask(mask)
    try:
        share_folder(folder)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == mode
    assert folder.stat().st_mode & 0o2000
