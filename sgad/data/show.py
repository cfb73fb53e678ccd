"""A picture of real samples after preprocessing, with counts and the number of each class."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sgad.data.events.export import colour_frames, save_gif
from sgad.data.pixels import Images, tile
from sgad.data.prepared import Prepared, PreparedSplit, load_prepared
from sgad.errors import InputError
from sgad.machine.files import atomic_write

_ROWS, _COLUMNS = 8, 16
_LINE = 14
#: Milliseconds that a time bin is shown.
_FRAME_MS = 250


@dataclass(frozen=True)
class Shown:
    """Where the picture is, and the lines below it."""

    path: Path
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([*self.lines, f"picture: {self.path}"])


def show_dataset(folder: Path | str, out: Path | str | None = None) -> Shown:
    """Draw samples of a prepared data set: a PNG grid; for events a GIF, or a PNG with bins side by side.

    Without `out` the picture is NAME.png, or NAME.gif for events, in the current folder.

    Raises
    ------
    InputError
        If the folder is not prepared, or `out` has another suffix than .png or .gif.
    """
    prepared = load_prepared(folder)
    path = Path(out or f"{prepared.manifest.name}.{'gif' if prepared.manifest.is_events else 'png'}")
    if path.suffix not in (".png", ".gif"):
        raise InputError(f"--out {path} has another suffix than .png and .gif; choose one of these")
    if path.suffix == ".gif" and not prepared.manifest.is_events:
        raise InputError(f"--out {path}: {prepared.manifest.name} holds images, not events; use .png")
    lines = describe(prepared)
    if path.suffix == ".gif":
        frames = [_with_text(grid, lines) for grid in _event_grids(prepared)]
        save_gif([np.asarray(frame) for frame in frames], path, _FRAME_MS)
    else:
        picture = _with_text(_event_strip(prepared) if prepared.manifest.is_events else _image_grid(prepared), lines)
        with atomic_write(path) as temporary:
            picture.save(temporary, format="PNG")
    return Shown(path, tuple(lines))


def describe(prepared: Prepared) -> list[str]:
    """Counts, shape, the number of each class and what every caption must say, a line each."""
    manifest = prepared.manifest
    counts = ", ".join(f"{count} {split}" for split, count in manifest.counts.items())
    shape = "x".join(map(str, manifest.shape))
    lines = [
        f"{manifest.title}: {counts}; {shape}" + (f", {manifest.time_bins} time bins" if manifest.is_events else "")
    ]
    for split, numbers in (manifest.class_counts or {}).items():
        lines += _class_lines(split, numbers, manifest.classes)
    if manifest.caption_note:
        lines.append(f"Note: {manifest.caption_note}")
    return lines


def _class_lines(split: str, numbers: tuple[int, ...], classes: tuple[str, ...] | None) -> list[str]:
    names = classes or tuple(str(number) for number in range(len(numbers)))
    if len(numbers) > 20:
        few, many = min(numbers), max(numbers)
        each = f"{few}" if few == many else f"{few} to {many}"
        return [f"{split}: {len(numbers)} classes, {each} samples each"]
    return [f"{split}: " + ", ".join(f"{name} {number}" for name, number in zip(names, numbers, strict=True))]


def _choose(split: PreparedSplit, rows: int, columns: int) -> NDArray[np.int64]:
    """Samples for the grid: spread over the split, sorted by class so that a row shows one kind."""
    count = min(rows * columns, len(split))
    chosen = np.linspace(0, len(split) - 1, count).astype(np.int64)
    return chosen if split.labels is None else chosen[np.argsort(split.labels[chosen], kind="stable")]


def _image_grid(prepared: Prepared) -> Images:
    images = np.asarray(prepared.train.images[_choose(prepared.train, _ROWS, _COLUMNS)])
    colour = np.repeat(images, 3, axis=1) if images.shape[1] == 1 else images
    return tile(colour.transpose(0, 2, 3, 1), _COLUMNS)


def _event_samples(prepared: Prepared, rows: int, columns: int) -> Images:
    frames = np.asarray(prepared.train.images[_choose(prepared.train, rows, columns)])
    return colour_frames(frames)


def _event_grids(prepared: Prepared) -> list[Images]:
    colours = _event_samples(prepared, _ROWS, _COLUMNS)
    return [tile(colours[:, step], _COLUMNS) for step in range(colours.shape[1])]


def _event_strip(prepared: Prepared) -> Images:
    steps = int(prepared.manifest.time_bins or 1)
    across = max(1, _COLUMNS // steps)
    colours = _event_samples(prepared, _ROWS, across)
    return tile(colours.reshape(-1, *colours.shape[2:]), across * steps)


def _with_text(grid: Images, lines: list[str]) -> Image.Image:
    height, width = grid.shape[:2]
    needed = max(int(ImageDraw.Draw(Image.new("RGB", (1, 1))).textlength(line)) + 8 for line in lines)
    picture = Image.new("RGB", (max(width, needed), height + _LINE * len(lines) + 6), "white")
    picture.paste(Image.fromarray(grid), (0, 0))
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        pen.text((4, height + 3 + _LINE * number), line, fill="black")
    return picture
