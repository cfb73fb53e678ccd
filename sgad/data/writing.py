"""Writing the prepared form: arrays streamed block by block, then the manifest that describes them."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from sgad._version import __version__
from sgad.data.description import RANGED, DatasetConfig, Shape, require_family, resize_advice
from sgad.data.labels import numbered, odd_labels
from sgad.data.manifest import Manifest, write_manifest
from sgad.data.prepared import images_file, labels_file
from sgad.data.sources.base import RawData, RawSplit
from sgad.data.trees import listing_hash
from sgad.errors import InputError, RunFailure
from sgad.machine.files import sha256_of

#: A folder with more source files is recorded by one hash over its listing.
_MANY_FILES = 32


class ProgressLike(Protocol):
    """What `sgad.machine.progress.Progress` offers."""

    def __enter__(self) -> "ProgressLike": ...
    def __exit__(self, *problem: Any) -> None: ...
    def update(self, count: int = 1) -> None:
        """Count work as done."""


#: Called as progress(total, title=..., unit=...).
ProgressFactory = Callable[..., ProgressLike]


def write_prepared(
    data: RawData,
    description: DatasetConfig,
    scratch: Path,
    progress: ProgressFactory,
    tell: Callable[[str], None] = lambda text: None,
) -> Manifest:
    """Write arrays and manifest into the folder `scratch`, in one pass and with a few blocks in memory.

    `tell` is called with each thing that may be a mistake.
    """
    total = sum(split.count for split in data.splits.values())
    shape: tuple[int, ...] = ()
    brightest, blank = 0.0, 0
    with progress(total, title=f"prepare {description.name}", unit="samples") as bar:
        for name, split in data.splits.items():
            shape, highest, empty = _write_split(scratch, name, split, shape, bar, data)
            brightest, blank = max(brightest, highest), blank + empty
    if problem := nearly_black(brightest, description):
        raise InputError(f"{description.name}: {problem}")
    # Only now are the labels known that are read with the images.
    data = numbered(data)
    for text in (*data.oddities, *odd_labels(data), *blank_samples(blank, total)):
        tell(text)
    for name, split in data.splits.items():
        if split.labels is not None:
            np.save(scratch / labels_file(name), split.labels)
    return _write_manifest(data, description, scratch, shape)


def other_shape(data: RawData, split: str, found: tuple[int, ...], before: tuple[int, ...]) -> InputError:
    """The error of a split whose samples have another shape than those before."""
    return InputError(
        f"{data.root}: {split} samples are {found}, the others {before};"
        f" add {resize_advice(before[-3])} to the description"
    )


def nearly_black(brightest: float, description: DatasetConfig) -> str:
    """What is wrong with still images of which no pixel is brighter than 1 of 255; empty if one is, or by intent."""
    if brightest > 1 or description.is_events or description.source not in RANGED or description.range is not None:
        return ""
    return (
        "no pixel is brighter than 1 of 255, as where 0 and 1 stand for black and white; add `range: unit` to the"
        " description, or `range: byte` if the images are black"
    )


def _write_split(
    scratch: Path, name: str, split: RawSplit, shape: tuple[int, ...], bar: ProgressLike, data: RawData
) -> tuple[tuple[int, ...], float, int]:
    """Write the images of a split; the shape of a sample, the highest value of all, and how many samples are all 0."""
    done, highest, blank = 0, 0.0, 0
    # Written, not mapped: the pages of a map would count as memory, and a full disk would kill the process.
    with open(scratch / images_file(name), "wb") as stream:
        for block in split.blocks():
            if shape and block.shape[1:] != shape:
                raise other_shape(data, name, block.shape[1:], shape)
            shape = block.shape[1:]
            if not done:
                _begin_array(stream, scratch, (split.count, *shape), block.dtype)
            stream.write(np.ascontiguousarray(block).data)
            done += len(block)
            highest, blank = max(highest, float(block.max(initial=0))), blank + num_blank(block)
            bar.update(len(block))
    if done != split.count or not done:
        raise InputError(f"{data.root}: {done} of {split.count} {name} samples could be read; get the files again")
    return shape, highest, blank


def num_blank(block: NDArray[Any]) -> int:
    """How many samples of a block (n, ...) hold nothing but 0."""
    return int((~block.reshape(len(block), -1).any(axis=1)).sum())


def blank_samples(count: int, total: int) -> tuple[str, ...]:
    """What to say of samples without a single pixel or event."""
    if not count:
        return ()
    return (
        f"{count} of {total} samples are all 0, black or without events in their time bins; remove them if not meant",
    )


def _begin_array(stream: BinaryIO, scratch: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    needed = int(np.prod(shape, dtype=object)) * dtype.itemsize
    free = shutil.disk_usage(scratch).free
    if needed > free:
        raise RunFailure(f"{scratch.parent} has {free >> 20} MiB left, {needed >> 20} are needed; free some space")
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)


def _write_manifest(data: RawData, description: DatasetConfig, scratch: Path, shape: tuple[int, ...]) -> Manifest:
    sample: Shape = shape[-3:]  # type: ignore[assignment]
    try:
        family = require_family(sample)
    except ValueError as error:
        raise InputError(f"{data.root}: {error}") from error
    classes = data.classes or description.classes
    files = {path.name: sha256_of(path) for path in sorted(scratch.glob("*.npy"))}
    manifest = Manifest(
        name=description.name,
        title=description.title,
        kind=description.kind,
        shape=sample,
        family=family,
        time_bins=description.time_bins if description.is_events else None,
        counts={name: split.count for name, split in data.splits.items()},
        classes=classes,
        class_counts=class_counts(data, classes),
        licence=description.licence,
        citation=description.citation,
        origin=description.origin or str(data.root),
        substitute_for=description.substitute_for,
        simulated=description.simulated,
        caption_note=description.caption_note,
        reference_split=description.reference_split,
        flip=description.flip,
        preprocessing=_preprocessing(description),
        source_files=_source_files(data),
        source_listing=listing_hash(data.sizes),
        files=files,
        content_hash=hashlib.sha256(
            "".join(f"{name} {digest}\n" for name, digest in files.items()).encode()
        ).hexdigest(),
        description_hash=description.hash(),
        sgad_version=__version__,
    )
    write_manifest(scratch, manifest)
    return manifest


def class_counts(data: RawData, classes: tuple[str, ...] | None) -> dict[str, tuple[int, ...]] | None:
    """The samples of each class by split, or None without labels."""
    labels = {name: split.labels for name, split in data.splits.items() if split.labels is not None}
    if not labels:
        return None
    size = max(len(classes or ()), *(int(part.max()) + 1 for part in labels.values()))
    return {name: tuple(int(count) for count in np.bincount(part, minlength=size)) for name, part in labels.items()}


def _preprocessing(description: DatasetConfig) -> dict[str, str | int | float | None]:
    keys = ("channels", "crop", "resize", "test_size")
    chosen = {key: getattr(description, key) for key in keys if getattr(description, key) is not None}
    if "resize" in chosen:
        chosen["resize_filter"] = description.resize_filter
    if description.is_events:
        chosen |= {"denoise_us": description.denoise_us, "resize_filter": "bilinear, aligned corners"}
    return chosen


def _source_files(data: RawData) -> dict[str, str]:
    if len(data.sizes) > _MANY_FILES:
        return {f"{len(data.sizes)} files (hash of names and sizes)": listing_hash(data.sizes)}
    root = data.root if data.root.is_dir() else data.root.parent
    whole = [data.root.name] if data.root.is_file() else list(data.sizes)
    return {name: sha256_of(root / name) for name in whole if (root / name).is_file()}
