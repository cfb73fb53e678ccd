"""Figures of training: what was logged of each run against update pairs."""

import math
from typing import TYPE_CHECKING, Any

from sgad.catalogue import FigureKind
from sgad.display.labels import label_runs
from sgad.display.plotting import PAGE, legend_columns, line_legend, line_styles, new_figure
from sgad.store.stored import Stored

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES = {
    "loss_discriminator": "critic loss",
    "loss_generator": "generator loss",
    "score_real": "score, real images",
    "score_fake": "score, generated images",
}
ACTIVITY = {
    "firing_rate_generator": "firing rate, generator",
    "firing_rate_discriminator": "firing rate, critic",
    "firing_rate": "firing rate",
}
HEALTH = {
    "gradient_norm_generator": "gradient norm, generator",
    "gradient_norm_discriminator": "gradient norm, critic",
    "surrogate_share_generator": "near threshold, generator",
    "surrogate_share_discriminator": "near threshold, critic",
    "diversity": "diversity of images",
}
#: A panel whose lines go further from 0 than this is logarithmic beyond 1.
LINEAR_UP_TO = 20.0


def _draw_histories(stored: Stored, dataset: str, columns: dict[str, str]) -> "Figure | None":
    """One panel a column, one line a run; models and variants by colour and dashes."""
    rows = stored.histories[stored.histories["dataset"] == dataset]
    present = [column for column in columns if column in rows and rows[column].notna().any()]
    if not present:
        return None
    rows = rows.assign(label=label_runs(rows, stored.captions))
    styles = line_styles(list(dict.fromkeys(rows["label"])))
    num_rows = math.ceil(len(present) / 2)
    above = 0.26 + 0.14 * math.ceil(len(styles) / legend_columns(list(styles)))
    height = above + 0.15 + 1.55 * num_rows
    figure, axes = new_figure(
        num_rows, min(2, len(present)), PAGE, height, share_x=True,
        left=0.075, right=0.985, bottom=0.38 / height, top=1 - above / height, wspace=0.2, hspace=0.12,
    )  # fmt: skip
    for ax, column in zip(axes.flat, present, strict=False):
        _draw_lines(ax, rows.dropna(subset=[column]), column, styles)
        ax.set(xlabel="", ylabel=columns[column])
    for ax in axes[-1]:
        ax.set_xlabel("update pairs")
    for ax in axes.flat[len(present) :]:
        ax.set_visible(False)
    line_legend(figure, styles)
    return figure


def _draw_lines(ax: "Axes", rows: "pd.DataFrame", column: str, styles: dict[str, dict[str, Any]]) -> None:
    # Not seaborn's lineplot: for one line a run it does nothing more, and takes three times as long.
    for label, style in styles.items():
        for _, run in rows[rows["label"] == label].groupby("seed", sort=False):
            ax.plot(run["step"].to_numpy(float), run[column].to_numpy(float), **style, lw=0.8)
    if rows[column].abs().max() > LINEAR_UP_TO:
        # A critic that runs away would press all the others onto one line.
        ax.set_yscale("symlog", linthresh=1)
        ax.locator_params(axis="x", nbins=5)
    else:
        ax.locator_params(nbins=5)


def curves_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Losses and scores against update pairs."""
    return _draw_histories(stored, dataset, CURVES)


def activity_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Firing rates against update pairs."""
    return _draw_histories(stored, dataset, ACTIVITY)


def layers_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Firing rates of every layer against update pairs."""
    prefix = "firing_rate/"
    found = [str(column) for column in stored.histories if str(column).startswith(prefix)]
    columns = sorted(found, key=lambda column: ("/generator/" not in column, column))
    names = {
        column: column.removeprefix(prefix).replace("discriminator", "critic").replace("/", " ") for column in columns
    }
    return _draw_histories(stored, dataset, names)


def health_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Draw what warns of a training that fails: gradient norms, potentials near the threshold, diversity."""
    return _draw_histories(stored, dataset, HEALTH)


CURVES_FIGURE = FigureKind(
    key="curves",
    title="Training curves, one line a run: colour and dashes tell the models apart;"
    " panels that reach beyond 20 are logarithmic beyond 1",
    draw=curves_figure,
    place=1,
)
ACTIVITY_FIGURE = FigureKind(
    key="activity",
    title="Firing rates of generator and critic during training, one line a run",
    draw=activity_figure,
    place=4,
)
LAYERS_FIGURE = FigureKind(
    key="layers", title="Firing rates of each layer during training, one line a run", draw=layers_figure, place=5
)
HEALTH_FIGURE = FigureKind(
    key="health",
    title=(
        "Gradient norms, share of potentials where the surrogate derivative exceeds half its peak, and standard deviation"
        " between images during training, one line a run; panels that reach beyond 20 are logarithmic beyond 1"
    ),
    draw=health_figure,
    place=6,
)
