"""How figures look: sizes of a two-column paper, colours that survive grey and colour blindness."""

import math
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgad.machine.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Inches: one column and both columns of a two-column paper.
COLUMN, PAGE = 3.5, 7.16
#: Okabe and Ito's colours, ordered so that neighbours differ in lightness, too; as many as there are dashes.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000", "#8C8C00")
DASHES: tuple[Any, ...] = (
    "",
    (4, 1.5),
    (1, 1),
    (3, 1, 1, 1),
    (5, 1, 1, 1, 1, 1),
    (2, 2),
    (6, 2),
    (1, 2),
)
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "font.size": 7,
    "axes.labelsize": 7,
    "axes.titlesize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.0,
    # Seaborn's "whitegrid", written out: most figures do without importing seaborn.
    "axes.axisbelow": True,
    "axes.edgecolor": "#CCCCCC",
    "axes.grid": True,
    "axes.labelcolor": "#262626",
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": "#D9D9D9",
    "text.color": "#262626",
    "xtick.color": "#262626",
    "ytick.color": "#262626",
    "xtick.bottom": False,
    "ytick.left": False,
    "lines.solid_capstyle": "round",
    # Same content, same bytes: ids from a fixed salt, and text as text, which stays small and searchable.
    "svg.hashsalt": "sgad",
    "svg.fonttype": "none",
    "savefig.facecolor": "white",
}
_DPI = 150


def load_seaborn() -> Any:
    """Seaborn with pyplot on matplotlib's file backend.

    Seaborn takes SciPy for density plots and dendrograms only, and has its own way without it. Importing
    scipy.stats costs 0.6 s of the 5 that `regenerate` has, so seaborn is told that there is none, unless it
    is loaded already.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")
    with _hidden("scipy.stats", "scipy.cluster"):
        import seaborn
    return seaborn


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def paper_style() -> Iterator[None]:
    """Draw with our fonts and lines inside the block; matplotlib's settings are restored after it."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def new_figure(
    rows: int, columns: int, width: float, height: float, *, share_x: bool = False, **margins: float
) -> tuple["Figure", Any]:
    """A figure and its axes (rows, columns); margins are those of `subplots_adjust`.

    The margins are given because matplotlib's automatic layouts draw everything twice.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    axes = figure.subplots(rows, columns, squeeze=False, sharex=share_x)
    figure.subplots_adjust(**margins)
    return figure, axes


def legend_columns(labels: Sequence[str]) -> int:
    """How many labels fit side by side above a figure that is a page wide, each with its line."""
    return max(1, min(len(labels), 6, int(PAGE / (0.5 + text_width(labels)))))


def text_width(labels: Sequence[str]) -> float:
    """About how wide the longest of some labels is, in inches."""
    return 0.056 * max(map(len, labels))


def wrap_label(label: str, width: float) -> tuple[str, float]:
    """Break a label that is wider than `width` inches before its bracket and behind plus signs.

    Returns it with the share of its size at which even its widest line fits.
    """
    if text_width([label]) <= width:
        return label, 1.0
    broken = _broken(label, width)
    return broken, min(1.0, width / text_width(broken.split("\n")))


def _broken(label: str, width: float) -> str:
    head, bracket, changes = label.partition(" (")
    lines = [head, ""] if bracket else [""]
    for part in re.findall(r"[^+]*\+?", (bracket.strip() + changes) if bracket else head):
        if lines[-1] and text_width([lines[-1] + part]) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line for line in lines if line)


def picture_sheet(pictures: Sequence[tuple[str, Any]], columns: int) -> "Figure":
    """Labelled pictures in rows of at most `columns`."""
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    width = (PAGE - 0.1) / columns - 0.08
    tallest = max(picture.height / picture.width for _, picture in pictures)
    cell = min(width * tallest, 2.6)
    titles = [wrap_label(label, width) for label, _ in pictures]
    gap = 0.06 + 0.11 * max(2, max(label.count("\n") + 1 for label, _ in titles))
    height = rows * (cell + gap) + 0.05
    figure, axes = new_figure(
        rows, columns, PAGE, height, left=0.01, right=0.99, bottom=0.02 / height, top=1 - (gap - 0.02) / height,
        wspace=0.04, hspace=gap / cell,
    )  # fmt: skip
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (label, share), (_, picture) in zip(axes.flat, titles, pictures, strict=False):
        ax.imshow(picture, interpolation="nearest", aspect="equal")
        ax.set_title(label, fontsize=6.5 * share, pad=2)
    return figure


def line_styles(labels: Sequence[str], markers: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """The keywords of matplotlib's lines that tell each label's line from the others'.

    Up to eight lines each have a colour and dashes of their own, so that they differ without colour. Of more, "SGAD (stable)"
    has the colour of its model and the dashes of its variant; where that does not tell them apart, dashes change after
    each round of colours.
    """
    several = _by_model_and_variant(labels) if len(labels) > len(COLOURS) else None
    places = several or [(index, index + index // len(COLOURS)) for index in range(len(labels))]
    return {
        label: {
            "color": COLOURS[colour % len(COLOURS)],
            "linestyle": (0, pattern) if (pattern := DASHES[dash % len(DASHES)]) else "-",
            **({"marker": markers[index % len(markers)], "markersize": 3} if markers else {}),
        }
        for index, (label, (colour, dash)) in enumerate(zip(labels, places, strict=True))
    }


def _by_model_and_variant(labels: Sequence[str]) -> list[tuple[int, int]] | None:
    """Each label's (colour, dashes) by what stands before and in its bracket, or None if either has too many."""
    parts = [label.partition(" (") for label in labels]
    models = list(dict.fromkeys(model for model, _, _ in parts))
    variants = list(dict.fromkeys(variant for _, _, variant in parts))
    if len(models) == 1 or max(len(models), len(variants)) > len(COLOURS):
        return None
    return [(models.index(model), variants.index(variant)) for model, _, variant in parts]


def line_legend(figure: "Figure", styles: Mapping[str, Mapping[str, Any]]) -> None:
    """Name above the panels what each style of line stands for."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], **style) for style in styles.values()]
    columns = legend_columns(list(styles))
    figure.legend(lines, list(styles), loc="upper center", ncols=columns, frameon=False, handlelength=3)


def save_figure(figure: "Figure", stem: Path) -> list[Path]:
    """Write stem.svg and stem.png; the same figure gives the same bytes."""
    written = []
    for suffix, metadata in ((".svg", {"Date": None, "Creator": "sgad"}), (".png", {"Software": "sgad"})):
        # Names hold dots, which Path.with_suffix would take for suffixes.
        path = stem.parent / f"{stem.name}{suffix}"
        with paper_style(), atomic_write(path) as temporary:
            figure.savefig(temporary, dpi=_DPI, metadata=metadata)
        written.append(path)
    return written
