"""Whether generated images are copies of training images: pixel distances next to held-out ones."""

from typing import Any

import numpy as np

from sgad.catalogue.metrics import NEAREST
from sgad.measures.estimate import Estimate
from sgad.measures.images import EVENT_VIEWS, EventView, ImageSet
from sgad.measures.mathematics.neighbours import memorisation, nearest_distances
from sgad.measures.rows import Row, computed_row, empty_row

#: Generated and held-out images whose nearest training image is looked for, and training images held at a time.
QUERIES = 500
BLOCK = 2048


def nearest_row(
    samples: ImageSet,
    reference: ImageSet,
    training: ImageSet | None,
    *,
    seed: int = 0,
    samples_are_training: bool = False,
    event_view: EventView | None = None,
) -> Row:
    """The row of `nearest_neighbour`: 0 for copies of training images, near 1 for images as new as others.

    Compares distances in pixel space to the nearest training image with those of held-out images. `event_view`: how event
    clips became these images, None if they were images all along.
    """
    text = f"Euclidean distance of pixels, {QUERIES} images at most a side"
    if event_view is not None:
        text += f"; {EVENT_VIEWS[event_view]}"
    if training is None:
        remedy = {"remedy": "give --dataset NAME: its train split is what could have been memorised"}
        return empty_row(NEAREST, 0, text, "not computed: no training images", remedy)
    queries = samples.random_subset(QUERIES, seed)
    held_out = reference.random_subset(QUERIES, seed)
    try:
        found = memorisation(
            _nearest(queries, training, leave_out=int(samples_are_training)),
            _nearest(held_out, training),
        )
    except ValueError as error:
        return empty_row(NEAREST, len(queries), text, f"not computed: {error}", {})
    details = {
        "median_generated": found.generated,
        "median_held_out": found.held_out,
        "share_closer_than_5_percent_of_held_out": found.share_closer,
        "training_n": len(training),
    }
    leave_out = ", own copy left out" if samples_are_training else ""
    method = f"median over generated / median over {len(held_out)} held-out images{leave_out}"
    return computed_row(NEAREST, Estimate(found.ratio, method=method, details=details), len(queries), text)


def _nearest(queries: ImageSet, training: ImageSet, *, leave_out: int = 0) -> Any:
    flat = _pixels(queries.read(np.arange(len(queries))))
    return nearest_distances(flat, map(_pixels, training.batches(BLOCK)), leave_out_copies=leave_out)


def _pixels(images: Any) -> Any:
    return images.reshape(len(images), -1).astype(np.float64) / 255
