"""What every reader returns, and what several of them need."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgad.data.description import DatasetConfig
from sgad.errors import InputError
from sgad.runs.seeds import stream_seed

Labels = NDArray[np.int64]
#: Images that one block of an in-memory array holds.
BLOCK = 4096
#: A label that is not known yet.
UNREAD = -1
#: The share that becomes the test split where the data has none and the description is silent.
DEFAULT_TEST_SHARE = 0.1


@dataclass(frozen=True)
class RawSplit:
    """`blocks()` yields `count` preprocessed samples, uint8 (n, C, H, W) or float32 (n, T, C, H, W).

    Labels that are known only as the samples are read are UNREAD until then.
    """

    count: int
    labels: Labels | None
    blocks: Callable[[], Iterator[NDArray[Any]]]


@dataclass(frozen=True)
class RawData:
    """What a reader found.

    `sizes` lists the files that were read (below `root`); `notes` says in words what form they have and what was
    ignored, `oddities` what may be a mistake.
    """

    root: Path
    splits: dict[str, RawSplit]
    sizes: dict[str, int] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()


def shortened(names: Sequence[str], most: int = 4) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def array_split(
    array: NDArray[Any],
    labels: Labels | None,
    fit: Callable[[NDArray[Any]], NDArray[Any]] = lambda block: block,
) -> RawSplit:
    """A split over an array in memory; `fit` preprocesses one block."""

    def blocks() -> Iterator[NDArray[Any]]:
        for start in range(0, len(array), BLOCK):
            yield fit(array[start : start + BLOCK])

    return RawSplit(len(array), labels, blocks)


def cut_off_test(count: int, labels: Labels | None, description: DatasetConfig, label: str) -> dict[str, Labels]:
    """The indices of a train and a test split, drawn once and for all, equal shares of each class."""
    size = DEFAULT_TEST_SHARE if description.test_size is None else description.test_size
    number = round(size * count) if size < 1 else int(size)
    if not 0 < number < count:
        raise InputError(
            f"{label} has {count} samples, of which test_size {size} would take {number} for the test split;"
            " both splits need at least one sample"
        )
    generator = np.random.default_rng(stream_seed(description.name, "test split"))
    # Ranks within a class, spread over [0, 1): the smallest `number` are an equal share of each class.
    groups = np.zeros(count, np.int64) if labels is None else labels
    order = generator.permutation(count)
    position = np.empty(count)
    for group in np.unique(groups):
        members = order[groups[order] == group]
        position[members] = (np.arange(len(members)) + generator.random()) / len(members)
    test = np.sort(np.argsort(position, kind="stable")[:number])
    return {"train": np.setdiff1d(np.arange(count), test), "test": test}


def limited(data: RawData, description: DatasetConfig) -> RawData:
    """The data cut to the description's `max_samples`, if it has any."""
    if description.max_samples is None:
        return data
    limits: Mapping[Any, int] = description.max_samples
    splits = {name: _first(split, limits.get(name)) for name, split in data.splits.items()}
    return replace(data, splits=splits)


def _first(split: RawSplit, limit: int | None) -> RawSplit:
    if limit is None or limit >= split.count:
        return split

    def blocks() -> Iterator[NDArray[Any]]:
        left = limit
        for block in split.blocks():
            yield block[:left]
            left -= len(block[:left])
            if not left:
                return

    return RawSplit(limit, None if split.labels is None else split.labels[:limit], blocks)
