"""Labels as people store them, turned into classes 0 .. K-1 with names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgad.data.sources.base import Labels, RawData, shortened
from sgad.errors import InputError, nearest

Classes = tuple[str, ...] | None


def check_labels(labels: NDArray[Any], count: int, label: str, classes: Classes) -> Labels:
    """Labels as int64 (N,), from whole numbers of any type, from a column (N, 1), or from one-hot rows (N, K).

    Raises
    ------
    InputError
        If their number, type or range is wrong.
    """
    numbers = _whole_numbers(labels)
    if numbers is None:
        raise InputError(
            f"{label} must be whole numbers of shape (N,), found {labels.dtype} {labels.shape}; save one number a sample"
        )
    _check_count(numbers, count, label)
    if count and numbers.min() < 0:
        raise InputError(f"{label} holds {numbers.min()}, labels go from 0; remove the samples without a label")
    if count and classes is not None and numbers.max() >= len(classes):
        raise InputError(
            f"{label} holds {numbers.min()} to {numbers.max()}, `classes` names 0 to {len(classes) - 1};"
            " name all classes there, or leave `classes` out"
        )
    return numbers


def _check_count(labels: NDArray[Any], count: int, label: str) -> None:
    if len(labels) != count:
        raise InputError(f"{label} has {len(labels)} labels for {count} images; the two must come from one data set")


def _whole_numbers(labels: NDArray[Any]) -> Labels | None:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind not in "iufb" or labels.ndim not in (1, 2):
        return None
    if labels.ndim == 2:
        one_hot = np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()
        return labels.argmax(axis=1).astype(np.int64) if one_hot else None
    if labels.dtype.kind == "f" and not (np.isfinite(labels) & (labels == np.rint(labels))).all():
        return None
    return labels.astype(np.int64)


def number_names(
    names: Mapping[str, NDArray[Any]], counts: Mapping[str, int], label: str, classes: Classes
) -> tuple[dict[str, Labels], tuple[str, ...]]:
    """Text labels by split as numbers, in the order of `classes` or, without it, of the alphabet; and the classes.

    Raises
    ------
    InputError
        If a name is none of `classes`, or there are more or fewer labels than images.
    """
    plain = {split: np.char.decode(part, "utf-8") if part.dtype.kind == "S" else part for split, part in names.items()}
    for split, part in plain.items():
        _check_count(part, counts[split], label)
    found = sorted({str(name) for part in plain.values() for name in np.unique(part)})
    known = classes or tuple(found)
    strange = next((name for name in found if name not in known), None)
    if strange is not None:
        raise InputError(
            f"{label}: {strange!r} is none of the description's `classes` ({shortened(known)}){nearest(strange, known)};"
            " write it there, or leave `classes` out"
        )
    number = {name: index for index, name in enumerate(known)}
    return {split: np.array([number[str(name)] for name in part], np.int64) for split, part in plain.items()}, known


def numbered(data: RawData) -> RawData:
    """The data with labels 0 .. K-1: gaps are closed, and the classes take the numbers found as their names.

    Those of data whose classes have names stay as they are.

    Raises
    ------
    InputError
        If a label of named classes is out of range.
    """
    labels = {name: split.labels for name, split in data.splits.items() if split.labels is not None}
    if not labels:
        return data
    values = np.unique(np.concatenate(list(labels.values())))
    if data.classes is not None:
        if values[0] < 0 or values[-1] >= len(data.classes):
            raise InputError(
                f"{data.root} has labels from {values[0]} to {values[-1]} for {len(data.classes)} classes;"
                " write `classes` with a name for each"
            )
        return data
    if values[0] < 0:
        raise InputError(f"{data.root} has the label {values[0]}, labels go from 0; remove samples without a label")
    if np.array_equal(values, np.arange(len(values))):
        return data
    closed = {name: replace(data.splits[name], labels=np.searchsorted(values, part)) for name, part in labels.items()}
    names = tuple(str(value) for value in values)
    note = f"labels are {shortened(names, 6)}: they become 0 to {len(values) - 1}, these numbers name the classes"
    return replace(data, splits=data.splits | closed, classes=names, oddities=(*data.oddities, note))


def odd_labels(data: RawData) -> tuple[str, ...]:
    """What may be a mistake in the labels: classes without samples, about as many classes as samples."""
    known = [split.labels for split in data.splits.values() if split.labels is not None and (split.labels >= 0).any()]
    if not known:
        return ()
    labels = np.concatenate(known)
    present = np.unique(labels)
    found = []
    if data.classes and len(present) < len(data.classes):
        absent = [name for number, name in enumerate(data.classes) if number not in present]
        found.append(f"{len(absent)} of {len(data.classes)} classes have no sample: {shortened(absent)}")
    if len(labels) >= 20 and len(present) > len(labels) / 4:
        found.append(f"{len(present)} classes for {len(labels)} samples; are these labels, or measurements?")
    return tuple(found)
