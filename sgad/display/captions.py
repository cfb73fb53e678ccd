"""What stands under every table and figure: data, recipe, images and seeds, protocol. Stand-ins are named."""

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING

from sgad.catalogue.metrics import metric_info
from sgad.names import label_of
from sgad.store.stored import Captions, rows_of
from sgad.store.summary import ENDINGS, is_baseline

if TYPE_CHECKING:
    import pandas as pd

#: The check for copies of training images.
NEAREST = "nearest_neighbour"


def dataset_title(captions: Captions, dataset: str) -> str:
    """A data set's title, with the note that marks a stand-in or simulated data."""
    facts = captions["datasets"].get(dataset)
    title = facts["title"] if facts else label_of("dataset", dataset)
    note = facts["note"] if facts else ""
    # A note such as "digits (scikit-learn), not MNIST" holds the title already.
    if title.lower() in note.lower():
        return f"{note[0].upper()}{note[1:]}"
    return f"{title} – {note}" if note else title


def recipe_note(captions: Captions, variants: list[str]) -> str:
    """The experiment's note and each variant shown, with its note where that says more."""
    named: dict[tuple[str, str], list[str]] = {}
    for name in variants:
        note = _beside_name(name, captions["variants"].get(name, ""))
        key = name.partition("+")[0], "" if note in captions["note"] else note
        named.setdefault(key, []).append(name)
    return sentences([captions["note"], *(_recipe(note, names) for (_, note), names in named.items())])


def _beside_name(name: str, note: str) -> str:
    """A variant's note without the changes at its end that its name spells out."""
    parts = note.split(", ")
    while parts[-1] and parts[-1] in name.split("+"):
        parts.pop()
    return ", ".join(parts)


def _recipe(note: str, names: list[str]) -> str:
    columns = zip(*(name.split("+") for name in names), strict=False)
    shared = "+".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, columns))
    what = f"variant {names[0]}" if len(names) == 1 else f"variant {shared} and what is joined to it by +"
    return f"{what}: {note}" if note else what


def sentences(parts: list[str]) -> str:
    """Join the parts that are not empty, each once and ended by a full stop."""
    kept = dict.fromkeys(part.strip().rstrip(".") for part in parts if part and part.strip())
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in kept)


def data_caption(captions: Captions, dataset: str, runs: "pd.DataFrame") -> str:
    """Data, recipe and number of seeds: what any figure of the data set must say."""
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
    """For example "6 runs over 2 seeds: 5 completed, 1 diverged"."""
    counts = runs["status"].value_counts()
    named = [f"{counts[ending]} {ending}" for ending in ENDINGS if counts.get(ending, 0)]
    seeds = runs["seed"].nunique()
    return f"{_number(len(runs), 'run')} over {_number(seeds, 'seed')}: {', '.join(named)}"


def protocol_caption(summary: "pd.DataFrame", dataset: str) -> str:
    """How many images each run gave and by which protocol each metric was taken, common parts said once."""
    valued = summary[(summary["dataset"] == dataset) & summary["protocol"].notna()]
    models = valued[~valued["model"].map(is_baseline).astype(bool)]
    protocols = {row.metric: row.protocol for row in rows_of(models.drop_duplicates("metric")) if row.protocol}
    return sentences([*_sample_counts(models), *protocol_parts(protocols)])


def protocol_parts(protocols: Mapping[str, str]) -> list[str]:
    """Protocols, by metric, as parts of a caption: what several metrics share is said once."""
    groups: dict[str, dict[str, list[str]]] = {}
    for metric, protocol in protocols.items():
        parts = protocol.split("; ")
        groups.setdefault(parts[0], {})[metric_info(metric).label] = parts
    return [_shared_protocol(group) for group in groups.values()]


def _shared_protocol(protocols: dict[str, list[str]]) -> str:
    """Text such as "CFD, CCS by network; split (CFD: method; CCS: method)" for protocols that begin alike."""
    common = [parts[0] for parts in zip(*protocols.values(), strict=False) if len(set(parts)) == 1]
    # Only the beginning counts: what agrees behind a difference belongs to each metric.
    shared = next(
        (common[:size] for size in range(len(common), 0, -1) if _begin(protocols.values(), common[:size])), []
    )
    rests: dict[str, list[str]] = {}
    for label, parts in protocols.items():
        rests.setdefault("; ".join(parts[len(shared) :]), []).append(label)
    own = "; ".join(f"{', '.join(labels)}: {rest}" for rest, labels in rests.items() if rest)
    return f"{', '.join(protocols)} by {'; '.join(shared)}" + (f" ({own})" if own else "")


def _begin(protocols: Iterable[list[str]], start: list[str]) -> bool:
    return all(parts[: len(start)] == start for parts in protocols)


def _sample_counts(models: "pd.DataFrame") -> list[str]:
    counts = sorted({int(count) for count in models["samples"].dropna()})
    if not counts:
        return []
    spread = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    return [f"{spread} images a run"]


def missing_caption(here: "pd.DataFrame", captions: Captions) -> str:
    """What could not be computed for any model, and the command that fixes it."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows_of(here[(here["problem"] != "") & ~here["model"].map(is_baseline)].drop_duplicates("metric")):
        key = (row.problem, captions["remedies"].get(row.metric, ""))
        found.setdefault(key, []).append(metric_info(row.metric).label)
    return sentences(
        [
            f"{', '.join(labels)} {problem}" + (f"; to compute it: {remedy}" if remedy else "")
            for (problem, remedy), labels in found.items()
        ]
    )


def set_aside_caption(here: "pd.DataFrame") -> str:
    """How many runs' values are not counted, because they were measured by another protocol than the others'."""
    counts = here.groupby("metric", sort=False)["set_aside"].sum()
    labels: dict[int, list[str]] = {}
    for metric, count in counts[counts > 0].items():
        labels.setdefault(int(count), []).append(metric_info(str(metric)).label)
    return sentences(
        [
            f"{', '.join(named)}: without {_number(count, 'run')} measured by other networks or on other numbers of images"
            for count, named in labels.items()
        ]
    )


def checked_caption(here: "pd.DataFrame") -> str:
    """Which metrics of all models were computed once more by which packages, and agreed."""
    models = here[~here["model"].map(is_baseline).astype(bool) & (here["n"] > 0)]
    labels: dict[str, list[str]] = {}
    for metric, texts in models.groupby("metric", sort=False)["checked_by"]:
        agreeing = set(texts)
        if len(agreeing) == 1 and agreeing != {""}:
            labels.setdefault(str(*agreeing), []).append(metric_info(str(metric)).label)
    return sentences(
        [
            f"✓ {', '.join(named)} checked by {by.replace(', ', ' and ')}, on the same images"
            for by, named in labels.items()
        ]
    )


def memorisation_caption(here: "pd.DataFrame") -> str:
    """The baselines' nearest-neighbour check, where the models have no column of it."""
    checked = here[(here["metric"] == NEAREST) & (here["n"] > 0)]
    if checked.empty or not checked["model"].map(is_baseline).all():
        return ""
    named = ", ".join(f"{label_of('model', row.model)} {row.mean:.2f}" for row in rows_of(checked))
    return f"Pixel distance to the nearest training image over that of test images (0: copies, near 1: new images): {named}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
