"""Figures of samples: grids as drawn, and grids over training."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgad.catalogue import FigureKind
from sgad.display.labels import label_runs, model_labels
from sgad.display.plotting import PAGE, new_figure, picture_sheet, wrap_label
from sgad.store.pictures import spread
from sgad.store.stored import Stored, rows_of, run_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_SEEDS_SHOWN = 3
#: So many models and variants stand side by side, each with all its seeds; more are put in rows.
MOST_CELLS = 6
CELLS_A_ROW = 5
MAX_STEPS_SHOWN = 6


def samples_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Sample grids side by side: models across, seeds down; or, in rows, the first seed of each of many models."""
    runs = stored.runs[stored.runs["dataset"] == dataset]
    labels = model_labels(runs, stored.captions)
    found = {(run.model, run.variant, run.seed): run for run in rows_of(runs)}
    pictures = {key: _picture(stored.picture(run_name(dataset, *key))) for key in sorted(found, key=lambda key: key[2])}
    drawn = {key: picture for key, picture in pictures.items() if picture is not None}
    if not drawn:
        return None
    if len(labels) > MOST_CELLS or len(found) < len(labels) * runs["seed"].nunique():
        # Too many to stand side by side, or not each with the same seeds. How the others ended stands in the table of runs.
        firsts = {cell: next((drawn[key] for key in drawn if key[:2] == cell), None) for cell in labels}
        shown = [(labels[cell], picture) for cell, picture in firsts.items() if picture is not None]
        return picture_sheet(shown, CELLS_A_ROW)
    seeds = sorted({seed for _, _, seed in drawn})[:MAX_SEEDS_SHOWN]
    titles = [wrap_label(label, 0.85 * _column_width(len(labels))) for label in labels.values()]
    figure, axes = _picture_sheet(len(seeds), len(labels), lines=max(title.count("\n") + 1 for title, _ in titles))
    for row, seed in enumerate(seeds):
        for column, cell in enumerate(labels):
            key = (*cell, seed)
            _show(axes[row][column], pictures[key], found[key].status)
            if row == 0:
                title, share = titles[column]
                axes[row][column].set_title(title, fontsize=7.5 * share, pad=3)
        axes[row][0].set_ylabel(f"seed {seed}")
    return figure


def evolution_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Grids of each model's first seed over training: models down, update pairs across."""
    runs = stored.runs[stored.runs["dataset"] == dataset].drop_duplicates(["model", "variant"])
    series = []
    for run, label in zip(rows_of(runs), label_runs(runs, stored.captions), strict=True):
        folder = stored.folder / "grids" / run_name(dataset, run.model, run.variant, run.seed)
        steps = sorted(folder.glob("step-*.webp"))
        if steps:
            series.append((label, steps))
    if not series:
        return None
    columns = min(MAX_STEPS_SHOWN, max(len(steps) for _, steps in series))
    titles = [wrap_label(label, 0.95 * _column_width(columns)) for label, _ in series]
    beside = max(title.count("\n") + 1 for title, _ in titles)
    figure, axes = _picture_sheet(len(series), columns, gap=0.18, lines_beside=beside)
    for row, (_, steps) in enumerate(series):
        for ax, path in itertools.zip_longest(axes[row], spread(steps, columns)):
            if path is None:
                ax.set_visible(False)
                continue
            _show(ax, _picture(path), "")
            ax.set_title(f"{int(path.stem.removeprefix('step-')):,}", pad=2)
        title, share = titles[row]
        axes[row][0].set_ylabel(title, fontsize=6.5 * share, labelpad=2)
    return figure


def _column_width(columns: int) -> float:
    return min((PAGE - 0.25) / columns, 1.75)


def _picture_sheet(
    rows: int, columns: int, gap: float = 0.03, lines: int = 1, lines_beside: int = 1
) -> tuple["Figure", Any]:
    """Axes for pictures, with room for titles of so many lines above and beside them."""
    side, title = 0.1 + 0.12 * lines_beside, 0.1 + 0.12 * lines
    width = side + 0.03 + min((PAGE - side - 0.03) / columns, _column_width(columns)) * columns
    height = 0.03 + title + rows * (1 + gap) * (width - side - 0.03) / columns
    return new_figure(
        rows, columns, width, height,
        left=side / width, right=1 - 0.03 / width, bottom=0.03 / height, top=1 - title / height,
        wspace=0.03, hspace=gap,
    )  # fmt: skip


def _picture(path: Path) -> Any:
    from PIL import Image

    if not path.is_file():
        return None
    with Image.open(path) as opened:
        return opened.convert("RGB")


def _show(ax: "Axes", picture: Any, otherwise: str) -> None:
    """Draw a picture without axes, or say why there is none."""
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if picture is None:
        ax.text(0.5, 0.5, otherwise or "none", ha="center", va="center", transform=ax.transAxes, color="#444444")
    else:
        ax.imshow(picture, interpolation="nearest", aspect="equal")


SAMPLES_FIGURE = FigureKind(
    key="samples", title="Samples, not selected: each model's grid as drawn", draw=samples_figure, place=3
)
EVOLUTION_FIGURE = FigureKind(
    key="evolution", title="Samples of the first seed during training", draw=evolution_figure, place=7
)
