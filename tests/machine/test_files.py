"""Atomic files: whole or absent."""

from pathlib import Path

import numpy as np
import pytest

from sgad.errors import InputError, RunFailure
from sgad.machine.files import atomic_write, read_json, sha256_of, write_json, write_npz


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
