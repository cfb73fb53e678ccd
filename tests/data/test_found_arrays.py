"""Arrays, lists and recordings as people have them: labels with gaps, other ranges, other names, other sensors."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sgad.data.check import check_dataset
from sgad.data.events.format import Events, encode_events
from sgad.data.prepared import load_prepared
from sgad.errors import InputError
from sgad.measures.readers import open_images
from tests.data.builders import describe, images, png_bytes, run_prepare, write_celeba, write_idx, write_recordings

LABELS = np.arange(30) % 3


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "tiny.npz", **arrays)
    return folder


def train_labels(folder: Path, **options: Any) -> tuple[list[int], tuple[str, ...] | None, list[str]]:
    told: list[str] = []
    manifest = run_prepare(describe("npz", test_size=6, **options), folder, folder / "out", told.append)
    labels = load_prepared(folder / "out").train.labels
    return ([] if labels is None else [int(label) for label in labels]), manifest.classes, told


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (LABELS * 100_000 + 7, ("7", "100007", "200007")),
        (LABELS + 1, ("1", "2", "3")),
        (LABELS.astype(float), None),
        (LABELS.astype(">i2"), None),
        (LABELS[:, None], None),
        (np.eye(3)[LABELS], None),
        (np.array(["cat", "dog", "eel"])[LABELS], ("cat", "dog", "eel")),
        (np.array([b"cat", b"dog", b"eel"])[LABELS], ("cat", "dog", "eel")),
    ],
)
def test_labels_of_every_form_become_the_numbers_from_0(
    tmp_path: Path, labels: np.ndarray, classes: tuple[str, ...] | None
) -> None:
    found, names, told = train_labels(save(tmp_path, images=images(30), labels=labels))
    assert sorted(set(found)) == [0, 1, 2]
    assert names == classes
    assert bool(told) == (labels.dtype.kind == "i" and labels.max() > 2)


def test_gaps_are_closed_over_all_splits_alike(tmp_path: Path) -> None:
    arrays = {"x_train": images(6), "y_train": [5, 9, 5, 9, 5, 9], "x_test": images(4), "y_test": [9, 7, 9, 7]}
    run_prepare(describe("npz"), save(tmp_path, **arrays), tmp_path / "out")
    prepared = load_prepared(tmp_path / "out")
    assert prepared.manifest.classes == ("5", "7", "9")
    assert prepared.manifest.class_counts == {"train": (3, 0, 3), "test": (0, 2, 2)}


def test_check_says_what_becomes_of_odd_labels(tmp_path: Path) -> None:
    found = check_dataset(describe("npz"), [save(tmp_path, images=images(30), labels=LABELS * 100_000 + 7)])
    assert any(finding.level == "odd" and "labels are 7, 100007, 200007" in finding.text for finding in found)
    assert any("3 classes" in finding.text for finding in found)
    found = check_dataset(describe("npz"), [save(tmp_path, images=images(30), labels=np.arange(30))])
    assert any("30 classes for 30 samples" in finding.text for finding in found)
    wanted = ["a", "b", "c", "d"]
    found = check_dataset(describe("npz", classes=wanted), [save(tmp_path, images=images(30), labels=LABELS)])
    assert any("1 of 4 classes have no sample: d" in finding.text for finding in found)


def test_text_labels_are_numbered_by_the_classes_of_the_description(tmp_path: Path) -> None:
    text = np.array(["cat", "dog", "eel"])[LABELS]
    save(tmp_path, images=images(30), labels=text)
    found, names, _ = train_labels(tmp_path, classes=["eel", "dog", "cat"])
    assert names == ("eel", "dog", "cat")
    assert found[:3] == [["eel", "dog", "cat"].index(name) for name in ("cat", "dog", "eel")] or len(set(found)) == 3
    with pytest.raises(
        InputError, match=r"'eel' is none of the description's `classes` \(cat, dog, el\), did you mean 'el'"
    ):
        run_prepare(describe("npz", classes=["cat", "dog", "el"]), tmp_path, tmp_path / "other")


@pytest.mark.parametrize(
    ("image_key", "label_key"),
    [("data", "target"), ("X", "Y"), ("images", "Label"), ("arr_0", "arr_1"), ("x", "targets")],
)
def test_arrays_go_by_many_names_in_any_capitals(tmp_path: Path, image_key: str, label_key: str) -> None:
    found, _, told = train_labels(save(tmp_path, **{image_key: images(30), label_key: LABELS}))
    assert len(found) == 24
    assert told == []


def test_arrays_that_are_not_read_are_named_and_lost_labels_are_odd(tmp_path: Path) -> None:
    save(tmp_path, images=images(30), kinds=LABELS, about=np.array("made by hand"))
    found = check_dataset(describe("npz"), [tmp_path])
    text = "\n".join(map(str, found))
    assert "2 arrays are ignored: kinds, about" in text
    odd = [finding for finding in found if finding.level == "odd"]
    assert "kinds may be labels, which are not read" in odd[0].text
    assert odd[0].remedy == "rename that array to `labels`"


BITS = (images(30) > 127).astype(np.uint8)


@pytest.mark.parametrize(
    ("array", "value_range", "wanted"),
    [
        (BITS, "unit", BITS * 255),
        (BITS, "byte", BITS),
        (BITS.astype(bool), None, BITS * 255),
        (images(30).astype(np.int64), None, images(30)),
        (images(30) / 255, None, images(30)),
        ((images(30) / 255).astype(np.float16), None, images(30)),
        ((images(30) / 255).astype(">f4"), None, images(30)),
        (images(30) / 127.5 - 1, "symmetric", images(30)),
        (images(30).astype(np.float32), "byte", images(30)),
    ],
)
def test_ranges_become_bytes(tmp_path: Path, array: np.ndarray, value_range: Any, wanted: np.ndarray) -> None:
    arrays = {"x_train": array, "x_test": array}
    run_prepare(describe("npz", range=value_range), save(tmp_path, **arrays), tmp_path / "out")
    assert np.array_equal(load_prepared(tmp_path / "out").train.images, wanted)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (BITS, "no pixel is brighter than 1 of 255.*add `range: unit`"),
        (images(30) / 127.5 - 1, "goes from -1 to 1, not from 0 to 1; add `range: symmetric`"),
        (images(30).astype(float), "goes from 0 to 255, not from 0 to 1; add `range: byte`"),
        (images(30).astype(np.int64) * 100, "goes from 0 to 25500, not from 0 to 255; scale it to 0..1"),
        (np.repeat(images(30)[:, 0, ..., None], 4, -1), "with transparency; save three channels"),
    ],
)
def test_other_values_are_refused_with_the_key_that_helps(tmp_path: Path, array: np.ndarray, words: str) -> None:
    save(tmp_path, images=array)
    with pytest.raises(InputError, match=words):
        run_prepare(describe("npz"), tmp_path, tmp_path / "out")
    wrong = [finding for finding in check_dataset(describe("npz"), [tmp_path]) if finding.level == "wrong"]
    assert len(wrong) == 1
    assert wrong[0].remedy


def test_masks_of_0_and_1_in_image_files_take_the_same_key(tmp_path: Path) -> None:
    for index, bits in enumerate(BITS[:6, 0]):
        (tmp_path / f"{index}.png").write_bytes(png_bytes(bits))
    with pytest.raises(InputError, match="add `range: unit`"):
        run_prepare(describe("image-folder"), tmp_path, tmp_path / "out")
    run_prepare(describe("image-folder", range="unit", test_size=1), tmp_path, tmp_path / "out")
    assert int(load_prepared(tmp_path / "out").train.images.max()) == 255


def rewrite_list(root: Path, edit: Any, suffix: str = "txt") -> Path:
    path = root / "list_eval_partition.txt"
    content = path.read_text()
    path.unlink()
    (root / f"list_eval_partition.{suffix}").write_bytes(edit(content))
    return root


def as_csv(separator: str, mark: bytes = b"", quote: str = "", encoding: str = "utf-8") -> Any:
    def edit(content: str) -> bytes:
        rows = ["image_id partition", *content.splitlines()]
        lines = [separator.join(f"{quote}{word}{quote}" for word in row.split()) for row in rows]
        return mark + ("\r\n".join(lines) + "\r\n").encode(encoding)

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        as_csv(","),
        as_csv(";"),
        as_csv("\t"),
        as_csv(",", b"\xef\xbb\xbf"),
        as_csv(";", b"\xef\xbb\xbf", '"'),
        as_csv("\t", b"\xff\xfe", encoding="utf-16-le"),
    ],
    ids=["comma", "semicolon", "tab", "mark", "quotes", "utf-16"],
)
def test_the_list_of_celeba_as_spreadsheets_save_it(tmp_path: Path, edit: Any) -> None:
    write_celeba(tmp_path / "celeba", "folder")
    rewrite_list(tmp_path / "celeba", edit, "csv")
    description = describe("celeba", shape=[3, 64, 64], crop=148, resize=64)
    assert sum(run_prepare(description, tmp_path / "celeba", tmp_path / "out").counts.values()) == 6


def test_celeba_s_png_edition_with_the_official_list(tmp_path: Path) -> None:
    from PIL import Image

    root = write_celeba(tmp_path / "celeba", "folder")
    for path in list((tmp_path / "celeba").rglob("*.jpg")):
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    description = describe("celeba", shape=[3, 64, 64], crop=148, resize=64)
    assert sum(run_prepare(description, tmp_path / "celeba", tmp_path / "out").counts.values()) == 6
    assert root is None or root.is_dir()


@pytest.mark.parametrize("suffix", [".h5", ".npy", ".aedat4"])
@pytest.mark.parametrize("place", ["Train/0", "recordings"])
def test_recordings_of_other_forms_are_named(tmp_path: Path, suffix: str, place: str) -> None:
    for folder in (place, place.replace("Train", "Test")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / f"1{suffix}").write_bytes(b"x")
    with pytest.raises(InputError, match=rf"\{suffix} files .* no \.bin recordings; convert each with .*encode_events"):
        run_prepare(describe("events", time_bins=4), tmp_path, tmp_path / "out")


def test_hidden_files_next_to_recordings_do_not_count(tmp_path: Path) -> None:
    write_recordings(tmp_path)
    place = next(iter(sorted(tmp_path.rglob("*.bin")))).parent
    (place / "._00001.bin").write_bytes(b"junk")
    (place / ".ipynb_checkpoints").mkdir()
    (place / ".ipynb_checkpoints/00001-checkpoint.bin").write_bytes(b"junk")
    assert run_prepare(describe("events", time_bins=4), tmp_path, tmp_path / "out").counts["train"] > 0


def test_another_sensor_is_told_by_its_side(tmp_path: Path) -> None:
    events = Events(
        *(np.asarray(part, np.int64) for part in ([100, 101] * 200, [90, 91] * 200, range(400), [0, 1] * 200))
    )
    for split in ("Train", "Test"):
        (tmp_path / split / "a").mkdir(parents=True)
        for index in range(2):
            (tmp_path / split / "a" / f"{index}.bin").write_bytes(encode_events(events))
    with pytest.raises(InputError, match="outside of 34x34 pixels; write the side of your sensor as `sensor:`"):
        run_prepare(describe("events", time_bins=2), tmp_path, tmp_path / "out")
    run_prepare(describe("events", time_bins=2, sensor=128, denoise_us=0), tmp_path, tmp_path / "out")
    frames = load_prepared(tmp_path / "out").train.images
    assert frames.shape == (2, 2, 2, 28, 28)
    assert frames[..., 18:23, 20:25].sum() == pytest.approx(frames.sum())


def test_measured_archives_hold_the_same_range_rules(tmp_path: Path) -> None:
    save(tmp_path, images=images(4).astype(np.int64))
    assert open_images(tmp_path / "tiny.npz").read(np.arange(4)).dtype == np.uint8


def test_idx_files_that_were_packed_twice(tmp_path: Path) -> None:
    arrays = write_idx(tmp_path / "raw", zipped=True)
    for path in (tmp_path / "raw").glob("*.gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "out")
    assert np.array_equal(load_prepared(tmp_path / "out").train.images[:, 0], next(iter(arrays.values())))


@pytest.mark.parametrize("times", [[5] * 400, [7]])
def test_a_recording_without_events_in_its_bins_is_odd(tmp_path: Path, times: list[int]) -> None:
    write_recordings(tmp_path)
    place = sorted(tmp_path.rglob("*.bin"))[0]
    many = np.full(len(times), 12)
    place.write_bytes(encode_events(Events(many, many, np.array(times), many % 2)))
    found = check_dataset(describe("events", time_bins=4), [tmp_path])
    odd = [finding for finding in found if finding.level == "odd"]
    assert len(odd) == 1
    assert "samples are all 0" in odd[0].text
    told: list[str] = []
    run_prepare(describe("events", time_bins=4), tmp_path, tmp_path / "out", told.append)
    assert any("1 of " in text and "samples are all 0" in text for text in told)
