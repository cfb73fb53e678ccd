"""What stands under every table and figure: data, recipe, images and seeds, protocol. Stand-ins are named."""

from typing import TYPE_CHECKING

from sgad.names import label_of, metric_info
from sgad.reporting.stored import Captions, rows_of
from sgad.reporting.summary import ENDINGS, is_baseline

if TYPE_CHECKING:
    import pandas as pd

FIGURE_TITLES = {
    "curves": "Training curves, one line a run",
    "bars": "Measures: bars are means over seeds, points are seeds, the dashed line is real training images",
    "samples": "Samples, not selected: each model's grid as drawn",
    "activity": "Firing rates of generator and critic during training, one line a run",
    "evolution": "Samples of the first seed during training",
}


def dataset_title(captions: Captions, dataset: str) -> str:
    """Return a data set's title, with the note that marks a stand-in or simulated data."""
    facts = captions["datasets"].get(dataset)
    title = facts["title"] if facts else label_of("dataset", dataset)
    note = facts["note"] if facts else ""
    # A note such as "digits (scikit-learn), not MNIST" holds the title already.
    if title.lower() in note.lower():
        return f"{note[0].upper()}{note[1:]}"
    return f"{title} – {note}" if note else title


def recipe_note(captions: Captions, variants: list[str]) -> str:
    """Return the experiment's note and that of each variant shown."""
    notes = [captions["note"]]
    notes += [f"variant {name}: {captions['variants'].get(name, '')}".rstrip(": ") for name in variants]
    return sentences(notes)


def sentences(parts: list[str]) -> str:
    """Join the parts that are not empty, each ended by a full stop."""
    kept = [part.strip().rstrip(".") for part in parts if part and part.strip()]
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in kept)


def data_caption(captions: Captions, dataset: str, runs: "pd.DataFrame") -> str:
    """Return data, recipe and number of seeds: what any figure of the data set must say."""
    here = runs[runs["dataset"] == dataset]
    variants = list(dict.fromkeys(here["variant"]))
    return sentences(
        [
            f"Data: {dataset_title(captions, dataset)}",
            recipe_note(captions, variants),
            endings_text(here),
        ]
    )


def endings_text(runs: "pd.DataFrame") -> str:
    """Return for example "6 runs over 2 seeds: 5 completed, 1 diverged"."""
    counts = runs["status"].value_counts()
    named = [f"{counts[ending]} {ending}" for ending in ENDINGS if counts.get(ending, 0)]
    seeds = runs["seed"].nunique()
    return f"{_number(len(runs), 'run')} over {_number(seeds, 'seed')}: {', '.join(named)}"


def protocol_caption(summary: "pd.DataFrame", dataset: str) -> str:
    """Return "CFD: protocol; CCS: protocol" and how many images each run gave."""
    valued = summary[(summary["dataset"] == dataset) & summary["protocol"].notna()]
    models = valued[~valued["model"].map(is_baseline)]
    # The same words stand for many measures: name them together.
    by_protocol: dict[str, list[str]] = {}
    for row in rows_of(valued.drop_duplicates("metric")):
        by_protocol.setdefault(str(row.protocol), []).append(metric_info(str(row.metric)).label)
    protocols = [f"{', '.join(labels)} by {protocol}" for protocol, labels in by_protocol.items() if protocol]
    return sentences([*_sample_counts(models), "; ".join(protocols)])


def _sample_counts(models: "pd.DataFrame") -> list[str]:
    counts = sorted({int(count) for count in models["samples"].dropna()})
    if not counts:
        return []
    spread = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    return [f"{spread} images a run"]


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
