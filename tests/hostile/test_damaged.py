"""Damage that once ended in "unexpected ..., report it", took a minute, or was printed whole: one test a kind."""

import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sgad.analyses.alignment.neurons import read_neurons
from sgad.cli import main
from sgad.config.yaml_files import read_yaml
from sgad.data.sources.npz import _load as load_data_npz
from sgad.errors import LONGEST, InputError, RunFailure, one_line
from sgad.measures.extractors.cache import load_features
from sgad.measures.readers import open_images
from sgad.measures.reference import read_statistics
from sgad.models.registry import read_network
from sgad.reporting.audit_folders import other_samples
from sgad.reporting.page.report import build_page
from sgad.runs.record import read_record
from sgad.store.collect import collect
from sgad.store.provenance import trace_lines
from sgad.store.stored import read_stored
from sgad.store.summary import summarise
from sgad.training.checkpoint import FOLDER, Origin, newest_checkpoint, save_checkpoint, save_tensors
from tests.experiments import fake_experiment, write_fake

NESTED = "[" * 100_000


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The folder of a collected experiment."""
    experiment = fake_experiment(datasets=("digits",), models=("sgan",), seeds=(0,), figures=())
    write_fake(tmp_path, experiment)
    collect(experiment, tmp_path / "results", tmp_path / "data")
    return tmp_path / "results/experiments/fake"


def damaged_npz(path: Path, name: str = "images") -> Path:
    """An archive whose members are compressed, with one byte of the compressed data changed."""
    content = {name: np.arange(40_000, dtype=np.uint8).reshape(-1, 1, 20, 20)}
    np.savez_compressed(path, **content)  # type: ignore[arg-type]
    with zipfile.ZipFile(path) as archive:
        offset = archive.infolist()[0].header_offset
    spoilt = bytearray(path.read_bytes())
    # Behind the local header and the name: the first block's type becomes one that deflate does not have.
    spoilt[offset + 30 + len(f"{name}.npy") + 20] |= 0b110
    path.write_bytes(bytes(spoilt))
    return path


@pytest.mark.parametrize("read", [open_images, load_data_npz, read_neurons], ids=["samples", "data", "responses"])
def test_an_archive_with_broken_compression_is_bad_input(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(InputError, match=r"broken\.npz"):
        read(damaged_npz(tmp_path / "broken.npz"))


def test_an_archive_with_broken_compression_is_no_reference_no_cache_and_no_sample(tmp_path: Path) -> None:
    assert read_statistics(damaged_npz(tmp_path / "broken.npz", "mu")) is None
    assert load_features(tmp_path, "broken") is None
    damaged_npz(tmp_path / "samples.npz", "meta")
    (tmp_path / "generator.safetensors").touch()
    assert "was not drawn by" in next(iter(other_samples(tmp_path)))


def test_nested_json_of_a_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, step, {"x": torch.ones(3)}, Origin("c", "d"), {"seconds": 1.0}, 9)
    (tmp_path / FOLDER / "step-00000002.json").write_text(NESTED)
    checkpoint, notes = newest_checkpoint(tmp_path, Origin("c", "d"))
    assert checkpoint is not None and checkpoint.step == 1
    assert "the one before it is used" in notes[0]


def test_nested_json_of_a_record_or_of_weights_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(NESTED)
    with pytest.raises(InputError, match=r"run\.json is not a readable JSON file"):
        read_record(tmp_path)
    save_tensors(tmp_path / "generator.safetensors", {"x": torch.ones(3)}, {"config": "{}", "shape": NESTED})
    with pytest.raises(InputError, match=r"generator\.safetensors"):
        read_network(tmp_path / "generator.safetensors")


@pytest.mark.parametrize("content", [[1], {"title": 3}, {"datasets": []}, {"variants": {"a": None}}])
def test_captions_of_another_form_name_the_field(stored: Path, content: object) -> None:
    path = stored / "captions.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **content} if isinstance(content, dict) else content))
    field = next(iter(content)) if isinstance(content, dict) else "content"
    with pytest.raises(InputError, match=rf"captions\.json: {field}.*collect again"):
        read_stored(stored.parents[1], "fake")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"dataset,model\ndigits,sgan\n", b'"' + b"x" * 200_000],
    ids=["empty", "bytes", "columns", "field"],
)
def test_a_damaged_table_cannot_be_traced_and_says_so(stored: Path, content: bytes) -> None:
    (stored / "metrics.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"metrics\.csv .*collect"):
        list(trace_lines(fake_experiment(datasets=("digits",), models=("sgan",), seeds=(0,)), stored.parents[1]))


def test_control_characters_do_not_reach_the_page(stored: Path) -> None:
    path = stored / "captions.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "title": "zero \0 and bell \a"}))
    found = read_stored(stored.parents[1], "fake")
    page = build_page(found, summarise(found.metrics, found.runs))
    assert "zero  and bell " in page and not set(page) & {"\0", "\a"}


def test_a_long_list_is_no_configuration_and_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text("[" + "1, " * 1_300_000 + "1]")
    begin = time.monotonic()
    with pytest.raises(InputError, match="larger than 256 KiB"):
        read_yaml(tmp_path / "long.yaml")
    assert time.monotonic() - begin < 5


def test_a_message_keeps_its_beginning_and_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    for error in (InputError(f"{'x' * 100_000}; do this"), RuntimeError("x" * 100_000)):
        assert len(one_line(error)) < LONGEST + 100
    assert str(InputError(f"{'x' * 100_000}; do this")).endswith("; do this")
    assert str(RunFailure("short")) == "short"
    with pytest.raises(SystemExit):
        main(["train", "--dataset", "x" * 100_000, "--model", "sgad"])
    said = capsys.readouterr().err
    assert len(said) < LONGEST + 200
