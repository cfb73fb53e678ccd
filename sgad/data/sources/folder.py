"""Folders and archives of image files: split/class/file, class/file, split/file or only files."""

from collections.abc import Iterator
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

import numpy as np

from sgad.data.description import DatasetConfig, remedy
from sgad.data.pixels import Images, decode_image, fit_image, is_image_name
from sgad.data.sources.base import Labels, RawData, RawSplit, cut_off_test
from sgad.data.trees import Tree, member_label, read_member
from sgad.errors import InputError
from sgad.machine.parallel import map_blocks

_SPLITS = {"train": "train", "training": "train", "val": "valid", "valid": "valid", "validation": "valid",
           "test": "test", "testing": "test"}  # fmt: skip
#: Images in one task of a worker.
_TASK = 128


def read_folder(root: Path, description: DatasetConfig) -> RawData | None:
    """Return the images below a folder or in an archive."""
    tree = Tree(root)
    pattern = description.include or "*"
    names = [name for name in tree.sizes if is_image_name(name) and fnmatch(name.rsplit("/", 1)[-1], pattern)]
    if not names:
        return None
    names, prefix = _without_common_folders(names)
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(_SPLITS.get(name.split("/")[0].lower(), "") if "/" in name else "", []).append(name)
    if "" in parts and len(parts) > 1:
        raise InputError(
            f"{root}: {parts[''][0]} lies outside of the folders {', '.join(sorted(set(parts) - {''}))};"
            " move it into one"
        )
    if "train" not in parts and "" not in parts:
        raise InputError(f"{root} has the folders {', '.join(parts)} but no folder train; {remedy(description)}")
    classes = _classes(names, has_splits="" not in parts)
    splits = _splits(root, prefix, parts, classes, description)
    sizes = {prefix + name: tree.sizes[prefix + name] for name in names}
    others = len(tree.sizes) - len(names)
    notes = (f"{len(names)} images in {root}" + (f" ({others} other files are ignored)" if others else ""),)
    return RawData(root, splits, sizes, classes, notes)


def _without_common_folders(names: list[str]) -> tuple[list[str], str]:
    """Strip folders that hold everything, as archives of one folder have, but never a split's own folder."""
    prefix = ""
    while all("/" in name for name in names):
        first = {name.split("/")[0] for name in names}
        deeper = any(name.count("/") > 1 for name in names)
        if len(first) > 1 or not (deeper or not prefix) or first & set(_SPLITS):
            break
        prefix += first.pop() + "/"
        names = [name.split("/", 1)[1] for name in names]
    return names, prefix


def _classes(names: list[str], *, has_splits: bool) -> tuple[str, ...] | None:
    depth = 1 if has_splits else 0
    folders = [name.split("/")[depth] if name.count("/") > depth else "" for name in names]
    return tuple(sorted(set(folders))) if all(folders) else None


def _splits(
    root: Path,
    prefix: str,
    parts: dict[str, list[str]],
    classes: tuple[str, ...] | None,
    description: DatasetConfig,
) -> dict[str, RawSplit]:
    depth = 0 if "" in parts else 1

    def labels_of(names: list[str]) -> Labels | None:
        if classes is None:
            return None
        index = {label: number for number, label in enumerate(classes)}
        return np.array([index[name.split("/")[depth]] for name in names], np.int64)

    if "test" not in parts and "valid" in parts:
        parts = {"train": parts["train"], "test": parts["valid"]}
    if "test" not in parts:
        names = parts.get("train") or parts[""]
        cut = cut_off_test(len(names), labels_of(names), description, str(root))
        parts = {split: [names[index] for index in indices] for split, indices in cut.items()}
    return {
        split: file_split(root, [prefix + name for name in names], labels_of(names), description)
        for split, names in parts.items()
    }


def file_split(root: Path, names: list[str], labels: Labels | None, description: DatasetConfig) -> RawSplit:
    """Return a split whose images are decoded in blocks, on all cores, when they are asked for."""
    tasks = [names[start : start + _TASK] for start in range(0, len(names), _TASK)]

    def blocks() -> Iterator[Images]:
        shape: tuple[int, ...] | None = None
        for block, task in zip(map_blocks(partial(decode_files, root, description), tasks), tasks, strict=True):
            if shape is not None and block.shape[1:] != shape:
                raise _mixed_sizes(root, names[0], task[0], shape, block.shape[1:])
            shape = block.shape[1:]
            yield block

    return RawSplit(len(names), labels, blocks)


def decode_files(root: Path, description: DatasetConfig, names: list[str]) -> Images:
    """Decode and fit some image files; return uint8 (n, C, H, W)."""
    planes: list[Images] = []
    for name in names:
        label = member_label(root, name)
        planes.append(fit_image(decode_image(read_member(root, name), label), label, description))
        if planes[-1].shape != planes[0].shape:
            raise _mixed_sizes(root, names[0], name, planes[0].shape, planes[-1].shape)
    return np.stack(planes)


def _mixed_sizes(root: Path, first: str, second: str, shape: tuple[int, ...], other: tuple[int, ...]) -> InputError:
    sizes = ["x".join(map(str, size)) for size in (shape, other)]
    return InputError(
        f"{member_label(root, second)} is {sizes[1]} (channels x height x width) but {first} is {sizes[0]};"
        " add `resize: 28`, `channels: 1` or `3`, or `crop: square` to the description"
    )
