"""Frames to look at and to play: GIF files, and recordings in N-MNIST's own format."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sgad.data.events.format import Events, encode_events
from sgad.data.pixels import Images
from sgad.machine.files import atomic_write, write_bytes
from sgad.runs.seeds import stream_seed

_DURATION_US = 315_000


def colour_frames(frames: NDArray[Any]) -> Images:
    """Uint8 (..., H, W, 3) of frames (..., 2, H, W): ON red, OFF blue, the largest count in full."""
    counts = np.asarray(frames, np.float32)
    strength = np.clip(counts / max(float(np.quantile(counts, 0.999)), 1e-6), 0, 1)
    off, on = strength[..., 0, :, :], strength[..., 1, :, :]
    colours = np.stack([1 - off, 1 - np.maximum(on, off), 1 - on], axis=-1)
    return np.asarray(np.rint(colours * 255), np.uint8)


def save_gif(pictures: list[NDArray[np.uint8]], path: Path | str, milliseconds: int = 250) -> None:
    """Write pictures (H, W, 3) as a GIF that repeats for ever."""
    images = [Image.fromarray(picture) for picture in pictures]
    with atomic_write(path) as temporary:
        images[0].save(temporary, format="GIF", save_all=True, append_images=images[1:], duration=milliseconds, loop=0)


def frames_to_events(
    frames: NDArray[Any], path: Path | str | None = None, *, seed: int = 0, duration_us: int = _DURATION_US
) -> Events:
    """Turn frames (T, 2, H, W) of counts into events, and write them as an event file if a path is given.

    Each count is rounded; its events are spread over its time bin at random, since frames hold no times.
    """
    counts = np.rint(np.clip(np.asarray(frames, np.float64), 0, 255)).astype(np.int64)
    step, polarity, y, x = (np.repeat(index, counts[counts > 0]) for index in np.nonzero(counts))
    width = duration_us // counts.shape[0]
    generator = np.random.default_rng(stream_seed("frames to events", seed))
    time = step * width + generator.integers(0, width, len(step))
    order = np.argsort(time, kind="stable")
    events = Events(x[order], y[order], time[order], polarity[order])
    if path is not None:
        write_bytes(path, encode_events(events))
    return events


def save_recordings(frames: NDArray[np.uint8], folder: Path | str) -> None:
    """Write generated frames (N, T, 2, H, W), 255 for one event, as event files 00000.bin, 00001.bin, ... of a folder."""
    for index, sample in enumerate(frames):
        frames_to_events(sample / np.float64(255), Path(folder) / f"{index:05d}.bin", seed=index)
