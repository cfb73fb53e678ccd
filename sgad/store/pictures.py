"""Small copies of the pictures that a run leaves: sample grid, grids over training, time steps, event GIF."""

import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from sgad.catalogue.lookup import analysis_pictures
from sgad.machine.files import atomic_write

GRID_PIXELS = 512
STEP_PIXELS = 256
STEPS_KEPT = 12
GIF_BYTES = 1_500_000


def collect_pictures(
    folder: Path, runs: Iterable[tuple[str, Path]], detailed: set[str], kept: Collection[str] = ()
) -> list[Path]:
    """Copy each run's pictures to `folder` and remove those of runs that are not listed.

    Parameters
    ----------
    runs
        (name of the run's pictures, run folder).
    detailed
        Names of the runs whose pictures over training are kept, too; the others keep the last one only.
    kept
        Names of runs whose pictures were copied before and stay as they are.

    Returns
    -------
    The files written: NAME.png, NAME.gif, NAME-steps.png, NAME/step-000500.webp (small and lossy), and what the analyses
    drew, for example NAME-interpolation.png.
    """
    written: list[Path] = []
    for name, run_folder in runs:
        written += _shrunk(run_folder / "grid.png", folder / f"{name}.png", GRID_PIXELS)
        written += _shrunk(run_folder / "steps.png", folder / f"{name}-steps.png", 2 * GRID_PIXELS)
        written += _copied(run_folder / "sample.gif", folder / f"{name}.gif")
        for drawn in analysis_pictures():
            source, target = run_folder / drawn, folder / f"{name}-{drawn}"
            written += _copied(source, target) if target.suffix == ".gif" else _shrunk(source, target, 2 * GRID_PIXELS)
        if name in detailed:
            for path in spread(sorted((run_folder / "grids").glob("step-*.png")), STEPS_KEPT):
                written += _shrunk(path, folder / name / f"{path.stem}.webp", STEP_PIXELS)
    _remove_others(folder, {*written, *(path for name in kept for path in pictures_of(folder, name))})
    return written


def copy_pictures(source: Path, target: Path, names: Collection[str]) -> None:
    """Copy the pictures of the named runs from one grids/ folder to another that has none of them."""
    for name in names:
        for path in pictures_of(source, name) if not pictures_of(target, name) else ():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def pictures_of(folder: Path, name: str) -> list[Path]:
    """The pictures of one run that `folder` holds; those of the reference are WebP."""
    endings = (".png", ".gif", "-steps.png", *(f"-{drawn}" for drawn in analysis_pictures()))
    both = [variant for ending in endings for variant in dict.fromkeys((ending, ending.replace(".png", ".webp")))]
    single = [folder / f"{name}{ending}" for ending in both]
    return [*(path for path in single if path.is_file()), *sorted((folder / name).glob("step-*.webp"))]


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of the paths, evenly spread, first and last among them."""
    if len(paths) <= count:
        return list(paths)
    return [paths[round(index * (len(paths) - 1) / (count - 1))] for index in range(count)]


def _shrunk(source: Path, target: Path, pixels: int) -> list[Path]:
    """Copy a picture, at most `pixels` wide and high; an absent or unreadable one is left out."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source) as opened:
            picture = opened.convert("RGB")
    except (FileNotFoundError, UnidentifiedImageError, OSError):
        return []
    red, green, blue = picture.split()
    if red.tobytes() == green.tobytes() == blue.tobytes():
        picture = red
    if max(picture.size) > pixels:
        picture.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    with atomic_write(target) as temporary:
        if target.suffix == ".webp":
            picture.convert("RGB").save(temporary, quality=75, method=4)
        else:
            picture.save(temporary, optimize=True)
    return [target]


def _copied(source: Path, target: Path) -> list[Path]:
    if not source.is_file() or source.stat().st_size > GIF_BYTES:
        return []
    with atomic_write(target) as temporary:
        shutil.copyfile(source, temporary)
    return [target]


def _remove_others(folder: Path, kept: set[Path]) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path not in kept:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
