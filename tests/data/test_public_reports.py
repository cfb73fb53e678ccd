"""Troubles of public reports (pytorch-fid, torchvision, Pillow, cpython, ...), tried on folders, archives and measures."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sgad.data.check import check_dataset
from sgad.data.sources.folder import read_folder
from sgad.errors import InputError
from sgad.measures.readers import open_images
from tests.data.builders import describe, images, png_bytes, run_prepare, write_folder


def grey(seed: int) -> bytes:
    return png_bytes(images(1, seed=seed)[0, 0])


def test_a_zip_packed_on_windows_with_backslashes(tmp_path: Path) -> None:
    """python/cpython#91036, PowerShell/PowerShell#16261."""
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("a", "b"):
            for index in range(6):
                # zipfile itself would turn the separator of its own system only.
                archive.writestr(zipfile.ZipInfo(f"set\\{name}\\{index}.png"), grey(index))
        archive.writestr(zipfile.ZipInfo("set\\a\\.DS_Store"), b"x")
    manifest = run_prepare(describe("image-folder"), tmp_path / "set.zip", tmp_path / "out")
    assert manifest.classes == ("a", "b")
    assert len(open_images(tmp_path / "set.zip")) == 12


@pytest.mark.parametrize("name", ["..\\x.png", "a\\..\\..\\x.png", "\\x.png", "C:\\x.png"])
def test_a_backslash_never_leads_out_of_an_archive(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), grey(0))
    with pytest.raises(InputError, match="leads out of the archive"):
        open_images(tmp_path / "set.zip")


@pytest.mark.parametrize("split", ["", "train"])
def test_an_empty_class_folder_is_said(tmp_path: Path, split: str) -> None:
    """pytorch/vision#4925, #8297: an error there; a class that vanishes without a word would be worse."""
    write_folder(tmp_path / "raw" / split)
    (tmp_path / "raw" / split / "empty").mkdir()
    found = check_dataset(describe("image-folder"), [tmp_path / "raw"])
    odd = [finding for finding in found if finding.level == "odd"]
    assert len(odd) == 1
    assert odd[0].text.endswith(f"no classes: {split}/empty" if split else "no classes: empty")
    assert all(finding.is_fine for finding in found)


def other_suffix(place: Path) -> None:
    """tensorflow/models#2194: PNG and GIF files named .jpg."""
    (place / "x.jpg").write_bytes(grey(1))
    stream = io.BytesIO()
    Image.fromarray(images(1)[0, 0]).save(stream, "GIF")
    (place / "y.jpg").write_bytes(stream.getvalue())


def folder_named_like_an_image(place: Path) -> None:
    """ldqk/ImageSearch#47: a folder with the suffix of an image."""
    (place / "notes.jpg").mkdir()
    (place / "notes.jpg" / "x.png").write_bytes(grey(1))
    (place / "notes.jpg" / "y.png").write_bytes(grey(2))


@pytest.mark.parametrize("edit", [other_suffix, folder_named_like_an_image])
def test_a_suffix_does_not_make_an_image(tmp_path: Path, edit: Callable[[Path], None]) -> None:
    write_folder(tmp_path / "raw")
    edit(tmp_path / "raw/class0")
    manifest = run_prepare(describe("image-folder", channels=1), tmp_path / "raw", tmp_path / "out")
    assert sum(manifest.counts.values()) == 14
    assert len(open_images(tmp_path / "raw")) == 14


def truncated(place: Path) -> None:
    """pytorch/vision#138: `image file is truncated`, which file is not said."""
    (place / "bad.jpg").write_bytes(_jpeg()[:-200])


def truncated_header(place: Path) -> None:
    """RjDuan/AdvDrop#5: a PNG that ends inside a chunk raises struct.error."""
    (place / "bad.png").write_bytes(grey(0)[:40])


def sixteen_bits(place: Path) -> None:
    """python-pillow/Pillow#3011: nearly white when it is converted."""
    Image.fromarray(images(1)[0, 0].astype(np.uint16) * 257).save(place / "bad.png")


def other_size(place: Path) -> None:
    """mseitzer/pytorch-fid#81, toshas/torch-fidelity#30: `stack expects each tensor to be equal size`."""
    (place / "bad.png").write_bytes(png_bytes(images(1, side=30)[0, 0]))


def _jpeg() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(images(1)[0, 0]).save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize("edit", [truncated, truncated_header, sixteen_bits, other_size])
def test_one_bad_file_among_many_has_its_name_and_a_remedy(tmp_path: Path, edit: Callable[[Path], None]) -> None:
    write_folder(tmp_path / "raw")
    edit(tmp_path / "raw/class1")

    def measure() -> None:
        found = open_images(tmp_path / "raw")
        found.read(np.arange(len(found)))

    for read in (measure, lambda: run_prepare(describe("image-folder"), tmp_path / "raw", tmp_path / "out")):
        with pytest.raises(InputError, match=r"class1/bad\.(png|jpg).*; "):
            read()


def test_grey_and_colour_of_one_size_need_channels_not_resize(tmp_path: Path) -> None:
    """lucidrains/imagen-pytorch#195, mseitzer/pytorch-fid#35."""
    write_folder(tmp_path / "raw")
    (tmp_path / "raw/class0/colour.png").write_bytes(png_bytes(images(1, 3)[0].transpose(1, 2, 0)))
    data = read_folder(tmp_path / "raw", describe("image-folder"))
    assert data is not None
    with pytest.raises(InputError, match="add `channels: 1` or `channels: 3` to the description"):
        run_prepare(describe("image-folder"), tmp_path / "raw", tmp_path / "out")
    assert open_images(tmp_path / "raw").shape == (3, 28, 28)


def test_the_path_of_one_image_is_no_folder(tmp_path: Path) -> None:
    """mseitzer/pytorch-fid#94."""
    (tmp_path / "x.png").write_bytes(grey(0))
    with pytest.raises(InputError, match="is one image; give the folder that holds the images"):
        open_images(tmp_path / "x.png")
