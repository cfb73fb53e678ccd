"""Figures of the analyses, one per kind and data set; each returns None where there is nothing to draw."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sgad.display.findings import findings, seen
from sgad.display.labels import model_labels
from sgad.display.plotting import PAGE, legend_columns, line_legend, line_styles, new_figure, picture_sheet
from sgad.reporting.tables.analyses import SCORES
from sgad.store.stored import Stored, rows_of, run_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
#: Sets of pixel values, and what the legend calls them.
SETS = {"critic": "shown to the critic", "shown": "shown to a person", "data": "data"}
Panel = tuple[str, str, str, str]


def _draw_lines(stored: Stored, analysis: str, dataset: str, panels: Sequence[Panel], x_label: str) -> "Figure | None":
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


def domain_gap_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Distances of what the critic is shown against time."""
    panels = [
        (quantity, part, title, label)
        for part, label in (("classifier", "CFD"), ("pixels", "pixel W1"))
        for quantity, title in (("critic_to_shown", "critic against person"), ("critic_to_data", "critic against data"))
    ]
    return _draw_lines(stored, "domain_gap", dataset, panels, "time step")


def temporal_gap_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Quality, change and the weight of new frames against time."""
    panels = [
        ("step_to_data", "classifier", "image at step against data", "CFD"),
        ("step_to_data", "fad_eval", "image at step against data", "FAD (eval)"),
        ("neighbour_distance", "classifier", "image against the step before", "CFD"),
        ("sample_change", "pixels", "change of a sample's pixels", "mean |difference|"),
        ("new_share", "", "weight b of the new frame", "b"),
    ]
    return _draw_lines(stored, "temporal_gap", dataset, panels, "time step")


def event_rates_figure(stored: Stored, dataset: str) -> "Figure | None":
    """ON and OFF events of generated and real clips against time, and the distance of the frames."""
    panels = [
        ("event_rate", "generated on", "ON events, generated", "events a frame"),
        ("event_rate", "generated off", "OFF events, generated", "events a frame"),
        ("frame_distance", "classifier", "frames against real ones", "CFD"),
        ("event_rate", "real on", "ON events, real", "events a frame"),
        ("event_rate", "real off", "OFF events, real", "events a frame"),
    ]
    return _draw_lines(stored, "events", dataset, panels, "time bin")


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


def energy_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Energy of generator and critic: multiply-accumulates and accumulates stacked, an analog pass beside them."""
    frame = findings(stored, "energy", dataset)
    if frame.empty:
        return None
    labels = model_labels(frame, stored.captions)
    height = 0.75 + 0.24 * len(labels)
    longest = max(12, *(len(label) for label in labels.values()))
    figure, axes = new_figure(
        1,
        2,
        PAGE,
        height,
        left=0.05 + 0.0085 * longest,
        right=0.985,
        bottom=0.38 / height,
        top=1 - 0.42 / height,
        wspace=0.08,
    )
    for ax, network in zip(axes[0], ("generator", "critic"), strict=True):
        for row, (model, variant) in enumerate(labels):
            macs = seen(frame, model, variant, "multiply_accumulates", f"{network}/all").mean * 4.6e-6
            acs = seen(frame, model, variant, "synaptic_operations", f"{network}/all").mean * 0.9e-6
            analog = seen(frame, model, variant, "analog_energy_nanojoule", f"{network}/all").mean / 1000
            ax.barh(row, macs, height=0.6, color="#0072B2", hatch="", edgecolor="#1A1A1A", lw=0.4)
            ax.barh(row, acs, left=macs, height=0.6, color="#F0E0B0", hatch="////", edgecolor="#1A1A1A", lw=0.4)
            ax.plot([analog], [row], marker="D", color="#D55E00", ms=4, linestyle="")
        ax.set_yticks(range(len(labels)), list(labels.values()) if network == "generator" else [""] * len(labels))
        ax.invert_yaxis()
        # Room for the marks at the right end.
        ax.set(title=network, xlabel="µJ an image", xlim=(0, 1.04 * ax.dataLim.x1))
        ax.grid(visible=False, axis="y")
    _energy_legend(figure)
    return figure


def _energy_legend(figure: "Figure") -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = [
        Patch(facecolor="#0072B2", edgecolor="#1A1A1A", lw=0.4),
        Patch(facecolor="#F0E0B0", edgecolor="#1A1A1A", lw=0.4, hatch="////"),
        Line2D([], [], marker="D", color="#D55E00", ms=4, linestyle=""),
    ]
    names = ["multiply-accumulates", "synaptic operations", "the same layers, analog, one pass"]
    figure.legend(entries, names, loc="upper center", ncols=3, frameon=False)


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


def alignment_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Each score of each layer, a line a model, with the noise ceiling."""
    frame = findings(stored, "alignment", dataset)
    if frame.empty:
        return None
    labels = model_labels(frame, stored.captions)
    layers = list(dict.fromkeys(frame[frame["quantity"] == "rsa"]["part"]))
    figure, axes = new_figure(1, len(SCORES), PAGE, 2.1, left=0.06, right=0.985, bottom=0.3, top=0.78, wspace=0.25)
    styles = line_styles(list(labels.values()), MARKERS)
    for ax, (score, title) in zip(axes[0], SCORES.items(), strict=True):
        for (model, variant), label in labels.items():
            means = [seen(frame, model, variant, score, layer).mean for layer in layers]
            ax.plot(range(len(layers)), means, **styles[label], lw=0.9)
        ceilings = frame[frame["quantity"] == f"{score}_ceiling"]["value"]
        if len(ceilings):
            ax.axhline(float(ceilings.iloc[0]), color="#444444", linestyle=(0, (4, 2)), lw=0.8)
        ax.set_title(title)
        ax.set_xticks(range(len(layers)), layers, rotation=35, ha="right")
    line_legend(figure, styles)
    return figure


def _pictures_figure(stored: Stored, dataset: str, suffix: str, columns: int) -> "Figure | None":
    """The pictures that an analysis drew, one a model and variant, of the first seed that has one."""
    from PIL import Image

    runs = stored.runs[stored.runs["dataset"] == dataset]
    labels = model_labels(runs, stored.captions)
    found = {}
    for run in rows_of(runs):
        path = stored.folder / "grids" / f"{run_name(dataset, run.model, run.variant, run.seed)}-{suffix}.png"
        label = labels[run.model, run.variant]
        if path.is_file() and label not in found:
            with Image.open(path) as opened:
                found[label] = opened.convert("RGB")
    return picture_sheet(list(found.items()), columns) if found else None


def time_steps_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Samples through time."""
    return _pictures_figure(stored, dataset, "through-time", 5)


def interpolations_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Ways between latents."""
    return _pictures_figure(stored, dataset, "interpolation", 4)


def neighbours_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Samples above their nearest training images."""
    return _pictures_figure(stored, dataset, "neighbours", 2)


DRAW_ANALYSIS: dict[str, Callable[[Stored, str], "Figure | None"]] = {
    "domain_gap": domain_gap_figure,
    "pixel_values": pixel_values_figure,
    "temporal_gap": temporal_gap_figure,
    "time_steps": time_steps_figure,
    "energy": energy_figure,
    "event_rates": event_rates_figure,
    "interpolations": interpolations_figure,
    "neighbours": neighbours_figure,
    "classes": classes_figure,
    "alignment": alignment_figure,
}
