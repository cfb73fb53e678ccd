"""`sgad dataset check`: what is there, what is missing, what is wrong, and what fixes it."""

from pathlib import Path

import pytest

from sgad.data.check import Finding, check_dataset
from sgad.data.description import DatasetConfig, load_description
from tests.data.builders import (
    MD5_NAMES,
    describe,
    write_celeba,
    write_folder,
    write_idx,
    write_recordings,
    write_zip,
)


def levels(findings: list[Finding]) -> set[str]:
    return {finding.level for finding in findings}


def text(findings: list[Finding]) -> str:
    return "\n".join(str(finding) for finding in findings)


def test_a_good_set_is_described(tmp_path: Path) -> None:
    write_idx(tmp_path)
    found = check_dataset(describe("idx", licence="MIT", counts={"train": 12, "test": 6}), [tmp_path])
    assert levels(found) == {"ok"}
    for words in ("licence: MIT", "four plain IDX files", "12 train samples", "10 classes", "28x28 grey"):
        assert words in text(found)


def test_labels_that_come_with_the_images_are_counted_once_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(tmp_path / "KMNIST" / "raw")
    description = describe("torchvision", torchvision_class="KMNIST")
    found = text(check_dataset(description, [tmp_path]))
    assert "12 train samples, 10 classes" in found
    assert "train: all samples can be read" in found
    monkeypatch.setattr("sgad.data.check._READ_ALL", 3)
    monkeypatch.setattr("sgad.data.sources.vision._BLOCK", 4)
    found = text(check_dataset(description, [tmp_path]))
    assert "12 train samples, labels are read with the images" in found
    assert "6 test samples, labels are read with the images" in found


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "celeba", "nmnist", "faces"])
def test_a_missing_set_names_the_places_and_the_remedy(tmp_path: Path, name: str) -> None:
    found = check_dataset(load_description(name), [tmp_path])
    assert found[-1].level == "missing"
    assert not found[-1].is_fine
    assert str(tmp_path) in found[-1].text
    assert found[-1].remedy
    # The remedy is said once.
    assert found[-1].remedy not in found[-1].text


def quota_page(root: Path) -> DatasetConfig:
    write_celeba(root / "celeba", "zip")
    (root / "celeba" / "img_align_celeba.zip").write_text("<html>quota</html>")
    return load_description("celeba")


def wrong_archive(root: Path) -> DatasetConfig:
    write_recordings(root / "NMNIST", form="tonic")
    return load_description("nmnist").model_copy(update={"counts": None})


def wrong_count(root: Path) -> DatasetConfig:
    write_recordings(root / "NMNIST")
    return load_description("nmnist")


def truncated(root: Path) -> DatasetConfig:
    write_idx(root)
    path = root / MD5_NAMES[0]
    path.write_bytes(path.read_bytes()[:-5])
    return describe("idx")


def broken_image(root: Path) -> DatasetConfig:
    write_folder(root)
    (root / "class0" / "broken.png").write_bytes(b"\x89PNG")
    return describe("image-folder")


def no_family(root: Path) -> DatasetConfig:
    write_folder(root, side=30)
    return describe("image-folder")


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (quota_page, ["img_align_celeba.zip", "web page"]),
        (wrong_archive, ["train.zip", "MD5", "20959b8e626244a1b502305a9e6e2031", "--download"]),
        (wrong_count, ["6 train samples, 60000 expected"]),
        (truncated, [MD5_NAMES[0], "cut off"]),
        (broken_image, ["broken.png"]),
        (no_family, ["1x30x30", "resize: 28"]),
    ],
)
def test_what_is_wrong_is_said_with_what_mends_it(tmp_path: Path, build, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    found = check_dataset(build(tmp_path), [tmp_path])
    wrong = [finding for finding in found if finding.level == "wrong"]
    assert wrong
    assert all(finding.remedy for finding in wrong)
    for word in words:
        assert word in text(wrong)


def test_a_nested_folder_is_accepted_and_said(tmp_path: Path) -> None:
    write_celeba(tmp_path / "celeba", "nested")
    description = load_description("celeba").model_copy(update={"counts": None, "files": {}})
    found = check_dataset(description, [tmp_path])
    assert levels(found) == {"ok"}
    assert "6 images" in text(found)


def test_nothing_is_written(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"a/0.png": b"x"})
    before = sorted(tmp_path.rglob("*"))
    check_dataset(describe("image-folder", places=["a.zip"]), [tmp_path])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_simulation_is_checked_without_making_all_of_it(tmp_path: Path) -> None:
    description = describe("simulated-events", base="digits", simulated=True, time_bins=4)
    found = check_dataset(description, [tmp_path])
    assert levels(found) == {"ok"}
    assert "simulated recordings of Digits" in text(found)
    assert "28x28 events" in text(found)
