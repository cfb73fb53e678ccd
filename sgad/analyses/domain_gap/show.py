"""The table and figures of the domain gap."""

import math
from typing import TYPE_CHECKING

from sgad.analyses.toolbox.figures import draw_lines
from sgad.analyses.toolbox.tables import DECIMALS, YARDSTICKS, Shown
from sgad.display.findings import findings
from sgad.display.labels import model_labels
from sgad.display.plotting import PAGE, line_legend, line_styles, new_figure
from sgad.store.stored import Stored

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


_GAPS = {
    "critic_to_shown": "critic against shown",
    "critic_to_data": "critic against data",
    "shown_to_data": "shown against data",
}
#: Sets of pixel values, and what the legend calls them.
SETS = {"critic": "shown to the critic", "shown": "shown to a person", "data": "data"}


def domain_gap_columns(frame: "pd.DataFrame") -> list[Shown]:
    """Distances between critic's and person's images and the data, by each yardstick; mean over steps."""
    columns = [
        Shown(YARDSTICKS[part], quantity, part, DECIMALS[part], group=group)
        for quantity, group in _GAPS.items()
        for part in YARDSTICKS
        if (frame["part"] == part).any()
    ]
    return [
        *columns,
        Shown("critic", "on_lattice", "critic", 3, group="pixels on k/T"),
        Shown("shown", "on_lattice", "shown", 3, group="pixels on k/T"),
    ]


def domain_gap_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Distances of what the critic is shown against time."""
    panels = [
        (quantity, part, title, label)
        for part, label in (("classifier", "CFD"), ("pixels", "pixel W1"))
        for quantity, title in (("critic_to_shown", "critic against person"), ("critic_to_data", "critic against data"))
    ]
    return draw_lines(stored, "domain_gap", dataset, panels, "time step")


def pixel_values_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Histograms of pixel values, one panel a model: what the critic is shown, what a person is shown, data."""
    frame = findings(stored, "domain_gap", dataset)
    rows = frame[frame["quantity"] == "pixel_histogram"]
    if rows.empty:
        return None
    labels = model_labels(rows, stored.captions)
    columns = min(4, len(labels))
    num_rows = math.ceil(len(labels) / columns)
    height = 0.6 + 1.35 * num_rows
    figure, axes = new_figure(
        num_rows, columns, PAGE, height, share_x=True,
        left=0.07, right=0.985, bottom=0.4 / height, top=1 - 0.45 / height, wspace=0.1, hspace=0.32,
    )  # fmt: skip
    styles = line_styles(list(SETS.values()))
    for index, (ax, ((model, variant), label)) in enumerate(zip(axes.flat, labels.items(), strict=False)):
        own = rows[(rows["model"] == model) & (rows["variant"] == variant)]
        for name, title in SETS.items():
            means = own[own["part"] == name].groupby("position")["value"].mean()
            ax.plot(means.index, means.to_numpy(), **styles[title], lw=0.9, drawstyle="steps-mid")
        ax.set_yscale("log")
        ax.set_ylim(1e-4, 1.3)
        ax.set_title(label, fontsize=6.5)
        if index % columns:
            ax.set_yticklabels([])
        else:
            ax.set_ylabel("share of pixels")
    for ax in axes.flat[len(labels) :]:
        ax.set_visible(False)
    figure.supxlabel("pixel value", fontsize=7)
    line_legend(figure, styles)
    return figure
