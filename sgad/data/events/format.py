"""The 5-byte event format of N-MNIST, read and written without a loop.

An event is x (8 bits), y (8), polarity (1, ON = 1) and time in microseconds (23), big-endian. y = 240 marks
an overflow of the clock: this and all later events are 2^13 us later (as tonic reads it).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sgad.data.description import SENSOR
from sgad.errors import InputError

EVENT_BYTES = 5
_OVERFLOW_Y = 240
_OVERFLOW_US = 2**13
_MAX_US = 2**23 - 1
Integers = NDArray[np.int64]


class Events(NamedTuple):
    """Events in the order of time: x, y in pixels, t in microseconds, p 1 for ON; each int64 (N,)."""

    x: Integers
    y: Integers
    t: Integers
    p: Integers


def decode_events(content: bytes, label: str, sensor: int = SENSOR) -> Events:
    """The events of one file.

    Raises
    ------
    InputError
        If the file is empty or cut off, or events are outside the sensor or back in time.
    """
    if not content or len(content) % EVENT_BYTES:
        what = "is empty" if not content else f"has {len(content) % EVENT_BYTES} bytes after its last whole event"
        raise InputError(f"{label} {what}; events take {EVENT_BYTES} bytes each, so get the file again")
    raw = np.frombuffer(content, np.uint8).reshape(-1, EVENT_BYTES)
    high, middle, low = (raw[:, byte].astype(np.int64) for byte in (2, 3, 4))
    time = (high & 127) << 16 | middle << 8 | low
    events = Events(raw[:, 0].astype(np.int64), raw[:, 1].astype(np.int64), time, high >> 7)
    overflow = raw[:, 1] == _OVERFLOW_Y
    if overflow.any():
        events = events._replace(t=time + np.cumsum(overflow) * _OVERFLOW_US)
        events = Events(*(part[~overflow] for part in events))
    _check(events, label, sensor)
    return events


def _check(events: Events, label: str, sensor: int) -> None:
    if not len(events.t):
        raise InputError(f"{label} holds no events; get it again or remove it")
    if max(events.x.max(), events.y.max()) >= sensor:
        first = int(np.argmax((events.x >= sensor) | (events.y >= sensor)))
        raise InputError(
            f"{label}: event {first} is at x {events.x[first]}, y {events.y[first]}, outside of {sensor}x{sensor} pixels;"
            " write the side of your sensor as `sensor:`, or get the file again if it has that size"
        )
    backwards = events.t[1:] < events.t[:-1]
    if backwards.any():
        first = int(np.argmax(backwards)) + 1
        raise InputError(
            f"{label}: event {first} at {events.t[first]} us comes after one at {events.t[first - 1]} us;"
            " events must be in the order of time, sort them or get the file again"
        )


def encode_events(events: Events) -> bytes:
    """The content of a file that `decode_events` reads back exactly.

    Raises
    ------
    ValueError
        If a value does not fit the format.
    """
    limits = (256, _OVERFLOW_Y, _MAX_US + 1, 2)
    if not all(len(part) == len(events.t) for part in events) or not all(
        ((part >= 0) & (part < limit)).all() for part, limit in zip(events, limits, strict=True)
    ):
        raise ValueError(f"events must have x < 256, y < {_OVERFLOW_Y}, p 0 or 1, and t up to {_MAX_US} us")
    raw = np.empty((len(events.t), EVENT_BYTES), np.uint8)
    raw[:, 0], raw[:, 1] = events.x, events.y
    raw[:, 2] = events.p << 7 | events.t >> 16
    raw[:, 3], raw[:, 4] = events.t >> 8 & 255, events.t & 255
    return raw.tobytes()
