"""The table and figures of the latent space."""

import math
from typing import TYPE_CHECKING

from sgad.analyses.toolbox.tables import Shown
from sgad.display.findings import findings
from sgad.display.labels import model_labels
from sgad.display.plotting import PAGE, new_figure
from sgad.store.stored import Stored

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def latent_space_columns(frame: "pd.DataFrame") -> list[Shown]:
    """Copies, classes, coverage, smoothness."""
    return [
        Shown("nearest neighbour ratio", "nearest_neighbour_ratio", None, 3),
        Shown("share closer than 95 % of held-out", "share_closer", None, 3),
        Shown("class entropy", "class_entropy", None, 3),
        Shown("class distance", "class_distance", None, 3),
        Shown("precision", "precision", None, 3),
        Shown("recall", "recall", None, 3),
        Shown("density", "density", None, 3),
        Shown("coverage", "coverage", None, 3),
        Shown("length of ways", "path_ratio"),
        Shown("largest jump", "largest_jump"),
    ]


def classes_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Share of each class among samples, one panel a model, the training set as a line."""
    frame = findings(stored, "latent_space", dataset)
    rows = frame[frame["quantity"] == "class_share"]
    if rows.empty:
        return None
    labels = model_labels(rows, stored.captions)
    columns = min(4, len(labels))
    num_rows = math.ceil(len(labels) / columns)
    height = 0.5 + 1.15 * num_rows
    figure, axes = new_figure(
        num_rows, columns, PAGE, height, share_x=True,
        left=0.07, right=0.985, bottom=0.4 / height, top=1 - 0.25 / height, wspace=0.12, hspace=0.35,
    )  # fmt: skip
    for index, (ax, ((model, variant), label)) in enumerate(zip(axes.flat, labels.items(), strict=False)):
        own = rows[(rows["model"] == model) & (rows["variant"] == variant)]
        made = own[own["part"] == "generated"].groupby("position")["value"].mean()
        wanted = own[own["part"] == "training"].groupby("position")["value"].mean()
        ax.bar(made.index, made.to_numpy(), color="#A9C4DC", edgecolor="#1A1A1A", lw=0.4)
        ax.plot(wanted.index, wanted.to_numpy(), color="#D55E00", lw=0.9, linestyle=(0, (4, 1.5)))
        ax.set_title(label, fontsize=6.5)
        ax.set_xticks(range(len(made)))
        ax.set_ylim(0, 1.05 * float(rows["value"].max()))
        if index % columns:
            ax.set_yticklabels([])
        else:
            ax.set_ylabel("share")
    for ax in axes.flat[len(labels) :]:
        ax.set_visible(False)
    figure.supxlabel("class", fontsize=7)
    return figure
