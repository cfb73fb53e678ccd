"""NumPy archives: x_train/y_train, train_images/train_labels, or one `images` array."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgad.data.description import DatasetConfig
from sgad.data.pixels import Images, fit_array
from sgad.data.sources.base import Labels, RawData, RawSplit, array_split, check_labels, cut_off_test
from sgad.data.trees import check_zip
from sgad.errors import InputError

_IMAGE_KEYS = {
    "train": ("train_images", "x_train", "images_train", "train.images"),
    "valid": ("val_images", "valid_images", "x_val", "x_valid"),
    "test": ("test_images", "x_test", "images_test", "test.images"),
    "all": ("images", "x", "data", "arr_0"),
}
_LABEL_KEYS = {
    "train": ("train_labels", "y_train", "labels_train", "train.labels"),
    "valid": ("val_labels", "valid_labels", "y_val", "y_valid"),
    "test": ("test_labels", "y_test", "labels_test", "test.labels"),
    "all": ("labels", "y", "targets"),
}


def read_npz(root: Path, description: DatasetConfig) -> RawData | None:
    """Return the arrays of an .npz file, or of the only one in a folder."""
    path = _archive(root, description)
    if path is None:
        return None
    check_zip(path)
    arrays = _load(path)
    found = {split: _images(path, arrays, split, description) for split in _IMAGE_KEYS}
    splits = {
        split: _split(path, arrays, split, images, description) for split, images in found.items() if images is not None
    }
    whole = splits.pop("all", None)
    if whole is not None and "train" not in splits:
        splits["train"] = whole
    if "train" not in splits:
        known = ", ".join(_IMAGE_KEYS["train"] + _IMAGE_KEYS["all"])
        raise InputError(f"{path} has no array called {known}; it has {', '.join(arrays) or 'none'}: rename the images")
    if "test" not in splits:
        splits.update(_halves(path, splits["train"], description))
    return RawData(
        path.parent, splits, {path.name: path.stat().st_size}, description.classes, (f"the arrays of {path}",)
    )


def _archive(root: Path, description: DatasetConfig) -> Path | None:
    if root.is_file():
        return root if root.suffix == ".npz" else None
    named = [root / place for place in (f"{description.name}.npz",) if (root / place).is_file()]
    files = named or sorted(root.glob("*.npz"))
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:5])
        raise InputError(f"{root} holds several .npz files ({names}); name one in `places`")
    return files[0] if files else None


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, SyntaxError) as error:
        if "pickle" in str(error):
            raise InputError(f"{path} holds pickled objects, which are refused; save plain arrays") from error
        raise InputError(f"{path} is not a whole .npz file ({error}); save it again") from error
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory; save it as an image folder") from error


def _key(arrays: dict[str, NDArray[Any]], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in arrays), None)


def _images(path: Path, arrays: dict[str, NDArray[Any]], split: str, description: DatasetConfig) -> Images | None:
    key = _key(arrays, _IMAGE_KEYS[split])
    if key is None:
        return None
    label = f"{path}: {key}"
    planes = _channels_first(_to_bytes(arrays[key], label), label, description)
    if not planes.size:
        raise InputError(f"{label} is empty; save at least two images")
    return planes


def _split(
    path: Path, arrays: dict[str, NDArray[Any]], split: str, images: Images, description: DatasetConfig
) -> RawSplit:
    key = _key(arrays, _LABEL_KEYS[split])
    labels: Labels | None = None
    if key is not None:
        labels = check_labels(arrays[key], len(images), f"{path}: {key}", description.classes)
    return array_split(images, labels, lambda block: fit_array(block, str(path), description))


def _to_bytes(array: NDArray[Any], label: str) -> Images:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind != "f":
        raise InputError(f"{label} is {array.dtype}; save uint8 (0 to 255) or floating point (0 to 1)")
    if not np.isfinite(array).all():
        raise InputError(f"{label} holds NaN or infinite values; mend them")
    if array.size and (array.min() < 0 or array.max() > 1):
        raise InputError(f"{label} goes from {array.min():g} to {array.max():g}; floating point images go from 0 to 1")
    return np.asarray(np.rint(array * 255), np.uint8)


def _channels_first(array: Images, label: str, description: DatasetConfig) -> Images:
    if array.ndim == 3:
        return array[:, None]
    if array.ndim != 4:
        raise InputError(f"{label} has shape {array.shape}; images are (N, H, W), (N, H, W, C) or (N, C, H, W)")
    first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
    layout = description.layout or ("NCHW" if first and not last else "NHWC" if last and not first else None)
    if layout is None:
        raise InputError(f"{label} has shape {array.shape}, whose channel axis is unclear; add `layout: NHWC` or NCHW")
    planes = array if layout == "NCHW" else array.transpose(0, 3, 1, 2)
    if planes.shape[1] not in (1, 3):
        raise InputError(f"{label} has {planes.shape[1]} channels as {layout}; 1 or 3 are possible")
    return planes


def _halves(path: Path, whole: RawSplit, description: DatasetConfig) -> dict[str, RawSplit]:
    parts = cut_off_test(whole.count, whole.labels, description, str(path))
    images = np.concatenate(list(whole.blocks()))
    labels = whole.labels
    return {
        name: array_split(images[index], None if labels is None else labels[index]) for name, index in parts.items()
    }
