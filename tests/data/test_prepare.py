"""The prepared form: idempotent, atomic, one process at a time."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sgad.cli.analysing import neurons
from sgad.data.description import load_description
from sgad.data.locate import default_dirs, scratch_name, search_dirs
from sgad.data.manifest import read_manifest
from sgad.data.prepare import prepare
from sgad.data.prepared import load_prepared
from sgad.errors import InputError, RunFailure
from sgad.machine.files import sha256_of
from sgad.machine.locks import exclusive
from tests.data.builders import Quiet, describe, run_prepare, write_folder, write_idx


def state(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_the_manifest_says_what_is_there(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw")
    description = describe("idx", licence="MIT", citation="Someone", substitute_for="mnist", caption_note="tiny")
    manifest = run_prepare(description, tmp_path / "raw", tmp_path / "tiny")
    assert manifest == read_manifest(tmp_path / "tiny")
    assert (manifest.licence, manifest.substitute_for, manifest.caption_note) == ("MIT", "mnist", "tiny")
    assert manifest.files == {path.name: sha256_of(path) for path in (tmp_path / "tiny").glob("*.npy")}
    assert len(manifest.content_hash) == 64
    content = json.loads((tmp_path / "tiny" / "manifest.json").read_text())
    assert content["shape"] == [1, 28, 28]
    assert content["kind"] == "images"


def test_running_again_does_nothing_until_the_description_or_the_files_change(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    out = tmp_path / "tiny"
    run_prepare(describe("image-folder"), tmp_path / "raw", out)
    before = state(out)
    run_prepare(describe("image-folder"), tmp_path / "raw", out)
    assert state(out) == before
    write_folder(tmp_path / "raw", 14)
    assert sum(run_prepare(describe("image-folder"), tmp_path / "raw", out).counts.values()) == 14
    assert run_prepare(describe("image-folder", flip=True), tmp_path / "raw", out).flip


def test_the_raw_files_may_be_deleted_afterwards(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw")
    first = run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "tiny")
    for path in (tmp_path / "raw").iterdir():
        path.unlink()
    assert run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "tiny") == first


def test_a_damaged_prepared_file_is_made_again(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw")
    out = tmp_path / "tiny"
    run_prepare(describe("idx"), tmp_path / "raw", out)
    (out / "train.images.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match="whole"):
        load_prepared(out)
    run_prepare(describe("idx"), tmp_path / "raw", out)
    assert len(load_prepared(out).train) == 12


def test_what_later_stages_added_stays_as_long_as_the_content_does(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw")
    out = tmp_path / "tiny"
    run_prepare(describe("idx"), tmp_path / "raw", out)
    (out / "classifier").mkdir()
    run_prepare(describe("idx", citation="new"), tmp_path / "raw", out)
    assert (out / "classifier").is_dir()
    run_prepare(describe("idx", max_samples={"train": 3, "test": 3}), tmp_path / "raw", out)
    assert not (out / "classifier").exists()


def test_made_up_neurons_are_no_foreign_file(tmp_path: Path) -> None:
    out = tmp_path / "digits"
    description = load_description("digits")
    first = prepare(description, [], out, progress=Quiet)
    done = CliRunner().invoke(neurons, ["digits", "--data", str(tmp_path), "--num", "8"], catch_exceptions=False)
    made = Path(done.output.strip())
    assert made.parent == out
    assert prepare(description, [], out, progress=Quiet) == first
    # Another description of the same content: prepared anew, and what was made from the content stays.
    prepare(description.model_copy(update={"citation": "new"}), [], out, progress=Quiet)
    assert made.is_file()


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw")
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="--out"):
        run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "tiny")
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["thesis.tex"]


def test_a_folder_that_snakemake_has_made_or_cleared_is_filled(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw")
    out = tmp_path / "tiny"
    out.mkdir()
    run_prepare(describe("idx"), tmp_path / "raw", out)
    (out / "manifest.json").unlink()
    assert run_prepare(describe("idx"), tmp_path / "raw", out).counts["train"] == 12


def test_an_error_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    (tmp_path / "raw" / "class1" / "9.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"9\.png"):
        run_prepare(describe("image-folder"), tmp_path / "raw", tmp_path / "new" / "data" / "tiny")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_an_error_leaves_the_old_data_as_it_was(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    out = tmp_path / "tiny"
    run_prepare(describe("image-folder"), tmp_path / "raw", out)
    before = state(out)
    (tmp_path / "raw" / "class1" / "99.png").write_bytes(b"broken")
    with pytest.raises(InputError):
        run_prepare(describe("image-folder"), tmp_path / "raw", out)
    assert state(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "tiny"]


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path / "raw")
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 100})())
    with pytest.raises(RunFailure, match="free some space"):
        run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "tiny")
    assert not (tmp_path / "tiny").exists()


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw")
    (tmp_path / ".tiny-abc.tmp").mkdir()
    run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "tiny")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "tiny"]


def test_what_another_set_of_a_longer_name_is_writing_stays(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw")
    other = scratch_name(tmp_path / "tiny-small")
    own = scratch_name(tmp_path / "tiny")
    for _ in range(2):
        run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "tiny")
        (tmp_path / "tiny" / "manifest.json").unlink()
    assert other.is_dir()
    assert not own.exists()
    run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "tiny-small")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "tiny", "tiny-small"]


def test_several_processes_at_once_prepare_once(tmp_path: Path, repository: Path) -> None:
    write_idx(tmp_path / "raw", train=200)
    (tmp_path / "tiny.yaml").write_text("title: Tiny\nsource: idx\n")
    code = (
        "import sys; from sgad.data.description import load_description; from sgad.data.prepare import prepare;"
        "prepare(load_description(sys.argv[1]), [sys.argv[2]], sys.argv[3])"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "tiny.yaml"), str(tmp_path / "raw"), str(tmp_path / "out/tiny")]
    jobs = [subprocess.Popen(words, cwd=repository, stderr=subprocess.PIPE) for _ in range(4)]
    said = [job.communicate(timeout=60)[1].decode() for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 4
    # Only the one that did the work has shown progress.
    assert sum("prepare tiny" in text for text in said) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["tiny"]


def test_a_lock_makes_others_wait_and_is_gone_afterwards(tmp_path: Path) -> None:
    order: list[str] = []

    def work(name: str) -> None:
        with exclusive(tmp_path / "a" / "x"):
            order.extend([name, name])
            time.sleep(0.02)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(order) == 10
    assert order[::2] == order[1::2]
    assert list(tmp_path.rglob("*.lock")) == []


def test_given_folders_are_the_only_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SGAD_DATA", f"{tmp_path}{os.pathsep}/other")
    assert search_dirs([tmp_path]) == [tmp_path]
    assert search_dirs()[:2] == [tmp_path, Path("/other")]
    assert default_dirs()[-1] == Path()
    with pytest.raises(InputError, match="--from"):
        search_dirs([tmp_path / "absent"])


def test_raw_files_are_found_below_sgad_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "store" / "mine")
    write_folder(tmp_path / "store" / "others", 3)
    monkeypatch.setenv("SGAD_DATA", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    manifest = prepare(describe("image-folder", places=["mine"]), [], tmp_path / "out", progress=Quiet)
    assert sum(manifest.counts.values()) == 12
    # A store of many things is never taken for one data set.
    with pytest.raises(InputError, match="no files found"):
        prepare(describe("image-folder", places=["absent"]), [], tmp_path / "out2", progress=Quiet)


def test_wrong_counts_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw")
    with pytest.raises(InputError, match="12 train samples, 60000 expected"):
        run_prepare(describe("idx", counts={"train": 60000, "test": 6}), tmp_path / "raw", tmp_path / "tiny")


def test_prepared_arrays_are_mapped_not_read(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw")
    run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "tiny")
    data = load_prepared(tmp_path / "tiny")
    assert isinstance(data.train.images, np.memmap)
    assert isinstance(data.split("test").images, np.memmap)
    with pytest.raises(InputError, match="no split 'valid'"):
        data.split("valid")


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_to_another_disk_is_followed(tmp_path: Path, is_there: bool) -> None:
    write_idx(tmp_path / "raw")
    elsewhere = tmp_path / "disk/tiny"
    (elsewhere if is_there else elsewhere.parent).mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/tiny").symlink_to(elsewhere, target_is_directory=True)
    for _ in range(2):
        run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "data/tiny")
        assert (tmp_path / "data/tiny").is_symlink()
        assert (elsewhere / "manifest.json").is_file()
        assert [path.name for path in elsewhere.parent.iterdir()] == ["tiny"]
        (tmp_path / "raw/more.txt").write_text("x")
        (elsewhere / "train.images.npy").unlink()


def test_a_folder_that_may_not_be_written_is_not_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path / "raw")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sgad.data.prepare.write_prepared", refuse)
    with pytest.raises(RunFailure, match="Permission denied; get write access to that folder"):
        run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "out")
