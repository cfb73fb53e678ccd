"""A Git LFS pointer under the name of any file that the project reads: what it is, and what fetches the file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from sgad.analyses.alignment.neurons import read_neurons
from sgad.data.manifest import read_manifest
from sgad.errors import InputError
from sgad.machine.files import read_json
from sgad.machine.stand_ins import damaged, stand_in
from sgad.measures.extractors.building import read_state
from sgad.measures.readers import open_images
from sgad.models.registry import load_generator
from sgad.runs.record import read_record
from sgad.store.stored import _read_csv
from sgad.training.checkpoint import load_tensors
from sgad.training.start import load_initial_weights

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
READERS: dict[str, Callable[[Path], Any]] = {
    "generator.safetensors": lambda path: load_generator(path.parent),
    "tensors.safetensors": load_tensors,
    "old.pth": lambda path: load_initial_weights(path, nn.Linear(1, 1), nn.Linear(1, 1), print),
    "weights.pth": read_state,
    "weights.safetensors": read_state,
    "run.json": lambda path: read_record(path.parent),
    "manifest.json": lambda path: read_manifest(path.parent),
    "any.json": read_json,
    "metrics.csv": lambda path: _read_csv(path, ("metric", "value")),
    "samples.npz": lambda path: open_images(path.parent),
    "neurons.npz": read_neurons,
}


@pytest.mark.parametrize("name", READERS)
def test_a_pointer_is_named_with_the_command_that_fetches_the_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(POINTER)
    with pytest.raises(InputError, match=rf"{name}.* is a Git LFS pointer, not the file itself; run .*git lfs pull"):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"/annex/objects/MD5-s1--0\n", "git annex get"),
        (b"\n<!DOCTYPE html>", "fetch the file again"),
        (b"\x89PNG", ""),
        (b"", ""),
    ],
)
def test_other_stand_ins(head: bytes, words: str) -> None:
    assert words in stand_in(head)
    assert bool(words) == bool(stand_in(head))


def test_a_damaged_file_keeps_its_own_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"other")
    assert str(damaged(tmp_path / "x", "is odd; look at it")) == f"{tmp_path / 'x'} is odd; look at it"
