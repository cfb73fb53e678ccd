"""Images to measure, from folders, .npz, .npy, prepared data or arrays, read a block at a time.

Everything becomes uint8: floats are rounded to the nearest of 256 levels, ties to even. Samples are stored as
bytes, so real images are measured as bytes, too.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sgad.data.values import ValueRange, to_uint8
from sgad.errors import InputError, require_choice
from sgad.images import colour_events

Bytes = NDArray[np.uint8]
Indices = NDArray[np.intp]
EventView = Literal["mean", "accumulated", "frames"]

EVENT_VIEWS = {
    "mean": "events: mean over time of frames clipped to 0..1",
    "accumulated": "events: sum over time of frames clipped to 0..1, clipped to 0..1",
    "frames": "events: each frame, clipped to 0..1, as one image",
}
HASH_ROWS = 512


@dataclass(frozen=True)
class ImageSet:
    """`count` images of `shape` (C, H, W), or event clips of `shape` (T, C, H, W).

    `read` returns the images of the given indices as uint8 (B, *shape). `name` is for messages: a path, or
    "noise".
    """

    name: str
    count: int
    shape: tuple[int, ...]
    read: Callable[[Indices], Bytes]

    def __len__(self) -> int:
        return self.count

    @property
    def is_events(self) -> bool:
        """Whether these are clips of event frames."""
        return len(self.shape) == 4

    def batches(self, size: int) -> Iterator[Bytes]:
        """Yield all images in order, `size` at a time."""
        for start in range(0, self.count, size):
            yield self.read(np.arange(start, min(start + size, self.count)))

    def subset(self, indices: Indices) -> "ImageSet":
        """The images of these indices, in this order."""
        return replace(self, count=len(indices), read=lambda wanted: self.read(indices[wanted]))

    def first(self, count: int) -> "ImageSet":
        """The first `count` images, or all if there are fewer."""
        return self if count >= self.count else self.subset(np.arange(count))

    def random_subset(self, count: int, seed: int = 0) -> "ImageSet":
        """`count` images drawn without replacement, in stored order; all if there are fewer.

        Folders are often sorted by class, so the first ones would be a sample of the first classes only.
        """
        if count >= self.count:
            return self
        chosen = np.random.default_rng(seed).choice(self.count, count, replace=False)
        return self.subset(np.sort(chosen))

    def content_hash(self) -> str:
        """The SHA-256 of shape and pixels, in order; it does not depend on names or file formats."""
        digest = hashlib.sha256(repr((self.count, self.shape)).encode())
        for block in self.batches(HASH_ROWS):
            digest.update(np.ascontiguousarray(block).data)
        return digest.hexdigest()

    def viewed(self, view: EventView = "mean") -> "ImageSet":
        """Event clips as still images (C, H, W); still images are returned as they are."""
        if not self.is_events:
            return self
        require_choice("event view", view, EVENT_VIEWS)
        if view == "frames":
            return self._frames()
        still = _mean_over_time if view == "mean" else _sum_over_time
        return replace(self, shape=self.shape[1:], read=lambda wanted: still(self.read(wanted)))

    def _frames(self) -> "ImageSet":
        steps = self.shape[0]

        def read(wanted: Indices) -> Bytes:
            clips, inverse = np.unique(wanted // steps, return_inverse=True)
            return self.read(clips)[inverse, wanted % steps]

        return replace(self, count=self.count * steps, shape=self.shape[1:], read=read)


def _mean_over_time(clips: Bytes) -> Bytes:
    means: Bytes = np.rint(clips.mean(axis=1, dtype=np.float32)).astype(np.uint8)
    return means


def _sum_over_time(clips: Bytes) -> Bytes:
    sums: Bytes = np.minimum(clips.sum(axis=1, dtype=np.uint32), 255).astype(np.uint8)
    return sums


def to_uint8_rgb(images: NDArray[Any], value_range: ValueRange | None = None, name: str = "images") -> Bytes:
    """(B, 3, H, W) uint8 from (B, C, H, W): grey three times, RGB as it is, two channels as events.

    Floats are rounded to nearest, ties to even; events show ON red and OFF blue.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 2, 3):
        raise InputError(f"{name} has shape {images.shape}; images are (N, C, H, W) with C = 1, 2 or 3")
    pixels = to_uint8(images, value_range, name)
    if pixels.shape[1] == 1:
        return np.repeat(pixels, 3, axis=1)
    return colour_events(pixels) if pixels.shape[1] == 2 else pixels


