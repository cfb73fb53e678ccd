"""The table and figure of spikes and energy."""

from typing import TYPE_CHECKING, Any

from sgad.analyses.toolbox.tables import Shown
from sgad.display.findings import findings, seen
from sgad.display.labels import model_labels
from sgad.display.plotting import PAGE, new_figure
from sgad.store.stored import Stored

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def energy_columns(frame: "pd.DataFrame") -> list[Shown]:
    """Rates, operations in millions, and microjoules of generator and critic."""
    columns = []
    for network in ("generator", "critic"):
        columns += [
            Shown("SOPs [M]", "synaptic_operations", f"{network}/all", 3, 1e-6, group=network),
            Shown("MACs [M]", "multiply_accumulates", f"{network}/all", 3, 1e-6, group=network),
            Shown("energy [µJ]", "energy_nanojoule", f"{network}/all", 3, 1e-3, group=network),
            Shown("as analog layers [µJ]", "analog_energy_nanojoule", f"{network}/all", 3, 1e-3, group=network),
        ]
    return columns


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
    _legend(figure)
    return figure


def _legend(figure: "Figure") -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = [
        Patch(facecolor="#0072B2", edgecolor="#1A1A1A", lw=0.4),
        Patch(facecolor="#F0E0B0", edgecolor="#1A1A1A", lw=0.4, hatch="////"),
        Line2D([], [], marker="D", color="#D55E00", ms=4, linestyle=""),
    ]
    names = ["multiply-accumulates", "synaptic operations", "the same layers, analog, one pass"]
    figure.legend(entries, names, loc="upper center", ncols=3, frameon=False)
