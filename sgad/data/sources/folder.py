"""Folders and archives of image files: split/class/file, class/file, split/file or only files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from sgad.data.description import DatasetConfig, resize_advice
from sgad.data.pixels import Images, decode_image, fit_image, is_image_name
from sgad.data.sources.base import Labels, RawData, RawSplit, cut_off_test, shortened
from sgad.data.trees import Tree, hidden_part, member_label, read_member
from sgad.data.values import scaled_to_bytes
from sgad.errors import InputError, nearest
from sgad.machine.parallel import map_blocks

_SPLITS = {"train": "train", "training": "train", "val": "valid", "valid": "valid", "validation": "valid",
           "test": "test", "testing": "test"}  # fmt: skip
#: Tables in which other tools keep labels next to images.
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".parquet")
#: Other forms in which people have images, and how to make files of them.
_OTHER_FORMS = {
    (".parquet", ".arrow"): "write each row's image as a file, for example with the package `datasets`:"
    " `for i, row in enumerate(load_dataset(PLACE)['train']): row['image'].save(f'images/{row[\"label\"]}/{i}.png')`",
    (".heic", ".heif", ".avif", ".dng", ".cr2", ".nef"): "save them as JPEG or PNG first",
    (".npy", ".h5", ".hdf5", ".mat", ".pkl", ".pt"): "save the arrays as `numpy.savez('mine.npz', images=...,"
    " labels=...)` and write `source: npz`",
    (".tfrecord", ".lmdb", ".mdb", ".rec"): "write each record's image as a file of its own",
}
#: Images in one task of a worker.
_TASK = 128


def read_folder(root: Path, description: DatasetConfig) -> RawData | None:
    """The images below a folder or in an archive, None if it has no images."""
    tree = Tree(root)
    pattern = (description.include or "*").lower()
    images = [name for name in tree.sizes if is_image_name(name)]
    names = [name for name in images if fnmatchcase(name.rsplit("/", 1)[-1].lower(), pattern)]
    if not names:
        _refuse_other_forms(tree, images, description)
        return None
    relative, prefix = _without_common_folders(names)
    parts, oddities = _parts(root, relative, description)
    labelled = _classes(root, relative, description, has_splits="" not in parts)
    splits = _splits(root, prefix, parts, labelled, description)
    sizes = {name: tree.sizes[name] for name in names}
    ignored = [name for name in tree.sizes if name not in sizes]
    notes = (f"{len(names)} images in {root}", *_ignored(ignored, "other"), *_ignored(tree.hidden, "hidden"))
    return RawData(
        root,
        splits,
        sizes,
        labelled.names if labelled else None,
        (*notes, *(labelled.notes if labelled else ())),
        (*oddities, *_lost_labels(ignored), *_empty_folders(root, prefix, parts, names)),
    )


def _ignored(names: Sequence[str], kind: str) -> tuple[str, ...]:
    """A note that names what does not count, or nothing."""
    return (f"{len(names)} {kind} files or folders are ignored: {shortened(names)}",) if names else ()


def _empty_folders(root: Path, prefix: str, parts: dict[str, list[str]], names: list[str]) -> tuple[str, ...]:
    """What to say of folders that would be classes and hold no image that counts."""
    if not root.is_dir():
        return ()
    tops = [root / prefix] if "" in parts else [folder for folder in (root / prefix).iterdir() if folder.is_dir()]
    folders = [folder for top in tops for folder in top.iterdir() if folder.is_dir() and not hidden_part(folder.name)]
    full = {"/".join(name.split("/")[:depth]) for name in names for depth in range(1, name.count("/") + 1)}
    empty = sorted(found for folder in folders if (found := folder.relative_to(root).as_posix()) not in full)
    if not empty:
        return ()
    return (f"folders without an image are no classes: {shortened(empty)}; fill them, or name them in `classes`",)


def _lost_labels(ignored: Sequence[str]) -> tuple[str, ...]:
    tables = [name for name in ignored if name.lower().endswith(_TABLES)]
    if not tables:
        return ()
    return (
        f"{shortened(tables)} may hold labels, which are not read: a class is a folder; move the images into folders"
        " named by their label",
    )


def _refuse_other_forms(tree: Tree, images: Sequence[str], description: DatasetConfig) -> None:
    """Say what a place without images holds instead, if that is a form in which people have images."""
    if images:
        raise InputError(
            f"{tree.root} has {len(images)} images, none named like `include: {description.include}`"
            f" (the first is {images[0]}); change `include` or leave it out"
        )
    for suffixes, way in _OTHER_FORMS.items():
        found = [name for name in tree.sizes if name.lower().endswith(suffixes)]
        if found:
            raise InputError(f"{tree.root} holds {len(found)} {found[0].rsplit('.', 1)[-1]} files; {way}")


def _parts(root: Path, names: list[str], description: DatasetConfig) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Names by split ("" where the folders are no splits), and what is odd about that."""
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(_SPLITS.get(name.split("/")[0].lower(), "") if "/" in name else "", []).append(name)
    if "" in parts and "train" not in parts and len(parts) > 1 and all("/" in name for name in names):
        like = ", ".join(sorted(set(parts) - {""}))
        odd = f"{root}: {like} is read as a class, not as a split, because there is no folder train"
        return {"": names}, (odd,)
    if "" in parts and len(parts) > 1:
        raise InputError(
            f"{root}: {parts[''][0]} is outside of the folders {', '.join(sorted(set(parts) - {''}))};"
            " move it into one, or rename a class that has the name of a split"
        )
    if "train" not in parts and "" not in parts:
        raise InputError(
            f"{root} has the folders {', '.join(parts)} but no folder train; add it, or put all images into one folder"
            " and let `test_size` cut off the test split"
        )
    return parts, ()


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