def images_of_array(
    array: Any, value_range: ValueRange | None = None, name: str = "images", *, counts: bool = False
) -> ImageSet:
    """An image set over an array or tensor (N, H, W), (N, C, H, W), (N, H, W, 3) or (N, T, C, H, W).

    `counts` says that the values are event counts, which are clipped to 0..1. Nothing is converted before it
    is read.

    Raises
    ------
    InputError
        If the shape is none of these.
    """
    values = array.detach().cpu().numpy() if hasattr(array, "detach") else array
    values = values if isinstance(values, np.ndarray) else np.asarray(values)
    shape, arrange = _layout(values.shape, name)
    if 0 in shape:
        raise InputError(f"{name} has images of shape {shape}, which hold no pixels; write it again")
    if values.dtype.kind not in "uifb":
        raise InputError(f"{name} holds {values.dtype} values; images are uint8, or floats with a declared range")

    def read(wanted: Indices) -> Bytes:
        block = arrange(values[wanted])
        if counts:
            return to_uint8(np.clip(block, 0, 1).astype(np.float32), "unit", name)
        return to_uint8(block, value_range, name)

    if value_range is None and not counts and values.dtype.kind == "f":
        # Said now, not after minutes of work on the other set.
        to_uint8(values[:1], None, name)
    return ImageSet(name, len(values), shape, read)


def _layout(shape: tuple[int, ...], name: str) -> tuple[tuple[int, ...], Callable[[NDArray[Any]], NDArray[Any]]]:
    """The shape of one image as (C, H, W) or (T, C, H, W), and how a block becomes that."""
    if len(shape) == 3:
        return (1, *shape[1:]), lambda block: block[:, None]
    if len(shape) == 4 and shape[1] in (1, 2, 3):
        return shape[1:], lambda block: block
    if len(shape) == 4 and shape[3] in (1, 3):
        return (shape[3], shape[1], shape[2]), lambda block: np.moveaxis(block, 3, 1)
    if len(shape) == 5 and shape[2] in (1, 2, 3):
        return shape[1:], lambda block: block
    raise InputError(
        f"{name} has shape {shape}; images are (N, H, W), (N, C, H, W) or (N, H, W, 3), events (N, T, C, H, W)"
    )


def as_channels(images: ImageSet, channels: int) -> ImageSet:
    """Grey images as RGB, or RGB files of grey images as grey; anything else as it is.

    Raises
    ------
    InputError
        When images are read that are to become grey and have colours.
    """
    own = images.shape[0]
    if (own, channels) == (1, 3):
        return replace(
            images,
            shape=(3, *images.shape[1:]),
            read=lambda wanted: np.repeat(images.read(wanted), 3, axis=1),
        )
    if (own, channels) != (3, 1):
        return images

    def read(wanted: Indices) -> Bytes:
        pixels = images.read(wanted)
        if (pixels != pixels[:, :1]).any():
            raise InputError(f"{images.name} has coloured images and the reference is grey; give one kind of both")
        return pixels[:, :1]

    return replace(images, shape=(1, *images.shape[1:]), read=read)


def require_comparable(samples: ImageSet, reference: ImageSet) -> None:
    """Refuse two sets of which one cannot be measured against the other.

    Raises
    ------
    InputError
        If one has fewer than two images, or their shapes differ.
    """
    for images in (samples, reference):
        if images.count < 2:
            raise InputError(f"{images.name} has {images.count} image(s); a distribution needs at least 2")
    if samples.shape != reference.shape:
        raise InputError(
            f"{samples.name} has images of shape {samples.shape}, {reference.name} of {reference.shape};"
            " give sets of equal size and channels"
        )
