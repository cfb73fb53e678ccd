"""Figures of an experiment, one per kind and data set: frames to `Figure`; `write_figures` saves them."""

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgad.display.captions import FIGURE_TITLES
from sgad.display.labels import label_runs, model_labels
from sgad.display.plotting import (
    PAGE,
    legend_columns,
    line_legend,
    line_styles,
    load_seaborn,
    new_figure,
    paper_style,
    picture_sheet,
    save_figure,
    text_width,
    wrap_label,
)
from sgad.names import metric_info
from sgad.reporting.figures.analyses import DRAW_ANALYSIS
from sgad.reporting.tables.save import heading
from sgad.store.pictures import spread
from sgad.store.stored import Stored, read_stored, rows_of, run_name
from sgad.store.summary import has_value, is_baseline

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sgad.config.experiment import ExperimentConfig

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
#: Measures whose values lie further apart than this are drawn on a logarithmic axis.
LARGEST_RATIO = 20.0
#: A panel whose lines go further from 0 than this is logarithmic beyond 1.
LINEAR_UP_TO = 20.0
MAX_SEEDS_SHOWN = 3
#: So many models and variants stand side by side, each with all its seeds; more are put in rows.
MOST_CELLS = 6
CELLS_A_ROW = 5
MAX_STEPS_SHOWN = 6


def write_figures(experiment: "ExperimentConfig", results_dir: Path | str = "results") -> list[Path]:
    """Draw the experiment's figures into figures/; return the files written."""
    stored = read_stored(results_dir, experiment.name)
    return save_figures(stored, figure_jobs(stored, experiment.figures))


def figure_jobs(stored: Stored, kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Return (kind, data set) of every figure asked for."""
    return [(kind, dataset) for dataset in dict.fromkeys(stored.runs["dataset"]) for kind in kinds]


def save_figures(stored: Stored, jobs: Sequence[tuple[str, str]]) -> list[Path]:
    """Save figures/KIND-DATASET.{svg,png}; one with nothing to show is left out, an old one removed."""
    written = []
    # The workflow waits for the folder, even if there is nothing to draw.
    (stored.folder / "figures").mkdir(parents=True, exist_ok=True)
    for kind, dataset in jobs:
        stem = stored.folder / "figures" / f"{kind}-{dataset}"
        with paper_style():
            figure = DRAW[kind](stored, dataset)
        if figure is None:
            for suffix in (".svg", ".png"):
                (stem.parent / f"{stem.name}{suffix}").unlink(missing_ok=True)
        else:
            written += save_figure(figure, stem)
    return written


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


def samples_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Sample grids side by side: models across, seeds down; or, in rows, the first seed of each of many models."""
    runs = stored.runs[stored.runs["dataset"] == dataset]
    labels = model_labels(runs, stored.captions)
    found = {(run.model, run.variant, run.seed): run for run in rows_of(runs)}
    pictures = {
        key: _picture(stored.folder / "grids" / f"{run_name(dataset, *key)}.png")
        for key in sorted(found, key=lambda key: key[2])
    }
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
    """Return axes for pictures, with room for titles of so many lines above and beside them."""
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


DRAW: dict[str, Callable[[Stored, str], "Figure | None"]] = {
    "curves": curves_figure,
    "bars": bars_figure,
    "samples": samples_figure,
    "activity": activity_figure,
    "layers": layers_figure,
    "health": health_figure,
    "evolution": evolution_figure,
    **DRAW_ANALYSIS,
}
assert set(DRAW) == set(FIGURE_TITLES), "every figure has a title for its caption"
