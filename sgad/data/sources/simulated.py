"""Simulated recordings of still images, made on the fly and read back through the real file format."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from sgad.data.description import DatasetConfig
from sgad.data.events.format import decode_events, encode_events
from sgad.data.events.frames import Frames, frames_of
from sgad.data.events.simulator import SIDE, recording_seed, simulate_recording
from sgad.data.pixels import Images
from sgad.data.sources.base import RawData, RawSplit
from sgad.errors import InputError
from sgad.machine.parallel import map_blocks

_TASK = 128
_Task = tuple[str, int, Images]


def read_simulated(description: DatasetConfig, base: DatasetConfig, data: RawData) -> RawData:
    """Recordings of the images `data` of the data set `base`, one for each image."""
    splits = {name: _split(name, split, data, description) for name, split in data.splits.items()}
    note = f"simulated recordings of {base.title} from {data.root}"
    return replace(data, splits=splits, notes=(*data.notes, note))


def _split(name: str, split: RawSplit, data: RawData, description: DatasetConfig) -> RawSplit:
    def blocks() -> Iterator[Frames]:
        images = np.concatenate(list(split.blocks()))
        if images.shape[1:] != (1, SIDE, SIDE):
            raise InputError(f"{data.root} has images of {images.shape[1:]}; only grey 28x28 ones can be recorded")
        tasks: list[_Task] = [(name, start, images[start : start + _TASK, 0]) for start in range(0, len(images), _TASK)]
        return map_blocks(partial(record_images, description), tasks)

    return RawSplit(split.count, split.labels, blocks)


def record_images(description: DatasetConfig, task: _Task) -> Frames:
    """Float32 (n, T, 2, 28, 28) of some images, recorded, written and read as N-MNIST's files are."""
    split, start, images = task
    frames = []
    for index, image in enumerate(images, start):
        events = simulate_recording(image, recording_seed(str(description.base), split, index))
        again = decode_events(encode_events(events), f"simulated {split} sample {index}")
        frames.append(frames_of(again, description.time_bins or 1, description.denoise_us, SIDE))
    return np.stack(frames)
