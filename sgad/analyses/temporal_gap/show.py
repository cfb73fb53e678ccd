"""The table and figure of the temporal gap."""

from typing import TYPE_CHECKING

from sgad.analyses.toolbox.figures import draw_lines
from sgad.analyses.toolbox.tables import DECIMALS, PIXELS, YARDSTICKS, Shown
from sgad.display.findings import at_position
from sgad.store.stored import Stored

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def temporal_gap_columns(frame: "pd.DataFrame") -> list[Shown]:
    """Quality at each step, change between steps, weight of the new frame."""
    last = int(frame["position"].max()) if frame["position"].notna().any() else 0
    # By the data set's classifiers, or what there is instead.
    part = next((name for name in ("classifier", "fad_eval") if (frame["part"] == name).any()), PIXELS)
    label, decimals = YARDSTICKS[part], DECIMALS[part]
    steps = [
        Shown(f"t = {step}", "step_to_data", part, decimals, position=float(step), group=f"{label} to data")
        for step in range(1, last + 1)
    ]
    return [
        Shown("temporal inconsistency", "temporal_inconsistency", "pixels", 4),
        Shown("clips of data", "clip_change", "data", 4),
        Shown(f"{label} between neighbours", "neighbour_distance", part, decimals),
        *steps,
        *[
            Shown(f"t = {step}", "new_share", "", 3, position=float(step), group="weight b of the new frame")
            for step in range(2, last + 1)
            if not at_position(frame[frame["quantity"] == "new_share"], step).empty
        ],
    ]


def temporal_gap_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Quality, change and the weight of new frames against time."""
    panels = [
        ("step_to_data", "classifier", "image at step against data", "CFD"),
        ("step_to_data", "fad_eval", "image at step against data", "FAD (eval)"),
        ("neighbour_distance", "classifier", "image against the step before", "CFD"),
        ("sample_change", "pixels", "change of a sample's pixels", "mean |difference|"),
        ("new_share", "", "weight b of the new frame", "b"),
    ]
    return draw_lines(stored, "temporal_gap", dataset, panels, "time step")
