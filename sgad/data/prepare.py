"""From raw files to the prepared form: one streaming pass into a temporary folder, then one rename."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sgad.data.check import verify_archives
from sgad.data.description import DatasetConfig, fetch_again, remedy
from sgad.data.locate import download_dir, locate, scratch_folders, scratch_name, search_dirs
from sgad.data.manifest import MANIFEST, Manifest, read_manifest
from sgad.data.prepared import SYNTHETIC_NEURONS, load_prepared
from sgad.data.sources.base import RawData
from sgad.data.trees import listing_hash
from sgad.data.writing import ProgressFactory, write_prepared
from sgad.errors import InputError, RunFailure
from sgad.machine.files import share_folder, write_failure
from sgad.machine.locks import exclusive
from sgad.machine.progress import Progress

#: What later stages add to a prepared folder; it holds as long as the content does.
_DERIVED = ("classifier", "features", SYNTHETIC_NEURONS)


def prepare(
    description: DatasetConfig,
    source_dirs: Sequence[Path | str],
    out_dir: Path | str,
    download: bool = False,
    progress: ProgressFactory = Progress,
    tell: Callable[[str], None] = lambda text: None,
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
    tell
        Called with each thing that may be a mistake in the data.

    Raises
    ------
    InputError
        If the raw data is absent or broken, or `out_dir` holds something else.
    RunFailure
        If a download fails or the disk is full.
    """
    dirs, out = search_dirs(source_dirs, may_be_made=download), _place(Path(out_dir))
    with exclusive(out.absolute()):
        _refuse_foreign(out)
        current = _current(description, dirs, out)
        if current is not None:
            return current
        data = _find(description, dirs, download=download, progress=progress)
        _check_counts(data, description)
        verify_archives(data, description)
        with _scratch(out) as scratch:
            manifest = write_prepared(data, description, scratch, progress, tell)
            _replace(scratch, out)
    return manifest


def _find(
    description: DatasetConfig,
    dirs: list[Path],
    *,
    download: bool,
    progress: ProgressFactory,
) -> RawData:
    try:
        return locate(description, dirs)
    except InputError:
        if not download:
            raise
    if description.source == "torchvision":
        folder = download_dir(dirs)
        folder.mkdir(parents=True, exist_ok=True)
        return locate(description, [folder], download=True)
    if not description.downloads:
        raise InputError(f"{description.name} has no download; {remedy(description)}")
    from sgad.data.download import fetch_all  # what opens connections is loaded only for them

    folder = fetch_all(description, download_dir(dirs), progress)
    return locate(description, [folder])


def _place(out: Path) -> Path:
    """Where a folder is: a link, as people make one to another disk, is followed, so that the last rename stays there."""
    return out.resolve() if out.is_symlink() else out


def _refuse_foreign(out: Path) -> None:
    # Snakemake makes the folder, and removes an old manifest, before the rule runs.
    if out.exists() and not (out.is_dir() and all(_is_ours(path.name) for path in out.iterdir())):
        raise InputError(f"--out {out} exists and is not a prepared data set; choose another folder or move it away")


def _is_ours(name: str) -> bool:
    return name.startswith(".") or name in (MANIFEST, *_DERIVED) or name.endswith((".images.npy", ".labels.npy"))


def _current(description: DatasetConfig, dirs: list[Path], out: Path) -> Manifest | None:
    """The manifest of what is there, if it is whole and its description and files are the same."""
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
        raise InputError(f"{data.root} has no test split; add a folder test, or `test_size: 0.1` to the description")
    if description.reference_split not in data.splits:
        raise InputError(
            f"{data.root} has no split {description.reference_split!r}, which `reference_split` names;"
            f" write one of {', '.join(data.splits)} there"
        )
    if description.counts is None or description.max_samples is not None:
        return
    for split, expected in description.counts.items():
        found = data.splits[split].count if split in data.splits else 0
        if found != expected:
            raise InputError(
                f"{data.root} has {found} {split} samples, {expected} expected; {fetch_again(description)}"
            )


@contextlib.contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """Yield a temporary folder next to `out`; whatever happens, it is gone afterwards."""
    # What a killed process left; nobody else can be using it, the lock is ours.
    for stale in scratch_folders(out):
        shutil.rmtree(stale, ignore_errors=True)
    try:
        scratch = scratch_name(out)
    except OSError as error:
        raise RunFailure(f"{out.parent} cannot be written ({error.strerror or error}); choose another --out") from error
    try:
        yield scratch
    except OSError as error:
        raise write_failure(out, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace(scratch: Path, out: Path) -> None:
    share_folder(scratch)
    if out.exists():
        _keep_derived(scratch, out)
        os.replace(out, scratch_name(out))
    os.replace(scratch, out)
    for stale in scratch_folders(out):
        shutil.rmtree(stale, ignore_errors=True)


def _keep_derived(scratch: Path, out: Path) -> None:
    try:
        same = read_manifest(out).content_hash == read_manifest(scratch).content_hash
    except InputError:
        return
    for name in _DERIVED:
        if same and (out / name).exists():
            os.replace(out / name, scratch / name)
