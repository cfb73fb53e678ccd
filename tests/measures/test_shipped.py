"""The yardsticks that come with the package: found by content, unpacked to the same files everywhere, used by default."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sgad.data.description import load_description
from sgad.data.prepare import prepare
from sgad.errors import InputError
from sgad.machine.files import read_json, sha256_of
from sgad.measures.extractors.classifier import load_classifiers
from sgad.measures.extractors.shipped import FOLDER, find_shipped, pack, shipped_record, unpack
from sgad.measures.readers import open_labels, open_split
from sgad.measures.stage import measure_to_file


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as `sgad prepare digits` makes them."""
    folder = tmp_path_factory.mktemp("data") / "digits"
    prepare(load_description("digits"), [], folder)
    return folder


#: Bytes that a data set's yardstick may have.
LARGEST = 1_000_000


def test_each_is_small_and_named_by_its_hash() -> None:
    files = sorted(FOLDER.glob("*.safetensors"))
    assert {path.stem.rpartition("-")[0] for path in files} >= {
        "digits",
        "mnist",
        "fashion_mnist",
        "cifar10",
        "faces",
        "nmnist_sim",
    }
    for path in files:
        assert path.stat().st_size < LARGEST
        assert path.stem.endswith(sha256_of(path)[:8])
        assert shipped_record(path)["data_hash"]


def test_half_precision_keeps_what_the_classifiers_learnt(prepared: Path, tmp_path: Path) -> None:
    found = find_shipped("digits", read_json(prepared / "manifest.json")["content_hash"])
    assert found is not None
    record = unpack(found, tmp_path)
    assert record["shipped"] == found.name
    test = open_split(prepared).viewed("mean")
    labels = open_labels(prepared, "test", len(test))
    for extractor, accuracy in zip(load_classifiers(tmp_path), record["accuracy"], strict=True):
        _, logits = extractor.compute(test.read(np.arange(len(test))))
        assert logits is not None
        assert (logits.argmax(1) == labels).mean() == pytest.approx(accuracy, abs=0.004)


def test_unpacking_twice_gives_the_same_files_and_packing_again_the_same_weights(
    prepared: Path, tmp_path: Path
) -> None:
    found = find_shipped("digits", read_json(prepared / "manifest.json")["content_hash"])
    assert found is not None
    assert unpack(found, tmp_path / "a") == unpack(found, tmp_path / "b")
    again = pack(tmp_path / "a", "digits", tmp_path / "packed")
    assert unpack(again, tmp_path / "c")["sha256"] == read_json(tmp_path / "a/classifier.json")["sha256"]


def test_other_data_have_none_and_an_edited_file_is_refused(tmp_path: Path) -> None:
    assert find_shipped("digits", "another edition") is None
    assert find_shipped("digits", "") is None
    source = next(FOLDER.glob("digits-*.safetensors"))
    edited = tmp_path / source.name
    shutil.copyfile(source, edited)
    with open(edited, "r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\x01")
    with pytest.raises(InputError, match="is not the file that its name says"):
        unpack(edited, tmp_path / "out")


def test_measures_take_them_where_no_own_ones_are(prepared: Path, tmp_path: Path) -> None:
    data = tmp_path / "digits"
    shutil.copytree(prepared, data, ignore=shutil.ignore_patterns("classifier", "features"))
    np.save(tmp_path / "samples.npy", open_split(data, "train").viewed("mean").read(np.arange(100)))
    document = measure_to_file(tmp_path / "samples.npy", data, ["cfd"], tmp_path / "metrics.json")
    (row,) = document["metrics"]
    assert row["status"] == "computed"
    hashes = json.loads((data / "classifier/classifier.json").read_text())["sha256"]
    assert all(digest[:8] in row["protocol"] for digest in hashes)
