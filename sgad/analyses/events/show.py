"""The table and figure of event clips."""

from typing import TYPE_CHECKING

from sgad.analyses.toolbox.figures import draw_lines
from sgad.analyses.toolbox.tables import Shown
from sgad.store.stored import Stored

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def events_columns(frame: "pd.DataFrame") -> list[Shown]:
    """Balance and number of events, frames beside real ones."""
    return [
        Shown("ON share", "on_share", "generated", 3),
        Shown("ON share, real", "on_share", "real", 3),
        Shown("events over real", "rate_ratio", "generated", 3),
        Shown("CFD of frames", "frame_distance", "classifier"),
        Shown("pixel W1 of frames", "frame_distance", "pixels", 4),
    ]


def event_rates_figure(stored: Stored, dataset: str) -> "Figure | None":
    """ON and OFF events of generated and real clips against time, and the distance of the frames."""
    panels = [
        ("event_rate", "generated on", "ON events, generated", "events a frame"),
        ("event_rate", "generated off", "OFF events, generated", "events a frame"),
        ("frame_distance", "classifier", "frames against real ones", "CFD"),
        ("event_rate", "real on", "ON events, real", "events a frame"),
        ("event_rate", "real off", "OFF events, real", "events a frame"),
    ]
    return draw_lines(stored, "events", dataset, panels, "time bin")
