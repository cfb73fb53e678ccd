"""IDX files: MNIST, FashionMNIST and their kin, plain or gzipped."""

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgad.data.description import DatasetConfig, fetch_again
from sgad.data.labels import check_labels
from sgad.data.pixels import fit_array
from sgad.data.sources.base import RawData, RawSplit, array_split
from sgad.data.trees import Tree, gunzip
from sgad.errors import InputError
from sgad.machine.stand_ins import refuse_stand_in

_PREFIX = {"train": "train", "test": "t10k"}


def read_idx(root: Path, description: DatasetConfig) -> RawData | None:
    """The four IDX files of a folder or archive (torchvision's, Debian's or Kaggle's names)."""
    tree = Tree(root)
    wanted = [(split, part) for split in _PREFIX for part in ("images-idx3", "labels-idx1")]
    found = {key: tree.named(*_names(*key)) for key in wanted}
    if not any(found.values()):
        return None
    missing = [_names(*key)[0] for key, name in found.items() if name is None]
    if missing:
        raise InputError(f"{root} lacks {', '.join(missing)} (or the same with .gz); {fetch_again(description)}")
    names = {key: name for key, name in found.items() if name is not None}
    splits = {
        split: _split(tree, names[split, "images-idx3"], names[split, "labels-idx1"], description) for split in _PREFIX
    }
    sizes = {name: tree.sizes[name] for name in names.values()}
    form = "gzipped" if all(name.endswith(".gz") for name in sizes) else "plain"
    return RawData(root, splits, sizes, description.classes, (f"four {form} IDX files in {root}",))


def _names(split: str, part: str) -> list[str]:
    stem, kind = part.split("-")
    plain = [f"{_PREFIX[split]}-{part}-ubyte", f"{_PREFIX[split]}-{stem}.{kind}-ubyte"]
    return plain + [name + ".gz" for name in plain]


def _split(tree: Tree, images_name: str, labels_name: str, description: DatasetConfig) -> RawSplit:
    images = parse_idx(_content(tree, images_name, description), tree.label(images_name), 3)
    labels = parse_idx(_content(tree, labels_name, description), tree.label(labels_name), 1)
    if not images.size:
        raise InputError(f"{tree.label(images_name)} holds no images; {fetch_again(description)}")
    checked = check_labels(labels, len(images), tree.label(labels_name), description.classes)
    label = tree.label(images_name)
    return array_split(images[:, None], checked, lambda block: fit_array(block, label, description))


def _content(tree: Tree, name: str, description: DatasetConfig) -> bytes:
    content, label = tree.read(name), tree.label(name)
    refuse_stand_in(label, content[:1024])
    if name.endswith(".gz"):
        content = gunzip(content, label)
        # A browser or a script may have packed once more what was packed already.
        content = gunzip(content, label) if content.startswith(b"\x1f\x8b") else content
    check_content(content, label, name.rsplit("/", 1)[-1].removesuffix(".gz"), description)
    return content


def check_content(content: bytes, label: str, name: str, description: DatasetConfig) -> None:
    """Compare size and MD5 of a file's content with the description, if it lists that file.

    Raises
    ------
    InputError
        If they differ.
    """
    expected = description.files.get(name)
    if expected is None:
        return
    if expected.size is not None and len(content) != expected.size:
        raise InputError(f"{label} holds {len(content)} bytes, {expected.size} expected; {fetch_again(description)}")
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if expected.md5 is not None and found != expected.md5:
        raise InputError(
            f"{label} has MD5 {found}, {expected.md5} expected; delete it, then {fetch_again(description)}"
        )


def parse_idx(content: bytes, label: str, axes: int) -> NDArray[Any]:
    """The array in an IDX file of unsigned bytes: magic 0 0 8 axes, big-endian sizes, values."""
    if len(content) < 4 + 4 * axes:
        raise InputError(f"{label} is cut off: {len(content)} bytes are less than the header; fetch it again")
    if content[:4] != bytes([0, 0, 8, axes]):
        raise InputError(
            f"{label} starts with {content[:4].hex()}, an IDX file of {axes}-d bytes with 0000080{axes};"
            " it is another kind of file, fetch it again"
        )
    shape = struct.unpack(f">{axes}I", content[4 : 4 + 4 * axes])
    expected = int(np.prod(shape, dtype=object))
    body = len(content) - 4 - 4 * axes
    if body != expected:
        what = "is cut off" if body < expected else "has bytes left over"
        raise InputError(f"{label} {what}: its header promises {expected} values, {body} follow; fetch it again")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
