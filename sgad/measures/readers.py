"""Images of others: image folders, archives of arrays, prepared data sets."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sgad.data.held_out import held_out_rows
from sgad.data.pixels import is_image_name, opened_image, upright, upright_size
from sgad.data.trees import Tree, is_archive
from sgad.data.values import ValueRange
from sgad.errors import InputError
from sgad.images import IMAGE_SUFFIXES
from sgad.machine.files import DAMAGED_ARRAY, read_json
from sgad.machine.stand_ins import damaged, read_start, refuse_stand_in
from sgad.measures.images import Bytes, ImageSet, Indices, images_of_array

#: Names under which an .npz may hold its images, in order of preference.
KEYS = ("images", "frames", "samples", "x", "arr_0")
GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("RGB", "RGBA", "P", "CMYK", "YCbCr")


def open_images(path: Path | str, value_range: ValueRange | None = None) -> ImageSet:
    """Open a folder or archive of images, a prepared data set (its reference split), a run folder, .npz or .npy.

    Raises
    ------
    InputError
        One sentence that names the file, for anything that is not a set of equal images.
    """
    path = Path(path)
    if path.is_dir():
        return open_folder(path, value_range)
    if not path.exists():
        raise InputError(f"{path} does not exist; give a folder or archive of images, an .npz or an .npy file")
    return open_file(path, value_range)


def open_folder(folder: Path, value_range: ValueRange | None = None) -> ImageSet:
    """Open a prepared data set (reference split), a run folder (samples.npz) or a folder of image files."""
    if is_prepared(folder):
        return open_split(folder)
    if (folder / "samples.npz").is_file():
        return open_file(folder / "samples.npz", value_range)
    return open_image_files(folder)


def is_prepared(path: Path) -> bool:
    """Whether a folder is a prepared data set."""
    return (path / "manifest.json").is_file()


def reference_split(folder: Path) -> str:
    """The split of a prepared data set that generated images are compared with."""
    return str(_manifest(folder).get("reference_split", "test"))


def _manifest(folder: Path) -> dict[str, Any]:
    manifest = read_json(folder / "manifest.json")
    if not isinstance(manifest, dict):
        raise InputError(f"{folder / 'manifest.json'} is not a manifest; run `sgad prepare` again")
    return manifest


def samples_record(path: Path) -> tuple[int, ...] | None:
    """The shape of the images in a samples.npz (or a run folder's); None if it is no such file."""
    path = path / "samples.npz" if path.is_dir() else path
    if path.suffix != ".npz" or not path.is_file():
        return None
    return _load_npz(path).shape


def open_split(folder: Path, split: str | None = None) -> ImageSet:
    """Open a split of a prepared data set, by default the one that its manifest names as the reference.

    Raises
    ------
    InputError
        If the folder has no such split.
    """
    manifest = _manifest(folder)
    path = folder / f"{split or reference_split(folder)}.images.npy"
    if not path.is_file():
        raise InputError(f"{path} does not exist; run `sgad prepare {folder.name}` again")
    return images_of_array(_load_npy(path), None, str(path), counts=manifest.get("kind") == "events")


def open_valid(folder: Path) -> ImageSet:
    """Open the images that recipes are chosen on: the split `valid`, or the held-out ones of the training split."""
    if (folder / "valid.images.npy").is_file():
        return open_split(folder, "valid")
    held_out = held_out_rows(_load_npy(folder / "train.images.npy"))
    return replace(open_split(folder, "train").subset(held_out), name=f"{folder}: held-out training images")


def open_labels(folder: Path, split: str, count: int) -> NDArray[np.int64] | None:
    """The labels (N,) of a split of a prepared data set; None if it has none."""
    path = folder / f"{split}.labels.npy"
    if not path.is_file():
        return None
    labels = _load_npy(path)
    if labels.shape != (count,):
        raise InputError(f"{path} has shape {labels.shape} for {count} images; run `sgad prepare` again")
    return np.asarray(labels, np.int64)


def open_file(path: Path, value_range: ValueRange | None = None) -> ImageSet:
    """Open an .npz or .npy file of images, or a zip or tar archive of image files."""
    refuse_stand_in(path, read_start(path))
    if path.suffix == ".npy":
        return images_of_array(_load_npy(path), value_range, str(path))
    if path.suffix == ".npz":
        return images_of_array(_load_npz(path), value_range, str(path))
    if is_archive(path):
        return open_image_files(path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(f"{path} is one image; give the folder that holds the images")
    raise InputError(
        f"{path} is neither a folder nor an archive (.zip, .tar, .npz) nor an .npy file; give one of these"
    )


def _load_npy(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except DAMAGED_ARRAY as error:
        reason = "truncated" if _starts_with(path, b"\x93NUMPY") else "empty or another format"
        raise damaged(path, f"is not a readable array ({reason}); write it again with numpy.save") from error
    return array


def _load_npz(path: Path) -> NDArray[Any]:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return np.asarray(archive[_key(path, archive.files)])
    except InputError:
        raise
    except DAMAGED_ARRAY as error:
        is_archive = _starts_with(path, b"PK")
        reason = "truncated or damaged" if is_archive else "empty or another format"
        if is_archive and "allow_pickle" in str(error):
            reason = "it holds Python objects, which may run code"
        raise damaged(path, f"is not a readable archive ({reason}); write it again with numpy.savez") from error


def _key(path: Path, names: list[str]) -> str:
    for key in KEYS:
        if key in names:
            return key
    if len(names) == 1:
        return names[0]
    raise InputError(f"{path} holds {', '.join(sorted(names)) or 'nothing'}; name the array of images 'images'")


def _starts_with(path: Path, magic: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


def open_image_files(place: Path) -> ImageSet:
    """Open all image files of a folder and its subfolders, or of an archive, sorted by their path.

    Hidden files and folders do not count (`sgad.data.trees.hidden_part`); cameras' orientation tags are followed. Grey
    if all are grey, else RGB (transparency is dropped, as the field's packages do). Sizes are checked from the headers
    now; pixels are decoded when they are read.

    Raises
    ------
    InputError
        If there is none, a file cannot be read, or sizes differ.
    """
    tree = Tree(place)
    names = [name for name in tree.sizes if is_image_name(name)]
    if not names:
        raise InputError(f"{place} holds no images ({', '.join(IMAGE_SUFFIXES)}); give another folder")
    headers = [_header(tree, name) for name in names]
    size = headers[0][0]
    for name, (other, _) in zip(names, headers, strict=True):
        if other != size:
            raise InputError(
                f"{tree.label(name)} is {other[0]}x{other[1]} pixels, {names[0]} is {size[0]}x{size[1]};"
                " images of a folder must have one size, resize them"
            )
    mode: Literal["L", "RGB"] = "L" if all(mode in GREY_MODES for _, mode in headers) else "RGB"

    def read(wanted: Indices) -> Bytes:
        return np.stack([_pixels(tree, names[index], mode, size) for index in wanted])

    return ImageSet(str(place), len(names), (1 if mode == "L" else 3, size[1], size[0]), read)


def _header(tree: Tree, name: str) -> tuple[tuple[int, int], str]:
    label = tree.label(name)
    with opened_image(tree.source(name), label) as image:
        size, mode = upright_size(image), image.mode
    if mode not in GREY_MODES + COLOUR_MODES:
        raise InputError(f"{label} has pixels of type {mode}; save it with 8 bits a channel")
    return size, mode


def _pixels(tree: Tree, name: str, mode: Literal["L", "RGB"], size: tuple[int, int]) -> Bytes:
    label = tree.label(name)
    # From memory: of a path Pillow maps raw TIFF in the size that it has only once it is turned.
    with opened_image(io.BytesIO(tree.read(name)), label) as image:
        image.load()
        picture = upright(image)
        # Pillow warns where a palette with transparency becomes anything but RGBA; the colours are the same.
        full = picture.convert("RGBA") if picture.mode == "P" and "transparency" in picture.info else picture
        pixels = np.asarray(full.convert(mode))
    if pixels.shape[1::-1] != size:
        raise InputError(f"{label} has another size than its header says; save it again as PNG")
    return pixels[None] if mode == "L" else np.moveaxis(pixels, 2, 0)
