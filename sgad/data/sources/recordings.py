"""Recordings in N-MNIST's layout: Train/ and Test/, a folder a class, a file a recording."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from sgad.data.description import DatasetConfig, fetch_again
from sgad.data.events.format import decode_events
from sgad.data.events.frames import Frames, frames_of
from sgad.data.sources.base import Labels, RawData, RawSplit, shortened
from sgad.data.trees import Tree, member_label, read_member
from sgad.errors import InputError
from sgad.machine.parallel import map_blocks

#: Where tonic (the folder itself) and spikingjelly (extract, download) keep folders and archives.
_PLACES = ("", "extract", "download")
#: Recordings of other cameras and tools.
_OTHER_FORMS = (
    ".aedat4",
    ".aedat",
    ".h5",
    ".hdf5",
    ".npy",
    ".npz",
    ".mat",
    ".es",
    ".raw",
    ".dat",
    ".bag",
    ".txt",
    ".csv",
)
_TASK = 512


def read_recordings(root: Path, description: DatasetConfig) -> RawData | None:
    """The recordings of a folder, unpacked or in Train.zip and Test.zip (any capitals)."""
    if not root.is_dir():
        return None
    found = {split: _find(root, split) for split in ("train", "test")}
    if not any(found.values()):
        _refuse_other_forms(Tree(root))
        return None
    missing = [split.capitalize() for split, place in found.items() if place is None]
    if missing:
        raise InputError(f"{root} lacks {missing[0]} (a folder, or {missing[0]}.zip); {fetch_again(description)}")
    trees = {split: Tree(place) for split, place in found.items() if place is not None}
    names = {split: _recordings(tree) for split, tree in trees.items()}
    classes = description.classes or tuple(sorted({_class_of(name) for part in names.values() for name in part}))
    splits = {split: _split(trees[split], part, classes, description) for split, part in names.items()}
    notes = [f"{len(names[split])} recordings in {tree.root}" for split, tree in trees.items()]
    for split, tree in trees.items():
        ignored = [*(name for name in tree.sizes if name not in set(names[split])), *tree.hidden]
        notes += [f"{len(ignored)} other files in {tree.root} are ignored: {shortened(ignored)}"] if ignored else []
    return RawData(root, splits, _sizes(root, trees, names), classes, tuple(notes))


def _find(root: Path, split: str) -> Path | None:
    """A split's folder if it holds recordings, else its archive, else the folder."""
    below = [root / place for place in _PLACES if (root / place).is_dir()]
    entries = [entry for folder in below for entry in sorted(folder.iterdir())]
    folders = [entry for entry in entries if entry.name.lower() == split and entry.is_dir()]
    archives = [entry for entry in entries if entry.name.lower() == f"{split}.zip" and entry.is_file()]
    whole = [folder for folder in folders if any(_is_recording(name) for name in Tree(folder).sizes)]
    return next(iter([*whole, *archives, *folders]), None)


def _is_recording(name: str) -> bool:
    return name.lower().endswith(".bin")


def _refuse_other_forms(tree: Tree) -> None:
    others = [name for name in tree.sizes if name.lower().endswith(_OTHER_FORMS)]
    if others:
        suffix = "." + others[0].rsplit(".", 1)[-1]
        raise InputError(
            f"{tree.root} holds {len(others)} {suffix} files (the first is {others[0]}) and no .bin recordings; convert"
            " each with `sgad.data.events.format.encode_events`, as docs/adding-a-dataset.md shows, and write `sensor:`"
        )


def _class_of(name: str) -> str:
    return name.split("/")[-2] if "/" in name else ""


def _recordings(tree: Tree) -> list[str]:
    """The recordings in the order of their numbers, which is that of MNIST, not of the classes."""
    names = [name for name in tree.sizes if _is_recording(name)]
    if not names:
        _refuse_other_forms(tree)
        raise InputError(f"{tree.root} holds no recording (.bin); get it again")
    loose = next((name for name in names if not _class_of(name)), None)
    if loose is not None:
        raise InputError(f"{tree.label(loose)} is outside of a class's folder; move it into one")
    return sorted(names, key=lambda name: (name.rsplit("/", 1)[-1], name))


def _split(tree: Tree, names: list[str], classes: tuple[str, ...], description: DatasetConfig) -> RawSplit:
    index = {name: number for number, name in enumerate(classes)}
    strange = next((name for name in names if _class_of(name) not in index), None)
    if strange is not None:
        raise InputError(
            f"{tree.label(strange)} is in a folder that is no class ({', '.join(classes)}); remove it, or name its class"
            " in `classes`"
        )
    labels: Labels = np.array([index[_class_of(name)] for name in names], np.int64)
    tasks = [names[start : start + _TASK] for start in range(0, len(names), _TASK)]

    def blocks() -> Iterator[Frames]:
        return map_blocks(partial(decode_recordings, tree.root, description), tasks)

    return RawSplit(len(names), labels, blocks)


def decode_recordings(root: Path, description: DatasetConfig, names: list[str]) -> Frames:
    """Float32 (n, T, 2, H, W) of some recordings: denoised, binned, resized."""
    side = description.shape[1] if description.shape is not None else 28
    return np.stack(
        [
            frames_of(
                decode_events(read_member(root, name), member_label(root, name), description.sensor),
                description.time_bins or 1,
                description.denoise_us,
                side,
                description.sensor,
            )
            for name in names
        ]
    )


def _sizes(root: Path, trees: dict[str, Tree], names: dict[str, list[str]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for split, tree in trees.items():
        place = tree.root.relative_to(root).as_posix()
        if tree.root.is_file():
            sizes[place] = tree.root.stat().st_size
        else:
            sizes |= {f"{place}/{name}": tree.sizes[name] for name in names[split]}
    return sizes
