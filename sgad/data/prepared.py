"""The prepared form of a data set: memory-mapped arrays next to a manifest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgad.data.manifest import Manifest, read_manifest
from sgad.errors import InputError
from sgad.machine.files import DAMAGED_ARRAY

SPLITS = ("train", "valid", "test")
#: Where `sgad neurons` puts what it makes up, in the prepared folder.
SYNTHETIC_NEURONS = "neurons-synthetic.npz"


@dataclass(frozen=True)
class PreparedSplit:
    """One split.

    images: uint8 (N, C, H, W), value / 255 in [0, 1]; events: float32 (N, T, C, H, W), counts.
    labels: int64 (N,) or None.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Prepared:
    """A prepared data set: `split("train")`, `split("test")`, and `split("valid")` where there is one."""

    folder: Path
    manifest: Manifest
    splits: dict[str, PreparedSplit]

    def split(self, name: str) -> PreparedSplit:
        """A split by its name."""
        if name not in self.splits:
            raise InputError(f"{self.folder} has no split {name!r}; it has {', '.join(self.splits)}")
        return self.splits[name]

    @property
    def train(self) -> PreparedSplit:
        """The split that models learn from."""
        return self.split("train")


def images_file(split: str) -> str:
    """The name of a split's images in a prepared folder."""
    return f"{split}.images.npy"


def labels_file(split: str) -> str:
    """The name of a split's labels in a prepared folder."""
    return f"{split}.labels.npy"


def load_prepared(folder: Path | str) -> Prepared:
    """Open a prepared folder without reading the images.

    Raises
    ------
    InputError
        If a file is absent, cut off, or not what the manifest says.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    splits = {name: _open_split(folder, manifest, name) for name in SPLITS if name in manifest.counts}
    return Prepared(folder, manifest, splits)


def _open_split(folder: Path, manifest: Manifest, split: str) -> PreparedSplit:
    count = manifest.counts[split]
    frames = (manifest.time_bins,) if manifest.is_events else ()
    expected = (count, *frames, *manifest.shape)
    images = _open_array(folder / images_file(split), expected, np.float32 if manifest.is_events else np.uint8)
    labels = None
    if labels_file(split) in manifest.files:
        labels = _open_array(folder / labels_file(split), (count,), np.int64)
    return PreparedSplit(images, labels)


def _open_array(path: Path, shape: tuple[int | None, ...], dtype: type[np.generic]) -> NDArray[Any]:
    again = f"delete {path.parent} and run `sgad prepare {path.parent.name}` again"
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing although the manifest lists it; {again}") from error
    except DAMAGED_ARRAY as error:
        raise InputError(f"{path} is not a whole .npy file; {again}") from error
    if array.shape != shape or array.dtype != dtype:
        raise InputError(
            f"{path} holds {array.dtype} {array.shape}, the manifest says {dtype.__name__} {shape}; {again}"
        )
    return array
