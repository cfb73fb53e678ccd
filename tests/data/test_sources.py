"""Every form in which people have their data gives the same arrays."""

import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sgad.data.description import load_description
from sgad.data.prepared import Prepared, load_prepared
from sgad.errors import InputError
from tests.data.builders import (
    MD5_NAMES,
    cifar_records,
    describe,
    images,
    png_bytes,
    run_prepare,
    write_cifar,
    write_folder,
    write_idx,
    write_zip,
)


def prepared(tmp_path: Path, source: Path, kind: str, **values: Any) -> Prepared:
    run_prepare(describe(kind, **values), source, tmp_path / "out" / "tiny")
    return load_prepared(tmp_path / "out" / "tiny")


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_plain_or_gzipped(tmp_path: Path, zipped: bool) -> None:
    arrays = write_idx(tmp_path / "raw", zipped=zipped)
    data = prepared(tmp_path, tmp_path / "raw", "idx")
    np.testing.assert_array_equal(data.train.images[:, 0], arrays[MD5_NAMES[0]])
    np.testing.assert_array_equal(data.split("test").labels, arrays[MD5_NAMES[3]])
    assert data.manifest.shape == (1, 28, 28)
    assert data.manifest.class_counts is not None
    assert sum(data.manifest.class_counts["train"]) == 12


def test_idx_files_below_torchvision_s_folder(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw" / "MNIST" / "raw")
    data = prepared(tmp_path, tmp_path / "raw", "idx", places=["MNIST/raw"])
    assert data.manifest.counts == {"train": 12, "test": 6}
    assert set(data.manifest.source_files) == set(MD5_NAMES)


@pytest.mark.parametrize("form", ["binary", "python", "png"])
def test_cifar_in_three_forms(tmp_path: Path, form: str) -> None:
    records = write_cifar(tmp_path / "raw", form)
    data = prepared(tmp_path, tmp_path / "raw", "cifar", classes=list("abcdefghij"))
    train = np.concatenate([records[name] for name in sorted(records)[:5]])
    np.testing.assert_array_equal(data.train.images.reshape(20, -1), train[:, 1:])
    np.testing.assert_array_equal(data.split("test").labels, records["test_batch"][:, 0])
    assert data.manifest.family == "32x32 colour"


def test_cifar_inside_its_archive(tmp_path: Path) -> None:
    write_cifar(tmp_path / "cifar-10-batches-py", "python")
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "cifar-10-batches-py", "cifar-10-batches-py")
    data = prepared(tmp_path, tmp_path / "cifar-10-python.tar.gz", "cifar")
    np.testing.assert_array_equal(data.split("test").images.reshape(4, -1), cifar_records()["test_batch"][:, 1:])


def test_an_image_folder_with_classes_is_split_evenly_and_always_alike(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw", 40, classes=4)
    data = prepared(tmp_path, tmp_path / "raw", "image-folder", test_size=8)
    again = run_prepare(describe("image-folder", test_size=8), tmp_path / "raw", tmp_path / "out2" / "tiny")
    assert data.manifest.class_counts == {"train": (8, 8, 8, 8), "test": (2, 2, 2, 2)}
    assert data.manifest.classes == ("class0", "class1", "class2", "class3")
    assert again.content_hash == data.manifest.content_hash


@pytest.mark.parametrize("top", ["", "pack/"])
def test_an_image_folder_with_splits_also_inside_a_zip(tmp_path: Path, top: str) -> None:
    pixels = images(6)[:, 0]
    names = ["train/a/0.png", "train/b/1.png", "train/b/2.png", "test/a/3.png", "test/b/4.png", "test/b/5.png"]
    files = {top + name: png_bytes(picture) for name, picture in zip(names, pixels, strict=True)}
    write_zip(tmp_path / "mine.zip", files)
    data = prepared(tmp_path, tmp_path / "mine.zip", "image-folder")
    assert data.manifest.class_counts == {"train": (1, 2), "test": (1, 2)}
    np.testing.assert_array_equal(data.train.images[:, 0], pixels[:3])


def test_loose_images_have_no_labels(tmp_path: Path) -> None:
    for index, picture in enumerate(images(10)):
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / "raw" / f"{index:02d}.png").write_bytes(png_bytes(picture[0]))
    data = prepared(tmp_path, tmp_path / "raw", "image-folder", test_size=0.2)
    assert data.manifest.counts == {"train": 8, "test": 2}
    assert data.train.labels is None
    assert data.manifest.class_counts is None


