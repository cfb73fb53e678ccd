"""Figures that other people reported, with source and protocol: shown beside ours, never mixed with them."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPORTED_FILE = Path(__file__).with_name("reported.csv")
REPORTED_LABELS = {"fid": "FID", "inception_score": "IS", "fad": "FAD"}


@dataclass(frozen=True)
class Reported:
    """One reported figure. `value` is text, to keep the digits that its source prints."""

    dataset: str
    model: str
    family: str
    time_steps: str
    metric: str
    value: str
    source: str
    protocol: str


@cache
def read_reported(path: Path = REPORTED_FILE) -> tuple[Reported, ...]:
    """Every reported figure, in the order of the file."""
    with open(path, encoding="utf-8", newline="") as stream:
        return tuple(Reported(**row) for row in csv.DictReader(stream))


def reported_for(dataset: str) -> list[Reported]:
    """The figures reported for a data set; a stand-in (digits for MNIST) has none."""
    return [figure for figure in read_reported() if figure.dataset == dataset]


def reported_metrics(figures: list[Reported]) -> list[str]:
    """The metrics among the figures, in the order of REPORTED_LABELS."""
    present = {figure.metric for figure in figures}
    return [metric for metric in REPORTED_LABELS if metric in present]
