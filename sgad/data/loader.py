"""Batches of the training split by global step: any step can be asked for, so resuming needs no state."""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sgad.config.cost import steps_per_epoch
from sgad.data.held_out import Holdout, training_rows
from sgad.data.prepared import Prepared
from sgad.errors import InputError
from sgad.runs.seeds import Streams

#: Splits up to this size are held in memory; larger ones stay on disk and are read one step ahead.
IN_MEMORY_BYTES = 512 * 2**20


class Batches:
    """Random access to training batches; models that share (data set, seed) share the order of the data.

    Parameters
    ----------
    pixel_range
        `unit` for [0, 1], `symmetric` for [-1, 1]; event counts are never scaled.
    event_counts
        `raw` as prepared, `clipped`: counts above 1 are 1, as measures see them. Still images know neither.
    flip
        Random horizontal flips; None: as the data set says.
    drop_last
        Leave out the last, smaller batch of an epoch.
    holdout
        `valid` leaves out the held-out training images (`sgad.data.held_out`).
    """

    def __init__(
        self,
        prepared: Prepared,
        batch_size: int,
        seed: int,
        *,
        pixel_range: Literal["unit", "symmetric"] = "unit",
        event_counts: Literal["raw", "clipped"] = "raw",
        flip: bool | None = None,
        drop_last: bool = False,
        holdout: Holdout = "none",
    ) -> None:
        images = prepared.train.images
        #: Rows of the training split that are drawn from; None: all.
        self._rows = training_rows(prepared, holdout)
        self._count = len(images) if self._rows is None else len(self._rows)
        if drop_last and batch_size > self._count:
            raise InputError(
                f"batch_size {batch_size} is larger than the {self._count} samples of {prepared.folder};"
                " take a smaller one or `drop_last: false`"
            )
        self._images: NDArray[Any] = np.array(images) if images.nbytes <= IN_MEMORY_BYTES else images
        #: Hash of the prepared data.
        self.data_hash = prepared.manifest.content_hash
        self._streams = Streams(prepared.manifest.name, seed)
        self._events = prepared.manifest.is_events
        self._symmetric = pixel_range == "symmetric"
        self._clipped = event_counts == "clipped"
        self._flip = prepared.manifest.flip if flip is None else flip
        self._batch_size = batch_size
        self._drop_last = drop_last
        self._order = lru_cache(maxsize=2)(self._draw_order)
        self._ahead = _LookAhead() if isinstance(self._images, np.memmap) else None

    def __len__(self) -> int:
        return self.steps_per_epoch

    @property
    def num_samples(self) -> int:
        """Samples that batches are drawn from."""
        return self._count

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass through these samples."""
        return steps_per_epoch(self._count, self._batch_size, drop_last=self._drop_last)

    def indices(self, step: int) -> NDArray[np.int64]:
        """Rows of the training split that the batch of a global step holds."""
        epoch, within = divmod(step, self.steps_per_epoch)
        return self._order(epoch)[within * self._batch_size : (within + 1) * self._batch_size]

    def at(self, step: int) -> NDArray[np.float32]:
        """A global step's batch: images (B, C, H, W) in the pixel range; counts (T, B, C, H, W)."""
        if self._ahead is None:
            return self._batch(step)
        return self._ahead.get(step, self._batch)

    def _batch(self, step: int) -> NDArray[np.float32]:
        indices = self.indices(step)
        # A memory map is read fastest in the order of the file.
        sorting = np.argsort(indices)
        raw = np.empty((len(indices), *self._images.shape[1:]), self._images.dtype)
        raw[sorting] = self._images[indices[sorting]]
        if self._flip:
            chosen = self._flips(step, len(raw))
            raw[chosen] = raw[chosen][..., ::-1]
        if self._events:
            counts = np.ascontiguousarray(raw.swapaxes(0, 1), dtype=np.float32)
            return np.minimum(counts, 1, out=counts) if self._clipped else counts
        batch = raw.astype(np.float32)
        batch /= np.float32(127.5 if self._symmetric else 255)
        if self._symmetric:
            batch -= np.float32(1)
        return batch

    def _draw_order(self, epoch: int) -> NDArray[np.int64]:
        generator = np.random.default_rng(self._streams.order(epoch))
        order = generator.permutation(self._count)
        return order if self._rows is None else self._rows[order]

    def _flips(self, step: int, count: int) -> NDArray[np.bool_]:
        generator = np.random.default_rng(self._streams.flip(step))
        return generator.random(count) < 0.5


class _LookAhead:
    """Reads the next step's batch in a thread while the trainer works on this one."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sgad-batches")
        self._next: tuple[int, Future[NDArray[np.float32]]] | None = None

    def get(self, step: int, make: Any) -> NDArray[np.float32]:
        waiting = self._next
        batch = waiting[1].result() if waiting is not None and waiting[0] == step else make(step)
        self._next = (step + 1, self._pool.submit(make, step + 1))
        return batch
