"""Any class of torchvision.datasets that gives (image, label) pairs. The only reader that imports torch."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sgad.data.description import DatasetConfig, remedy
from sgad.data.pixels import Images, fit_image, upright
from sgad.data.sources.base import UNREAD, RawData, RawSplit
from sgad.errors import InputError, RunFailure, nearest

_BLOCK = 256


def read_torchvision(root: Path, description: DatasetConfig, *, download: bool = False) -> RawData | None:
    """The splits of a torchvision class whose files are below `root`, None if they are not."""
    made = {split: _construct(root, split, description, download=download) for split in ("train", "test")}
    if made["train"] is None or made["test"] is None:
        return None
    classes = description.classes or _classes(made["train"])
    splits = {split: _split(dataset, split, description) for split, dataset in made.items()}
    notes = (f"torchvision.datasets.{description.torchvision_class} in {root}",)
    return RawData(root, splits, {}, classes, notes)


def _construct(root: Path, split: str, description: DatasetConfig, *, download: bool) -> Any:
    name = str(description.torchvision_class)
    factory = _factory(name)
    options = _options(factory, root, split, description, download=download)
    try:
        return factory(**options)
    except (RuntimeError, OSError, ValueError, TypeError, EOFError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        if isinstance(error, ValueError | TypeError) and "read" not in problem:
            given = ", ".join(f"{key}={value!r}" for key, value in options.items() if key not in ("root", "download"))
            raise InputError(
                f"torchvision.datasets.{name}({given}) is refused ({problem}); write what it takes as"
                " `torchvision_arguments: {split: ...}`"
            ) from error
        if download:
            raise RunFailure(f"torchvision could not fetch {name} ({problem}); {remedy(description)}") from error
        if isinstance(error, RuntimeError | FileNotFoundError):
            # torchvision's only way to say "not here"; the caller goes on with the next place.
            return None
        raise InputError(f"{root}: torchvision's {name} cannot be read ({problem}); fetch its files again") from error


def _factory(name: str) -> Any:
    import torchvision.datasets  # heavy, and wanted by this source alone

    factory = getattr(torchvision.datasets, name, None)
    if not inspect.isclass(factory):
        raise InputError(
            f"torchvision.datasets has no class {name!r}{nearest(name, torchvision.datasets.__all__)};"
            " correct `torchvision_class`"
        )
    return factory


def _accepted(factory: Any) -> set[str]:
    """Names of the arguments of a class, those that it hands on to its base as **kwargs included."""
    names: set[str] = set()
    for kind in inspect.getmro(factory):
        if kind is object or "__init__" not in vars(kind):
            continue
        parameters = inspect.signature(kind).parameters
        names |= set(parameters)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            break
    return names


def _options(factory: Any, root: Path, split: str, description: DatasetConfig, *, download: bool) -> dict[str, Any]:
    """Arguments of the class for one split: ours, then those of the description, which win."""
    given = description.torchvision_arguments
    own = {key: value for key, value in given.items() if key not in ("train", "test")}
    part = given.get(split)
    own |= part if isinstance(part, dict) else {}
    accepted = _accepted(factory)
    strange = next((key for key in own if key not in accepted), None)
    if strange is not None:
        known = sorted(accepted - {"self", "root", "download", "transform", "target_transform", "transforms", "kwargs"})
        raise InputError(
            f"torchvision_arguments: {description.torchvision_class} takes no {strange!r}{nearest(strange, known)};"
            f" known are {', '.join(known)}"
        )
    options: dict[str, Any] = {"root": root} if "root" in accepted else {}
    # EMNIST has both: `split` says which letters, `train` which part.
    if "train" in accepted and "train" not in own:
        options["train"] = split == "train"
    elif "split" in accepted and "split" not in own:
        options["split"] = split
    if "download" in accepted:
        options["download"] = download
    return options | own


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
        raise InputError(
            f"{label} [{row}] is not a pair of an image and a whole number; take another class, or save its images as a folder"
        )
    labels[row] = target
    image = upright(image)
    plain = image if image.mode in ("L", "RGB") else image.convert("RGB")
    return fit_image(plain, f"{label} [{row}]", description)