def test_grey_becomes_colour_and_is_cropped_and_resized_as_pillow_does(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    pictures = [Image.fromarray(images(1, side=100, seed=seed)[0, 0][:, :80]) for seed in range(4)]
    for index, picture in enumerate(pictures):
        picture.save(folder / f"{index}.png")
    data = prepared(tmp_path, folder, "image-folder", shape=[3, 64, 64], crop="square", resize=64, test_size=1)
    everything = np.concatenate([data.train.images, data.split("test").images])
    expected = np.asarray(pictures[0].crop((0, 10, 80, 90)).resize((64, 64), Image.Resampling.BILINEAR))
    assert any(np.array_equal(picture, np.stack([expected] * 3)) for picture in everything)


@pytest.mark.parametrize(
    ("arrays", "options"),
    [
        ({"x_train": images(6)[:, 0], "y_train": np.arange(6), "x_test": images(3)[:, 0], "y_test": np.arange(3)}, {}),
        ({"train_images": images(6), "test_images": images(3)}, {}),
        ({"images": images(9), "labels": np.arange(9)[:, None] % 2}, {"test_size": 3}),
        ({"images": images(9).transpose(0, 2, 3, 1)}, {"test_size": 1 / 3}),
        ({"x_train": images(6) / 255, "x_test": images(3).astype(np.float32) / 255}, {}),
        ({"images": images(9, side=3)}, {"test_size": 3, "layout": "NCHW", "resize": 28}),
    ],
)
def test_npz_archives_of_several_conventions(
    tmp_path: Path, arrays: dict[str, np.ndarray], options: dict[str, Any]
) -> None:
    np.savez(tmp_path / "tiny.npz", **arrays)
    data = prepared(tmp_path, tmp_path / "tiny.npz", "npz", **options)
    assert data.manifest.counts == {"train": 6, "test": 3}
    assert data.manifest.shape == (1, 28, 28)
    if "x_train" in arrays:
        np.testing.assert_array_equal(data.train.images, images(6))


def test_a_torchvision_class_reads_its_own_files(tmp_path: Path) -> None:
    arrays = write_idx(tmp_path / "raw" / "KMNIST" / "raw")
    data = prepared(tmp_path, tmp_path / "raw", "torchvision", torchvision_class="KMNIST", shape=[1, 28, 28])
    np.testing.assert_array_equal(data.train.images[:, 0], arrays[MD5_NAMES[0]])
    np.testing.assert_array_equal(data.train.labels, arrays[MD5_NAMES[1]])
    assert data.manifest.classes is not None


def test_an_unknown_torchvision_class_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'KMNIST'"):
        prepared(tmp_path, tmp_path, "torchvision", torchvision_class="KNMIST")


def test_scikit_learn_s_digits_keep_their_ink(tmp_path: Path) -> None:
    manifest = run_prepare(load_description("digits"), tmp_path, tmp_path / "digits")
    data = load_prepared(tmp_path / "digits")
    assert manifest.counts == {"train": 1500, "test": 297}
    assert manifest.class_counts is not None
    assert min(manifest.class_counts["test"]) >= 29
    assert data.train.images.max() == 255
    # Bilinear enlargement keeps the mean, but for the edges.
    assert data.train.images.mean() == pytest.approx(4.884 * 255 / 16, rel=0.03)


def test_max_samples_takes_the_first(tmp_path: Path) -> None:
    arrays = write_idx(tmp_path / "raw")
    data = prepared(tmp_path, tmp_path / "raw", "idx", max_samples={"train": 5, "test": 2})
    assert data.manifest.counts == {"train": 5, "test": 2}
    np.testing.assert_array_equal(data.train.images[:, 0], arrays[MD5_NAMES[0]][:5])


def test_reading_files_does_not_import_torch(tmp_path: Path, repository: Path) -> None:
    import subprocess

    code = "import sys, sgad.data.prepare, sgad.data.loader, sgad.data.show; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode == 0


def test_an_empty_place_is_not_filled_from_beside_it(tmp_path: Path) -> None:
    """Images of another data set lie in the folder that holds the empty place."""
    write_folder(tmp_path / "raw" / "other")
    (tmp_path / "raw" / "mine").mkdir()
    with pytest.raises(InputError):
        prepared(tmp_path, tmp_path / "raw", "image-folder", places=["mine"])
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").rglob("manifest.json"))
