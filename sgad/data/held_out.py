"""The held-out split `valid`: training images on which recipes are chosen, so that test is read for final numbers alone.

Data sets that come with a `valid` split keep it. In all others it is some of the training images, fixed by what they show and
not by their order in a file, and taken out of a training whose configuration says `holdout: valid`.
"""

import hashlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sgad.data.prepared import Prepared

Holdout = Literal["none", "valid"]
#: Images held out of a large training split; of a smaller one a tenth.
HELD_OUT, SHARE = 5000, 10


def num_held_out(count: int) -> int:
    """How many of `count` training images are held out."""
    return min(HELD_OUT, count // SHARE)


def held_out_rows(images: NDArray[Any]) -> NDArray[np.int64]:
    """Which images (N, ...) are held out, as sorted row numbers: those of the smallest SHA-256.

    The hash is over the stored bytes of an image, so that copies of one image are on one side, except at the border.
    """
    digests = [hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in images]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    return np.sort(np.array(order[: num_held_out(len(digests))], np.int64))


def training_rows(prepared: Prepared, holdout: Holdout) -> NDArray[np.int64] | None:
    """The rows of the training split that a training sees, sorted; None for all of them."""
    if holdout == "none" or "valid" in prepared.splits:
        return None
    images = prepared.train.images
    return np.setdiff1d(np.arange(len(images)), held_out_rows(images))


def num_training(prepared: Prepared, holdout: Holdout) -> int:
    """How many images a training sees."""
    count = len(prepared.train)
    return count if holdout == "none" or "valid" in prepared.splits else count - num_held_out(count)
