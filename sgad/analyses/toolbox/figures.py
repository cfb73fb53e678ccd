"""Figures of an analysis: quantities against time or position, and the pictures that it drew."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sgad.display.findings import findings
from sgad.display.labels import model_labels
from sgad.display.plotting import PAGE, legend_columns, line_legend, line_styles, new_figure, picture_sheet
from sgad.store.stored import Stored, rows_of, run_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
#: (quantity, part, title, label of the axis).
Panel = tuple[str, str, str, str]
Draw = Callable[[Stored, str], "Figure | None"]


def draw_lines(stored: Stored, analysis: str, dataset: str, panels: Sequence[Panel], x_label: str) -> "Figure | None":
    """One panel a (quantity, part, title, axis label), one line a model: mean over seeds against position."""
    frame = findings(stored, analysis, dataset)
    present = [panel for panel in panels if not _rows(frame, panel[0], panel[1]).empty]
    if not present:
        return None
    labels = model_labels(frame, stored.captions)
    columns = 2 if len(present) == 4 else min(3, len(present))
    rows = math.ceil(len(present) / columns)
    above = 0.3 + 0.14 * math.ceil(len(labels) / legend_columns(list(labels.values())))
    height = above + rows * 1.75 + 0.1
    figure, axes = new_figure(
        rows, columns, PAGE, height,
        left=0.075, right=0.985, bottom=0.42 / height, top=1 - above / height, wspace=0.28, hspace=0.5,
    )  # fmt: skip
    for ax, (quantity, part, title, label) in zip(axes.flat, present, strict=False):
        _draw_models(ax, _rows(frame, quantity, part), labels)
        ax.set(title=title, ylabel=label, xlabel=x_label)
    for ax in axes.flat[len(present) :]:
        ax.set_visible(False)
    line_legend(figure, line_styles(list(labels.values()), MARKERS))
    return figure


def _rows(frame: "pd.DataFrame", quantity: str, part: str) -> "pd.DataFrame":
    return frame[(frame["quantity"] == quantity) & (frame["part"] == part)]


def _draw_models(ax: "Axes", rows: "pd.DataFrame", labels: dict[tuple[str, str], str]) -> None:
    from matplotlib.ticker import MaxNLocator

    styles = line_styles(list(labels.values()), MARKERS)
    for (model, variant), label in labels.items():
        own = rows[(rows["model"] == model) & (rows["variant"] == variant)]
        if own.empty:
            continue
        means = own.groupby("position")["value"].mean()
        ax.plot(means.index, means.to_numpy(), **styles[label], lw=0.9)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))


def pictures(suffix: str, columns: int) -> Draw:
    """What draws the pictures SUFFIX.png of the runs' folders, labelled, in rows of at most `columns`."""
    return lambda stored, dataset: _pictures(stored, dataset, suffix, columns)


def _pictures(stored: Stored, dataset: str, suffix: str, columns: int) -> "Figure | None":
    """The pictures that an analysis drew, one a model and variant, of the first seed that has one."""
    from PIL import Image

    runs = stored.runs[stored.runs["dataset"] == dataset]
    labels = model_labels(runs, stored.captions)
    found = {}
    for run in rows_of(runs):
        path = stored.picture(f"{run_name(dataset, run.model, run.variant, run.seed)}-{suffix}")
        label = labels[run.model, run.variant]
        if path.is_file() and label not in found:
            with Image.open(path) as opened:
                found[label] = opened.convert("RGB")
    return picture_sheet(list(found.items()), columns) if found else None
