"""From events to frames: denoise, equal time bins, a smaller sensor. Numbers equal tonic 1.7.0's."""

import numpy as np
from numpy.typing import NDArray

from sgad.data.description import SENSOR
from sgad.data.events.format import Events
from sgad.machine.compiled import jit

Frames = NDArray[np.float32]
_jit = jit()


@_jit
def _supported(x, y, t, filter_time):  # type: ignore[no-untyped-def]
    width, height = x.max() + 1, y.max() + 1
    # Before its first event a pixel counts as active until filter_time, as in tonic.
    active_until = np.full((width, height), filter_time, np.int64)
    keep = np.zeros(len(t), np.bool_)
    for index in range(len(t)):
        column, row, now = x[index], y[index], t[index]
        active_until[column, row] = now + filter_time
        keep[index] = (
            (column > 0 and active_until[column - 1, row] > now)
            or (column < width - 1 and active_until[column + 1, row] > now)
            or (row > 0 and active_until[column, row - 1] > now)
            or (row < height - 1 and active_until[column, row + 1] > now)
        )
    return keep


def denoise(events: Events, filter_time: int = 10_000) -> Events:
    """Drop events without an event at one of the 4 neighbours in the `filter_time` microseconds before.

    Equal to tonic.transforms.Denoise, also in that all pixels count as active during the first `filter_time`.
    """
    if not len(events.t) or not filter_time:
        return events
    # One memory layout, so that the kernel is compiled once.
    x, y, t = (np.ascontiguousarray(part) for part in events[:3])
    keep = _supported(x, y, t, filter_time)
    return Events(*(part[keep] for part in events))


def bin_events(events: Events, time_bins: int, sensor: int = SENSOR) -> Frames:
    """Count events in equal time bins; return float32 (T, 2, sensor, sensor), channel 1 for ON.

    Equal to tonic.transforms.ToFrame(n_time_bins=T): bins last floor(duration / T), the last events fall out.
    """
    size = time_bins * 2 * sensor * sensor
    if not len(events.t):
        return np.zeros((time_bins, 2, sensor, sensor), np.float32)
    width = (events.t[-1] - events.t[0]) // time_bins
    edges = np.searchsorted(events.t, events.t[0] + np.arange(time_bins + 1) * width)
    frame = np.repeat(np.arange(time_bins), np.diff(edges))
    inside = slice(edges[0], edges[-1])
    cell = ((frame * 2 + events.p[inside]) * sensor + events.y[inside]) * sensor + events.x[inside]
    return np.bincount(cell, minlength=size).astype(np.float32).reshape(time_bins, 2, sensor, sensor)


def interpolation(old: int, new: int) -> NDArray[np.float32]:
    """The (new, old) matrix of linear interpolation with aligned corners."""
    position = np.linspace(0, old - 1, new)
    left = np.minimum(position.astype(np.int64), old - 2)
    share = position - left
    matrix = np.zeros((new, old), np.float32)
    rows = np.arange(new)
    matrix[rows, left] = 1 - share
    matrix[rows, left + 1] += share
    return matrix


def resize_frames(frames: Frames, side: int) -> Frames:
    """Resize the last two axes to (side, side): bilinear, corners aligned (torch: align_corners=True)."""
    matrix = interpolation(frames.shape[-1], side)
    return np.asarray(matrix @ frames @ matrix.T, np.float32)


def frames_of(events: Events, time_bins: int, filter_time: int, side: int, sensor: int = SENSOR) -> Frames:
    """The counts that the networks see of one recording, float32 (T, 2, side, side)."""
    return resize_frames(bin_events(denoise(events, filter_time), time_bins, sensor), side)
