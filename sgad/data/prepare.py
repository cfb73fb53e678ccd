"""From raw files to the prepared form: one streaming pass into a temporary folder, then one rename."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sgad import __version__
from sgad.data.check import verify_archives
from sgad.data.description import DatasetConfig, Shape, remedy, require_family
from sgad.data.exclusive import exclusive
from sgad.data.locate import download_dir, locate, scratch_name, search_dirs
from sgad.data.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from sgad.data.prepared import images_file, labels_file, load_prepared
from sgad.data.sources.base import RawData, RawSplit
from sgad.data.trees import listing_hash
from sgad.errors import InputError, RunFailure
from sgad.runs.files import sha256_of
from sgad.runs.progress import Progress

#: A folder with more source files is recorded by one hash over its listing.
_MANY_FILES = 32
#: What later stages add to a prepared folder; it holds as long as the content does.
_DERIVED = ("classifier", "features")


class ProgressLike(Protocol):
    """What `sgad.runs.progress.Progress` offers."""

    def __enter__(self) -> "ProgressLike": ...
    def __exit__(self, *problem: Any) -> None: ...
    def update(self, count: int = 1) -> None:
        """Count work as done."""


#: Called as progress(total, title=..., unit=...).
ProgressFactory = Callable[..., ProgressLike]


def prepare(
    description: DatasetConfig,
    source_dirs: Sequence[Path | str],
    out_dir: Path | str,
    download: bool = False,
    progress: ProgressFactory = Progress,
    workers: int | None = None,
) -> Manifest:
    """Write the prepared form of a data set and return its manifest; do nothing if it is already there.

    Parameters
    ----------
    source_dirs
        Folders or archives to search, and no others; empty: those of `sgad.data.locate.default_dirs`.
        Downloads go into the first.
    download
        Whether missing files may be fetched. Nothing else ever touches the network.
    progress
        Makes a progress bar, called as progress(total, title=..., unit=...).
    workers
        Processes that convert images; None: all cores.

    Raises
    ------
    InputError
        If the raw data is absent or broken, or `out_dir` holds something else.
    RunFailure
        If a download fails or the disk is full.
    """
    dirs, out = search_dirs(source_dirs), Path(out_dir)
    with exclusive(out.absolute()):
        _refuse_foreign(out)
        current = _current(description, dirs, out)
        if current is not None:
            return current
        data = _find(description, dirs, download=download, progress=progress, workers=workers)
        _check_counts(data, description)
        verify_archives(data, description)
        with _scratch(out) as scratch:
            manifest = _write(data, description, scratch, progress)
            _replace(scratch, out)
    return manifest


def _find(
    description: DatasetConfig,
    dirs: list[Path],
    *,
    download: bool,
    progress: ProgressFactory,
    workers: int | None,
) -> RawData:
    try:
        return locate(description, dirs, workers=workers)
    except InputError:
        if not download:
            raise
    if description.source == "torchvision":
        folder = download_dir(dirs)
        folder.mkdir(parents=True, exist_ok=True)
        return locate(description, [folder], download=True)
    if not description.downloads:
        raise InputError(f"{description.name} has no download; {remedy(description)}")
    from sgad.data.download import fetch_all  # the one module that opens connections

    folder = fetch_all(description, download_dir(dirs), progress)
    return locate(description, [folder], workers=workers)


def _refuse_foreign(out: Path) -> None:
    # Snakemake makes the folder, and removes an old manifest, before the rule runs.
    if out.exists() and not (out.is_dir() and all(_is_ours(path.name) for path in out.iterdir())):
        raise InputError(f"--out {out} exists and is not a prepared data set; choose another folder or move it away")


def _is_ours(name: str) -> bool:
    return name.startswith(".") or name in (MANIFEST, *_DERIVED) or name.endswith((".images.npy", ".labels.npy"))


def _current(description: DatasetConfig, dirs: list[Path], out: Path) -> Manifest | None:
    """Return the manifest of what is there, if it is whole and its description and files are the same."""
    try:
        manifest = read_manifest(out)
        load_prepared(out)
    except InputError:
        return None
    if manifest.description_hash != description.hash():
        return None
    if description.source == "simulated-events":
        return manifest
    try:
        data = locate(description, dirs)
    except InputError:
        # The raw files may be deleted once they are prepared.
        return manifest
    return manifest if listing_hash(data.sizes) == manifest.source_listing else None


def _check_counts(data: RawData, description: DatasetConfig) -> None:
    if "test" not in data.splits:
        raise InputError(f"{data.root} has no test split; {remedy(description)}")
    if description.reference_split not in data.splits:
        raise InputError(f"{data.root} has no split {description.reference_split!r}, which reference_split asks for")
    if description.counts is None or description.max_samples is not None:
        return
    for split, expected in description.counts.items():
        found = data.splits[split].count if split in data.splits else 0
        if found != expected:
            raise InputError(f"{data.root} has {found} {split} samples, {expected} expected; {remedy(description)}")


@contextlib.contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `out`; whatever happens, it is gone afterwards."""
    # What a killed process left; nobody else can be using it, the lock is ours.
    for stale in out.parent.glob(f".{out.name}-*.tmp"):
        shutil.rmtree(stale, ignore_errors=True)
    try:
        scratch = scratch_name(out)
    except OSError as error:
        raise RunFailure(f"{out.parent} cannot be written ({error.strerror or error}); choose another --out") from error
    try:
        yield scratch
    except OSError as error:
        raise RunFailure(
            f"cannot write {out} ({error.strerror or error}); free some space or choose another --out"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace(scratch: Path, out: Path) -> None:
    # mkdtemp makes private folders; data is meant to be read by others.
    scratch.chmod(0o755)
    if out.exists():
        _keep_derived(scratch, out)
        os.replace(out, scratch_name(out))
    os.replace(scratch, out)
    for stale in out.parent.glob(f".{out.name}-*.tmp"):
        shutil.rmtree(stale, ignore_errors=True)


def _keep_derived(scratch: Path, out: Path) -> None:
    try:
        same = read_manifest(out).content_hash == read_manifest(scratch).content_hash
    except InputError:
        return
    for name in _DERIVED:
        if same and (out / name).exists():
            os.replace(out / name, scratch / name)


def _write(data: RawData, description: DatasetConfig, scratch: Path, progress: ProgressFactory) -> Manifest:
    total = sum(split.count for split in data.splits.values())
    shape: tuple[int, ...] = ()
    with progress(total, title=f"prepare {description.name}", unit="samples") as bar:
        for name, split in data.splits.items():
            shape = _write_split(scratch, name, split, shape, bar, data)
    return _write_manifest(data, description, scratch, shape)


def _write_split(
    scratch: Path, name: str, split: RawSplit, shape: tuple[int, ...], bar: ProgressLike, data: RawData
) -> tuple[int, ...]:
    array: NDArray[Any] | None = None
    done = 0
    for block in split.blocks():
        if array is None:
            if shape and block.shape[1:] != shape:
                raise InputError(
                    f"{data.root}: {name} samples are {block.shape[1:]}, the others {shape}; add `resize:`"
                )
            shape = block.shape[1:]
            array = _new_array(scratch / images_file(name), (split.count, *shape), block.dtype)
        array[done : done + len(block)] = block
        done += len(block)
        bar.update(len(block))
    if array is None or done != split.count:
        raise InputError(f"{data.root}: {done} of {split.count} {name} samples could be read; mend the files")
    array.flush()  # type: ignore[attr-defined]
    if split.labels is not None:
        np.save(scratch / labels_file(name), split.labels)
    return shape


def _new_array(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    needed = int(np.prod(shape, dtype=object)) * dtype.itemsize
    free = shutil.disk_usage(path.parent).free
    # A memory map on a full disk dies by a signal, which nobody can turn into a sentence.
    if needed > free:
        raise RunFailure(f"{path.parent.parent} has {free >> 20} MiB left, {needed >> 20} are needed; free some space")
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


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
    """Return the samples of each class by split, or None without labels."""
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
