"""Any class of torchvision.datasets that gives (image, label) pairs. The only reader that imports torch."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sgad.data.description import DatasetConfig, remedy
from sgad.data.pixels import Images, fit_image
from sgad.data.sources.base import UNREAD, RawData, RawSplit
from sgad.errors import InputError, RunFailure, nearest

_BLOCK = 256


def read_torchvision(root: Path, description: DatasetConfig, *, download: bool = False) -> RawData | None:
    """Return the splits of a torchvision class whose files lie below `root`, or None if they do not."""
    made = {split: _construct(root, split, description, download=download) for split in ("train", "test")}
    if made["train"] is None or made["test"] is None:
        return None
    classes = description.classes or _classes(made["train"])
    splits = {split: _split(dataset, split, description) for split, dataset in made.items()}
    notes = (f"torchvision.datasets.{description.torchvision_class} in {root}",)
    return RawData(root, splits, {}, classes, notes)


def _construct(root: Path, split: str, description: DatasetConfig, *, download: bool) -> Any:
    import torchvision.datasets  # heavy, and wanted by this source alone

    name = str(description.torchvision_class)
    factory = getattr(torchvision.datasets, name, None)
    if not inspect.isclass(factory):
        raise InputError(
            f"torchvision.datasets has no class {name!r}{nearest(name, torchvision.datasets.__all__)};"
            " mend `torchvision_class`"
        )
    accepted = inspect.signature(factory).parameters
    options: dict[str, Any] = {"root": root} if "root" in accepted else {}
    if "split" in accepted:
        options["split"] = split
    elif "train" in accepted:
        options["train"] = split == "train"
    if "download" in accepted:
        options["download"] = download
    try:
        return factory(**options)
    except (RuntimeError, OSError, ValueError, TypeError, EOFError) as error:
        if download:
            problem = str(error).splitlines()[0]
            raise RunFailure(f"torchvision could not fetch {name} ({problem}); {remedy(description)}") from error
        if isinstance(error, RuntimeError | FileNotFoundError):
            # torchvision's only way to say "not here"; the caller goes on with the next place.
            return None
        raise InputError(f"{root}: torchvision's {name} cannot be read ({error}); fetch its files again") from error


def _classes(dataset: Any) -> tuple[str, ...] | None:
    classes = getattr(dataset, "classes", None)
    return tuple(str(name) for name in classes) if classes else None


def _split(dataset: Any, split: str, description: DatasetConfig) -> RawSplit:
    count = len(dataset)
    labels = np.full(count, UNREAD, np.int64)
    label = f"torchvision {description.torchvision_class} ({split})"

    def blocks() -> Iterator[Images]:
        for start in range(0, count, _BLOCK):
            rows = range(start, min(start + _BLOCK, count))
            yield np.stack([_sample(dataset, row, labels, label, description) for row in rows])

    # Labels are known only as images are read, so that the array fills while the blocks are taken.
    return RawSplit(count, labels, blocks)


def _sample(dataset: Any, row: int, labels: np.ndarray, label: str, description: DatasetConfig) -> Images:
    image, target = dataset[row]
    if not isinstance(image, Image.Image) or not isinstance(target, int | np.integer):
        raise InputError(f"{label} [{row}] is not an (image, whole number) pair; this class cannot be used")
    labels[row] = target
    plain = image if image.mode in ("L", "RGB") else image.convert("RGB")
    return fit_image(plain, f"{label} [{row}]", description)
