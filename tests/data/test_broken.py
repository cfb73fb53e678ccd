"""Broken data sets: each gets one sentence that names the file, and nothing is left behind."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from sgad.errors import InputError
from tests.data.broken import CASES, HTML
from tests.data.builders import (
    describe,
    jpeg_bytes,
    run_prepare,
    write_folder,
    write_zip,
)


@pytest.mark.parametrize("name", CASES)
def test_a_broken_data_set_gets_one_sentence_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    source, options, build, words = CASES[name]
    raw = tmp_path / "raw"
    raw.mkdir()
    build(raw)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    places = ["set.zip", "cifar-10-python.tar.gz", "celeba.zip"]
    with pytest.raises(InputError) as caught:
        run_prepare(describe(source, places=places, **options), raw, tmp_path / "out" / "tiny")
    message = str(caught.value)
    assert "\n" not in message
    assert message.count(". ") == 0
    for word in words:
        assert word in message
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before
    assert not Path("/tmp/sgad-was-here").exists()


def test_there_are_many() -> None:
    assert len(CASES) >= 30


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Permissions do not stop root, under whom containers run: the system's refusal is played.
    write_folder(tmp_path / "raw")
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "4.png":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"4\.png cannot be read \(Permission denied\)"):
        run_prepare(describe("image-folder"), tmp_path / "raw", tmp_path / "out" / "tiny")
    assert not (tmp_path / "out").exists()


def test_a_gzip_bomb_is_refused() -> None:
    from sgad.data.trees import gunzip

    with pytest.raises(InputError, match="more than 1 MiB"):
        gunzip(gzip.compress(bytes(2**21)), "big.gz", limit=2**20)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", {"a/0.png": jpeg_bytes(1)})
    content = path.read_bytes()
    # The flag of encryption in the central directory.
    start = content.rindex(b"PK\x01\x02") + 8
    path.write_bytes(content[:start] + bytes([content[start] | 1]) + content[start + 1 :])
    with pytest.raises(InputError, match="encrypted"):
        run_prepare(describe("image-folder"), path, tmp_path / "out" / "tiny")


def test_the_command_ends_with_2_and_one_line(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    (tmp_path / "raw" / "class0" / "broken.png").write_bytes(HTML)
    (tmp_path / "mine.yaml").write_text("title: Mine\nsource: image-folder\nplaces: [raw]\n")
    words = [sys.executable, "-m", "sgad", "prepare", "mine.yaml", "--out", "new/mine"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "broken.png is a web page" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml", "raw"]
