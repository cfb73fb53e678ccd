"""Feature networks: uint8 images to feature vectors. This module needs no torch, the ones next to it do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgad.machine.facts import free_memory
from sgad.machine.progress import Progress
from sgad.measures.images import Bytes, ImageSet

Floats = NDArray[np.float32]

#: Share of the free memory that one batch may take.
MEMORY_SHARE = 0.25


@dataclass(frozen=True)
class Features:
    """Feature vectors (n, d) and, from classifiers, logits (n, classes) of n images, float32."""

    values: Floats
    logits: Floats | None = None

    def __len__(self) -> int:
        return len(self.values)

    def parts(self, count: int) -> "list[Features]":
        """`count` equal parts in order; what is over at the end is left out."""
        size = len(self) // count
        return [
            Features(
                self.values[start : start + size],
                self.logits[start : start + size] if self.logits is not None else None,
            )
            for start in range(0, size * count, size)
        ]


@dataclass(frozen=True)
class Extractor:
    """A network with its weights, ready to run.

    key: the name in the metrics made of it ("classifier", "inception_clean"). protocol: all that decides
    the features: network, weights, resize, scaling, mode; equal protocols compare. compute: uint8 (B, C, H,
    W) to features (B, d) and logits. fixed_batch: the network sees batches of this size, because its features
    depend on them. reference: what reference images are seen by where the protocol treats them otherwise.
    """

    key: str
    protocol: str
    sha256: str
    compute: Callable[[Bytes], tuple[Floats, Floats | None]]
    bytes_per_image: int = 1 << 20
    largest_batch: int = 256
    fixed_batch: int | None = None
    reference: "Extractor | None" = None
    is_slow: bool = False


def batch_size_for(extractor: Extractor, wanted: int | None = None) -> int:
    """The batch size: the protocol's, else the wanted one, else what the free memory allows."""
    if extractor.fixed_batch is not None:
        return extractor.fixed_batch
    if wanted is not None:
        return wanted
    fitting = int(free_memory() * MEMORY_SHARE) // extractor.bytes_per_image
    return max(1, min(fitting, extractor.largest_batch))


def extract(extractor: Extractor, images: ImageSet, *, batch_size: int | None = None) -> Features:
    """The features of all images, in order; holds one batch and halves it where memory runs out."""
    size = batch_size_for(extractor, batch_size)
    values: list[Floats] = []
    logits: list[Floats] = []
    done = 0
    with Progress(len(images), title=f"{extractor.key}: {images.name}", unit="images") as progress:
        while done < len(images):
            block = images.read(np.arange(done, min(done + size, len(images))))
            try:
                features, scores = extractor.compute(block)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or size == 1 or extractor.fixed_batch is not None:
                    raise
                size = max(1, size // 2)
                continue
            values.append(features)
            if scores is not None:
                logits.append(scores)
            done += len(block)
            progress.update(len(block))
    return Features(np.concatenate(values), np.concatenate(logits) if logits else None)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that a device or this machine has no memory left."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def short_hash(sha256: str) -> str:
    """The eight figures of a hash that protocols show."""
    return sha256[:8]


def as_numpy(tensor: Any) -> Floats:
    """A tensor as a float32 array on the CPU."""
    return np.asarray(tensor.detach().float().cpu().numpy(), np.float32)