@dataclass(frozen=True)
class _Labelled:
    """Classes: their names in the order of their numbers, and the folder that each name has."""

    names: tuple[str, ...]
    numbers: dict[str, int]
    notes: tuple[str, ...] = ()


def _classes(root: Path, names: list[str], description: DatasetConfig, *, has_splits: bool) -> _Labelled | None:
    depth = 1 if has_splits else 0
    folders = sorted({name.split("/")[depth] if name.count("/") > depth else "" for name in names})
    if not all(folders):
        return None
    given = description.classes
    if given is None:
        return _Labelled(tuple(folders), {folder: number for number, folder in enumerate(folders)})
    if set(folders) <= set(given):
        return _Labelled(given, {name: number for number, name in enumerate(given)})
    if len(folders) == len(given) and all(folder.isdigit() for folder in folders):
        # 0, 1, ..., 10: in the order of numbers, as who wrote them counts.
        ordered = sorted(folders, key=int)
        pairs = ", ".join(f"{folder} is {name}" for folder, name in zip(ordered, given, strict=True))
        return _Labelled(given, {folder: place for place, folder in enumerate(ordered)}, (f"classes: {pairs}",))
    strange = next(folder for folder in folders if folder not in given)
    raise InputError(
        f"{root}: folder {strange!r} is none of the description's `classes` ({', '.join(given)})"
        f"{nearest(strange, given)}; write its name there, rename it, or leave `classes` out"
    )


def _splits(
    root: Path,
    prefix: str,
    parts: dict[str, list[str]],
    labelled: _Labelled | None,
    description: DatasetConfig,
) -> dict[str, RawSplit]:
    depth = 0 if "" in parts else 1

    def labels_of(names: list[str]) -> Labels | None:
        if labelled is None:
            return None
        return np.array([labelled.numbers[name.split("/")[depth]] for name in names], np.int64)

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
    """A split whose images are decoded in blocks, on all cores, when they are asked for."""
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
    """Some image files, decoded and fitted, uint8 (n, C, H, W)."""
    planes: list[Images] = []
    for name in names:
        label = member_label(root, name)
        image = decode_image(read_member(root, name), label)
        if description.range not in (None, "byte"):
            image = Image.fromarray(scaled_to_bytes(np.asarray(image), description.range, label))
        planes.append(fit_image(image, label, description))
        if planes[-1].shape != planes[0].shape:
            raise _mixed_sizes(root, names[0], name, planes[0].shape, planes[-1].shape)
    return np.stack(planes)


def _mixed_sizes(root: Path, first: str, second: str, shape: tuple[int, ...], other: tuple[int, ...]) -> InputError:
    sizes = ["x".join(map(str, size)) for size in (shape, other)]
    what = "`channels: 1` or `channels: 3`" if shape[0] != other[0] else resize_advice(other[0])
    return InputError(
        f"{member_label(root, second)} is {sizes[1]} (channels x height x width) but {first} is {sizes[0]};"
        f" add {what} to the description"
    )
