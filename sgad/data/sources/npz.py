"""NumPy archives: x_train/y_train, train_images/train_labels, or one `images` array."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgad.data.description import DatasetConfig
from sgad.data.labels import check_labels, number_names
from sgad.data.pixels import Images, fit_array
from sgad.data.sources.base import Labels, RawData, RawSplit, array_split, cut_off_test, shortened
from sgad.data.trees import check_zip, hidden_part
from sgad.data.values import scaled_to_bytes
from sgad.errors import InputError
from sgad.machine.files import DAMAGED_ARRAY
from sgad.machine.stand_ins import read_start, refuse_stand_in

#: Names of arrays, small letters; capitals do not count.
_IMAGE_KEYS = {
    "train": ("train_images", "x_train", "images_train", "train.images", "train_x", "train_data"),
    "valid": ("val_images", "valid_images", "x_val", "x_valid"),
    "test": ("test_images", "x_test", "images_test", "test.images", "test_x", "test_data"),
    "all": ("images", "x", "data", "arr_0"),
}
_LABEL_KEYS = {
    "train": ("train_labels", "y_train", "labels_train", "train.labels", "train_y", "train_target"),
    "valid": ("val_labels", "valid_labels", "y_val", "y_valid"),
    "test": ("test_labels", "y_test", "labels_test", "test.labels", "test_y", "test_target"),
    "all": ("labels", "y", "targets", "label", "target", "arr_1"),
}
Arrays = dict[str, NDArray[Any]]


def read_npz(root: Path, description: DatasetConfig) -> RawData | None:
    """The arrays of an .npz file, or of the only one in a folder."""
    path = _archive(root, description)
    if path is None:
        return None
    refuse_stand_in(path, read_start(path))
    check_zip(path)
    arrays = _load(path)
    keys = {split: key for split, names in _IMAGE_KEYS.items() if (key := _key(arrays, names)) is not None}
    if "train" not in keys and "all" not in keys:
        known = ", ".join(_IMAGE_KEYS["train"] + _IMAGE_KEYS["all"])
        raise InputError(
            f"{path} has no array named {known}, but {', '.join(arrays) or 'none at all'}; rename that of the images"
        )
    if "train" in keys:
        keys.pop("all", None)
    images = {split: _images(path, arrays[key], key, description) for split, key in keys.items()}
    labels, classes, label_keys = _labels(path, arrays, images, description)
    splits = {
        "train" if split == "all" else split: array_split(
            planes, labels.get(split), lambda block: fit_array(block, str(path), description)
        )
        for split, planes in images.items()
    }
    if "test" not in splits:
        splits.update(_halves(path, splits["train"], description))
    unused = [name for name in arrays if name not in {*keys.values(), *label_keys}]
    notes: tuple[str, ...] = (f"the arrays {', '.join([*keys.values(), *label_keys])} of {path}",)
    if unused:
        notes += (f"{len(unused)} arrays are ignored: {shortened(unused)}",)
    sizes = {path.name: path.stat().st_size}
    return RawData(path.parent, splits, sizes, classes, notes, _lost_labels(path, arrays, unused, images))


def _lost_labels(path: Path, arrays: Arrays, unused: list[str], images: dict[str, Images]) -> tuple[str, ...]:
    counts = {len(planes) for planes in images.values()}
    like = [name for name in unused if arrays[name].ndim and len(arrays[name]) in counts and arrays[name].ndim <= 2]
    if not like:
        return ()
    return (f"{path}: {shortened(like)} may be labels, which are not read; rename that array to `labels`",)


def _labels(
    path: Path, arrays: Arrays, images: dict[str, Images], description: DatasetConfig
) -> tuple[dict[str, Labels], tuple[str, ...] | None, list[str]]:
    """Labels by split, the names of the classes, and the arrays that hold the labels."""
    keys = {split: key for split in images if (key := _key(arrays, _LABEL_KEYS[split])) is not None}
    counts = {split: len(planes) for split, planes in images.items()}
    text = {split: arrays[key].ravel() for split, key in keys.items() if arrays[key].dtype.kind in "US"}
    if text and len(text) == len(keys):
        label = f"{path}: {', '.join(keys.values())}"
        labels, classes = number_names(text, counts, label, description.classes)
        return labels, classes, list(keys.values())
    labels = {
        split: check_labels(arrays[key], counts[split], f"{path}: {key}", description.classes)
        for split, key in keys.items()
    }
    return labels, description.classes, list(keys.values())


def _archive(root: Path, description: DatasetConfig) -> Path | None:
    if root.is_file():
        return root if root.suffix == ".npz" else None
    named = [root / place for place in (f"{description.name}.npz",) if (root / place).is_file()]
    files = named or sorted(file for file in root.glob("*.npz") if not hidden_part(file.name))
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:5])
        raise InputError(f"{root} holds several .npz files ({names}); name one in `places`")
    return files[0] if files else None


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except DAMAGED_ARRAY as error:
        if "pickle" in str(error):
            raise InputError(f"{path} holds pickled objects, which are refused; save plain arrays") from error
        raise InputError(f"{path} is not a whole .npz file ({error}); save it again") from error
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory; save it as an image folder") from error


def _key(arrays: Arrays, names: tuple[str, ...]) -> str | None:
    by_name = {key.lower(): key for key in arrays}
    return next((by_name[name] for name in names if name in by_name), None)


def _images(path: Path, array: NDArray[Any], key: str, description: DatasetConfig) -> Images:
    label = f"{path}: {key}"
    planes = _channels_first(scaled_to_bytes(array, description.range, label), label, description)
    if not planes.size:
        raise InputError(f"{label} is empty; save at least two images")
    return planes


def _channels_first(array: Images, label: str, description: DatasetConfig) -> Images:
    if array.ndim == 3:
        return array[:, None]
    if array.ndim != 4:
        raise InputError(f"{label} has shape {array.shape}; save images as (N, H, W), (N, H, W, C) or (N, C, H, W)")
    if 4 in (array.shape[1], array.shape[3]) and not {1, 3} & {array.shape[1], array.shape[3]}:
        raise InputError(f"{label} has shape {array.shape}, with transparency; save three channels a pixel, RGB")
    first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
    layout = description.layout or ("NCHW" if first and not last else "NHWC" if last and not first else None)
    if layout is None:
        raise InputError(f"{label} has shape {array.shape}, whose channel axis is unclear; add `layout: NHWC` or NCHW")
    planes = array if layout == "NCHW" else array.transpose(0, 3, 1, 2)
    if planes.shape[1] not in (1, 3):
        raise InputError(f"{label} has {planes.shape[1]} channels as {layout}, 1 or 3 are possible; change `layout`")
    return planes


def _halves(path: Path, whole: RawSplit, description: DatasetConfig) -> dict[str, RawSplit]:
    parts = cut_off_test(whole.count, whole.labels, description, str(path))
    images = np.concatenate(list(whole.blocks()))
    labels = whole.labels
    return {
        name: array_split(images[index], None if labels is None else labels[index]) for name, index in parts.items()
    }
