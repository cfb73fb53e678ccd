"""An own, finished experiment becomes the reference: results/experiments/E to results/reference/E.

What follows from stored numbers (figures, LaTeX, the page) is left behind; pictures become WebP, histories are compressed.
"""

import gzip
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sgad.errors import InputError
from sgad.machine.files import atomic_write, read_json, write_json, write_text
from sgad.store.pictures import spread
from sgad.store.provenance import FILE_NAME, collected_hashes, read_provenance, read_rows
from sgad.store.stored import HISTORIES_PACKED, METRICS, REFERENCE, experiment_folder

#: No file of the reference may be larger; the repository has to stay small (tests/test_repository.py).
LARGEST_FILE = 1_000_000
#: Pictures over training that are kept of a run: as many as the figure `evolution` shows.
FRAMES = 6
FRAME_PIXELS = 192
#: WebP's qualities: of sample sheets, which are looked at closely, and of pictures over training.
SHEET_QUALITY, FRAME_QUALITY = 75, 50
_COPIED = (METRICS, "runs.csv", "analyses.csv", "captions.json")


def publish(
    name: str,
    results_dir: Path | str = "results",
    *,
    findings: Sequence[str],
    mixed_machines: str = "",
    incomplete: str = "",
    with_frames: bool = False,
) -> Path:
    """Write results/reference/NAME from the own results of an experiment; return its folder.

    Parameters
    ----------
    findings
        What the audit of the experiment found; anything in it is a reason to refuse.
    mixed_machines, incomplete
        Why runs of several machines, or absent runs, are all right; stored with the results. Without a reason they are refused.

    with_frames
        Whether pictures over training are kept: where a figure of the experiment shows them.

    Raises
    ------
    InputError
        If the results do not qualify; the reference is then as it was.
    """
    folder = require_own(name, results_dir)
    if findings:
        raise InputError(
            f"the audit of {name} has {len(findings)} findings, the first: {findings[0]}; `sgad audit {name}` lists them"
        )
    for reason in _reasons_against(name, folder, mixed_machines, incomplete):
        raise InputError(reason)
    remarks = {"mixed machines": mixed_machines, "absent runs": incomplete}
    target = Path(results_dir) / REFERENCE / name
    write_reference(folder, target, {key: text for key, text in remarks.items() if text}, with_frames=with_frames)
    return target


def require_own(name: str, results_dir: Path | str = "results") -> Path:
    """The folder of the own results of an experiment.

    Raises
    ------
    InputError
        If there are none.
    """
    folder = experiment_folder(results_dir, name)
    if not (folder / METRICS).is_file():
        raise InputError(f"{folder} holds no own results of {name}; run `snakemake --config experiment={name}` first")
    return folder


def _reasons_against(name: str, folder: Path, mixed_machines: str, incomplete: str) -> Iterator[str]:
    rows = read_rows(folder / "runs.csv")
    for row in rows:
        commit, run = row.get("commit") or "", row["run_dir"]
        if row.get("config_hash") and (not commit or commit.endswith("+")):
            what = f"commit {commit[:-1]} with changes that were not committed" if commit else "no commit"
            yield f"{run} was trained from {what}, so that nobody could train it again; commit, then train it from there"
    machines = sorted({row["machine"] for row in rows if row.get("machine")})
    if len(machines) > 1 and not mixed_machines:
        yield (
            f"the runs of {name} are of {len(machines)} machines ({'; '.join(machines)}), whose seconds and bits differ; say why"
            ' that is all right with --mixed-machines "..."'
        )
    absent = [row["run_dir"] for row in rows if row.get("status") in ("absent", "running", "failed")]
    if absent and not incomplete:
        yield (
            f"{len(absent)} runs of {name} have no result, the first {absent[0]}; train them, or say why that is all right with"
            ' --incomplete "..."'
        )


def write_reference(folder: Path, target: Path, remarks: dict[str, str], *, with_frames: bool = False) -> None:
    """Write the small copy of a collected experiment; it replaces an older one at once or not at all.

    Raises
    ------
    InputError
        If a file would be too large for the repository.
    """
    fresh, before = (target.with_name(f".{target.name}.{part}") for part in ("new", "old"))
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        _fill(folder, fresh, remarks, with_frames)
        shutil.rmtree(before, ignore_errors=True)
        if target.exists():
            target.rename(before)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)


def _fill(folder: Path, target: Path, remarks: dict[str, str], with_frames: bool) -> None:
    for name in _COPIED:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
    _pack(folder / "histories.csv", target / HISTORIES_PACKED)
    for path in sorted((folder / "tables").glob("*.md")):
        (target / "tables").mkdir(exist_ok=True)
        shutil.copyfile(path, target / "tables" / path.name)
    for path in _pictures(folder / "grids", FRAMES if with_frames else 0):
        _shrink(path, target / "grids" / path.relative_to(folder / "grids"))
    provenance = dict(read_provenance(folder))
    write_json(target / FILE_NAME, provenance | {"files": collected_hashes(target), "remarks": remarks})
    large = [path for path in sorted(target.rglob("*")) if path.is_file() and path.stat().st_size > LARGEST_FILE]
    if large:
        raise InputError(
            f"{large[0].relative_to(target)} has {large[0].stat().st_size:,} bytes, more than the {LARGEST_FILE:,} that a file of"
            " the reference may have; split the experiment"
        )


def keep_tables(made: Iterable[Path], folder: Path) -> list[Path]:
    """Copy Markdown tables that were made again to a reference experiment; remove those that it no longer has.

    They follow from the stored numbers and are kept for readers on the web alone, so that they have no hash.
    """
    kept = {folder / "tables" / path.name: path for path in made if path.suffix == ".md"}
    for path in sorted((folder / "tables").glob("*.md")):
        if path not in kept:
            path.unlink()
    for target, path in kept.items():
        write_text(target, path.read_text(encoding="utf-8"))
    return list(kept)


def _pack(source: Path, target: Path) -> None:
    # No name and no time inside: the same histories give the same bytes.
    with open(target, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(source.read_bytes())


def _pictures(grids: Path, frames: int) -> Iterator[Path]:
    """Each single picture, and at most `frames` of the pictures over training."""
    for path in sorted(grids.iterdir()) if grids.is_dir() else ():
        if path.is_dir():
            yield from spread(sorted(path.glob("step-*.webp")), frames) if frames else ()
        else:
            yield path


def _shrink(source: Path, target: Path) -> None:
    from PIL import Image

    is_frame = source.parent.name != "grids"
    with Image.open(source) as opened:
        # Animations stay as they are, and so does what was small and lossy already.
        if source.suffix == ".gif" or (source.suffix == ".webp" and not (is_frame and opened.width > FRAME_PIXELS)):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            return
        picture = opened.convert("RGB")
    with atomic_write(target.with_suffix(".webp")) as temporary:
        if is_frame:
            picture.thumbnail((FRAME_PIXELS, FRAME_PIXELS), Image.Resampling.LANCZOS)
        picture.save(temporary, quality=FRAME_QUALITY if is_frame else SHEET_QUALITY, method=6)


def remarks_of(folder: Path) -> dict[str, str]:
    """What was said of a reference when it was published: why it has runs of several machines, or absent ones."""
    path = folder / FILE_NAME
    remarks = read_json(path).get("remarks", {}) if path.is_file() else {}
    return {str(key): str(text) for key, text in remarks.items()} if isinstance(remarks, dict) else {}
