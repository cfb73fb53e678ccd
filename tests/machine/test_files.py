"""Atomic files: whole or absent."""

import errno
import os
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest

from sgad.errors import InputError, RunFailure, WriteFailure
from sgad.machine.files import (
    atomic_write,
    read_json,
    require_writable,
    sha256_of,
    write_failure,
    write_json,
    write_npz,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")

    def fail_halfway() -> None:
        with atomic_write(target) as temporary:
            temporary.write_text("new")
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        fail_halfway()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(RunFailure, match=r"cannot write .*file\.txt: No space left on device"),
        atomic_write(tmp_path / "file.txt"),
    ):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_json_and_npz_come_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a" / "x.json", {"b": [1, 2]})
    assert read_json(tmp_path / "a" / "x.json") == {"b": [1, 2]}
    write_npz(tmp_path / "x.npz", images=np.arange(3))
    with np.load(tmp_path / "x.npz") as content:
        assert content["images"].tolist() == [0, 1, 2]
    assert len(sha256_of(tmp_path / "x.npz")) == 64


def test_json_refuses_nan_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", float("nan"))
    (tmp_path / "y.json").write_text("{")
    with pytest.raises(InputError, match=r"y\.json is not a readable JSON"):
        read_json(tmp_path / "y.json")
    with pytest.raises(InputError, match="does not exist"):
        read_json(tmp_path / "z.json")


def test_temporary_files_of_killed_processes_are_removed_and_those_of_living_ones_are_not(tmp_path: Path) -> None:
    here = socket.gethostname()
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = [f".rows-{dead.pid}@{here}-abcdefgh.tmp.csv", ".rows-abcdefgh.tmp.csv", ".rows-1@another-x-abcdefgh.tmp.csv"]
    kept = [f".rows-{os.getpid()}@{here}-abcdefgh.tmp.csv", ".rows-1@another-abcdefgh.tmp.csv", ".others-x.tmp.csv"]
    for name in (*left, *kept):
        (tmp_path / name).touch()
    for name in left[1:]:
        os.utime(tmp_path / name, (0, 0))
    write_text(tmp_path / "rows.csv", "a\n")
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", *kept}


def test_git_ignores_temporary_files(repository: Path) -> None:
    names = ["zoo/mine/.samples-1@host-abcdefgh.tmp.npz", "results/experiments/quick/.metrics-x.tmp.csv"]
    assert (
        subprocess.run(["git", "check-ignore", *names], cwd=repository, capture_output=True, text=True).stdout.split()
        == names
    )


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EACCES, "get write access"),
        (errno.EROFS, "get write access"),
        (errno.EIO, "check that folder and its disk"),
    ],
)
def test_each_cause_has_its_own_remedy(number: int, remedy: str) -> None:
    assert remedy in str(write_failure("here", OSError(number, os.strerror(number))))
    assert remedy in str(write_failure("here", RuntimeError(f"no luck (os error {number})")))


def test_a_folder_that_takes_no_file_is_known_before_the_work(tmp_path: Path) -> None:
    require_writable(tmp_path / "new/folder")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(WriteFailure, match="cannot write"):
        require_writable(tmp_path / "file")
