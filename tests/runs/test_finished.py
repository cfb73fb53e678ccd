"""The finished state of a run: what it survives, and what it is not restored for."""

import errno
from pathlib import Path
from typing import Any

import pytest

from sgad.runs.finished import FOLDER, adopt_finished, is_untouched, keep_finished, read_finished, restore_finished
from sgad.runs.record import RunRecord, read_record

OUTPUTS = ("run.json", "generator.safetensors")


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run that is complete, without a finished state yet."""
    for name in ("generator", "discriminator"):
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    record(status="completed").write(tmp_path)
    return tmp_path


def record(**values: Any) -> RunRecord:
    fields = {"dataset": "digits", "model": "sgad", "variant": "quick", "seed": 0, "family": "sgad", "time_steps": 2}
    return RunRecord(**{**fields, "config_hash": "c", "data_hash": "d", **values})


def delete_outputs(folder: Path) -> None:
    """Do what Snakemake does before it runs a job again."""
    for name in OUTPUTS:
        (folder / name).unlink()


def test_deleted_outputs_come_back_with_their_record(run_folder: Path) -> None:
    keep_finished(run_folder, read_record(run_folder))
    before = read_record(run_folder)
    delete_outputs(run_folder)
    assert restore_finished(run_folder, "c", "d") == before == read_record(run_folder)
    assert (run_folder / "generator.safetensors").read_bytes() == b"generator"


@pytest.mark.parametrize("hashes", [("other", "d"), ("c", "other")])
def test_another_configuration_or_other_data_get_nothing(run_folder: Path, hashes: tuple[str, str]) -> None:
    keep_finished(run_folder, read_record(run_folder))
    delete_outputs(run_folder)
    assert restore_finished(run_folder, *hashes) is None
    assert not (run_folder / "run.json").exists()


def test_damaged_weights_or_a_damaged_record_are_not_restored(run_folder: Path) -> None:
    keep_finished(run_folder, read_record(run_folder))
    delete_outputs(run_folder)
    (run_folder / FOLDER / "generator.safetensors").write_bytes(b"generatoR")
    assert restore_finished(run_folder, "c", "d") is None
    (run_folder / FOLDER / "finished.json").write_text("[" * 100_000)
    assert restore_finished(run_folder, "c", "d") is None and read_finished(run_folder) is None


def test_without_hard_links_there_are_copies(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> None:
        raise OSError(errno.EPERM, "no links on this file system")

    monkeypatch.setattr("os.link", refuse)
    keep_finished(run_folder, read_record(run_folder))
    assert (run_folder / FOLDER / "generator.safetensors").stat().st_nlink == 1
    delete_outputs(run_folder)
    assert restore_finished(run_folder, "c", "d") is not None


def test_links_cost_no_space_and_leave_no_temporary_names(run_folder: Path) -> None:
    for _ in range(2):
        keep_finished(run_folder, read_record(run_folder))
    kept = run_folder / FOLDER / "generator.safetensors"
    assert kept.samefile(run_folder / "generator.safetensors")
    names = {path.name for path in (run_folder / FOLDER).iterdir()}
    assert names == {"finished.json", "generator.safetensors", "discriminator.safetensors"}


def test_weights_that_changed_since_are_noticed(run_folder: Path) -> None:
    assert is_untouched(run_folder)
    keep_finished(run_folder, read_record(run_folder))
    assert is_untouched(run_folder)
    (run_folder / "generator.safetensors").unlink()
    (run_folder / "generator.safetensors").write_bytes(b"truncated")
    assert not is_untouched(run_folder)


@pytest.mark.parametrize(
    ("status", "adopted"), [("completed", True), ("collapsed", True), ("running", False), ("failed", False)]
)
def test_only_a_finished_run_of_an_older_version_is_adopted(run_folder: Path, status: str, adopted: bool) -> None:
    record(status=status).write(run_folder)
    assert adopt_finished(run_folder) is adopted
    assert (read_finished(run_folder) is not None) is adopted
    assert not adopt_finished(run_folder), "what is kept stays as it is"
