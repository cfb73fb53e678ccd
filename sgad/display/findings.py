"""Reading analyses.csv: what was found of one analysis on one data set, as rows and as means over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sgad.display.captions import data_caption, sentences
from sgad.store.stored import Stored, rows_of

if TYPE_CHECKING:
    import pandas as pd

MODEL = ["model", "variant"]


@dataclass(frozen=True)
class Seen:
    """Mean and standard deviation over seeds of one quantity; NaN where nothing was computed."""

    mean: float
    std: float
    n: int

    def text(self, decimals: int, scale: float = 1.0) -> str:
        """Text such as "12.3 ± 0.4", without ± for one seed, "–" for none."""
        if self.n == 0 or math.isnan(self.mean):
            return "–"
        spread = f" ± {self.std * scale:,.{decimals}f}" if self.n > 1 else ""
        return f"{self.mean * scale:,.{decimals}f}{spread}"


NOTHING = Seen(math.nan, math.nan, 0)


def findings(stored: Stored, analysis: str, dataset: str) -> "pd.DataFrame":
    """The rows of one analysis on one data set, without those that hold no value."""
    frame = stored.analyses
    if frame is None:
        return stored.runs.iloc[:0].assign(analysis="", quantity="", part="", position=0.0, value=0.0, protocol="")
    here = frame[(frame["analysis"] == analysis) & (frame["dataset"] == dataset)]
    return here[here["value"].notna()]


def looked_at(stored: Stored, analysis: str, dataset: str) -> "pd.DataFrame":
    """All rows of one analysis on one data set, also those of models for which nothing could be computed."""
    frame = stored.analyses
    if frame is None:
        return findings(stored, analysis, dataset)
    return frame[(frame["analysis"] == analysis) & (frame["dataset"] == dataset)]


def reasons(stored: Stored, analysis: str, dataset: str) -> list[str]:
    """Why rows of an analysis hold no value, each reason once, with what it concerns."""
    frame = stored.analyses
    if frame is None:
        return []
    here = frame[(frame["analysis"] == analysis) & (frame["dataset"] == dataset) & frame["value"].isna()]
    return list(dict.fromkeys(f"{row.protocol or row.quantity}: {row.status}" for row in rows_of(here)))


def models_of(frame: "pd.DataFrame") -> list[tuple[str, str]]:
    """The models and variants of some rows, in order."""
    return list(dict.fromkeys((row.model, row.variant) for row in rows_of(frame.drop_duplicates(MODEL))))


def seen(frame: "pd.DataFrame", model: str, variant: str, quantity: str, part: str | None = None) -> Seen:
    """One quantity of a model, the mean of its positions, over seeds."""
    here = frame[(frame["model"] == model) & (frame["variant"] == variant) & (frame["quantity"] == quantity)]
    if part is not None:
        here = here[here["part"] == part]
    if here.empty:
        return NOTHING
    seeds = here.groupby("seed")["value"].mean()
    return Seen(float(seeds.mean()), float(seeds.std()), len(seeds))


def at_position(frame: "pd.DataFrame", position: float) -> "pd.DataFrame":
    """The rows at one position: a time step, a class."""
    return frame[frame["position"] == position]


def protocols(frame: "pd.DataFrame", quantities: Sequence[str]) -> list[str]:
    """How the quantities were taken, each way once."""
    here = frame[frame["quantity"].isin(quantities)]
    return list(dict.fromkeys(text for text in here["protocol"] if text))


def analysis_caption(stored: Stored, analysis: str, dataset: str, quantities: Sequence[str]) -> str:
    """Data, recipe, protocols, and what could not be computed."""
    runs = stored.runs[stored.runs["dataset"] == dataset]
    counted = f"mean ± standard deviation over seeds, of {runs['seed'].nunique()} here"
    ways = protocols(findings(stored, analysis, dataset), quantities)
    absent = reasons(stored, analysis, dataset)
    return sentences(
        [
            f"Values: {counted}",
            data_caption(stored.captions, dataset, stored.runs),
            f"Protocols: {'; '.join(ways)}" if ways else "",
            f"Absent: {'; '.join(absent)}" if absent else "",
        ]
    )
