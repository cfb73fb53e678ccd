"""The figure of measures: means over seeds, each seed as a point."""

import math
from typing import TYPE_CHECKING, Any

from sgad.catalogue import FigureKind
from sgad.catalogue.metrics import metric_info
from sgad.display.labels import heading, label_runs
from sgad.display.plotting import PAGE, load_seaborn, new_figure, text_width
from sgad.store.stored import Stored
from sgad.store.summary import has_value, is_baseline

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Measures whose values lie further apart than this are drawn on a logarithmic axis.
LARGEST_RATIO = 20.0


def bars_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Means over seeds as bars or strokes, seeds as points, real training data as a dashed line; one panel a metric."""
    rows = has_value(stored.metrics[stored.metrics["dataset"] == dataset])
    models = rows[~rows["model"].map(is_baseline)]
    if models.empty:
        return None
    models = models.assign(label=label_runs(models, stored.captions))
    labels = list(dict.fromkeys(models["label"]))
    metrics = list(dict.fromkeys(models["metric"]))
    left = min(max(0.13 * PAGE, text_width(labels) + 0.15), 3.6)
    columns = min(3 if left < 1.6 else 2, len(metrics))
    num_rows = math.ceil(len(metrics) / columns)
    # Inches: a panel, the gap between two rows (ticks below, title above), the margins.
    panel, gap, above, below = 0.1 + 0.19 * len(labels), 0.5, 0.24, 0.3
    height = num_rows * panel + (num_rows - 1) * gap + above + below
    figure, axes = new_figure(
        num_rows, columns, PAGE, height,
        left=left / PAGE, right=0.985, bottom=below / height, top=1 - above / height, wspace=0.12, hspace=gap / panel,
    )  # fmt: skip
    for index, ax in enumerate(axes.flat):
        if index >= len(metrics):
            ax.set_visible(False)
            continue
        _draw_bars(ax, models[models["metric"] == metrics[index]], labels)
        ax.set(xlabel="", ylabel="", title=heading(metric_info(metrics[index])))
        _draw_floor(ax, rows, metrics[index])
        if index % columns:
            ax.set_yticklabels([])
    return figure


def _draw_bars(ax: "Axes", rows: "pd.DataFrame", labels: list[str]) -> None:
    seaborn = load_seaborn()
    shared: dict[str, Any] = {"data": rows, "x": "value", "y": "label", "order": labels, "ax": ax}
    if rows["value"].max() > LARGEST_RATIO * rows["value"].min() > 0:
        # A failed training would press all the others against the axis. A logarithmic bar has no foot to start from.
        ax.set_xscale("log")
        means = rows.groupby("label")["value"].mean().reindex(labels)
        ax.scatter(means, labels, marker="|", s=90, color="#5B8DB8", linewidths=2)
    else:
        seaborn.barplot(**shared, color="#A9C4DC", errorbar=None, width=0.7)
    seaborn.stripplot(**shared, color="#1A1A1A", size=3, jitter=False, alpha=0.85)


def _draw_floor(ax: "Axes", rows: "pd.DataFrame", metric: str) -> None:
    floor = rows[(rows["metric"] == metric) & (rows["model"] == "real_train")]["value"]
    for value in floor:
        ax.axvline(value, color="#444444", linestyle=(0, (4, 2)), linewidth=0.8)


BARS_FIGURE = FigureKind(
    key="bars",
    title=(
        "Measures: points are seeds, bars or (on logarithmic axes) strokes are their means, the dashed line is real training"
        " images"
    ),
    draw=bars_figure,
    place=2,
)
