"""The 5-byte format: exact both ways, and equal to tonic's reader."""

import io

import numpy as np
import pytest

from sgad.data.events.format import Events, decode_events, encode_events
from tests.data.builders import recording


def test_one_event_by_hand() -> None:
    # x 5, y 33, ON, t = 0x012345: the polarity is the top bit of the third byte.
    events = decode_events(bytes([5, 33, 0x80 | 0x01, 0x23, 0x45]), "hand")
    assert [int(part[0]) for part in events] == [5, 33, 0x012345, 1]


@pytest.mark.parametrize("seed", range(3))
def test_writing_and_reading_is_exact(seed: int) -> None:
    events = recording(seed)
    for before, after in zip(events, decode_events(encode_events(events), "x"), strict=True):
        np.testing.assert_array_equal(before, after)


def with_overflows() -> bytes:
    """Return events with two markers of the clock's overflow among them."""
    raw = np.frombuffer(encode_events(recording(4, 200)), np.uint8).reshape(-1, 5)
    marker = np.array([[7, 240, 0, 0, 0]], np.uint8)
    return np.concatenate([raw[:50], marker, raw[50:120], marker, raw[120:]]).tobytes()


@pytest.mark.parametrize("content", [encode_events(recording(1)), with_overflows()])
def test_reading_equals_tonic(content: bytes) -> None:
    io_module = pytest.importorskip("tonic.io")
    dtype = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
    expected = io_module.read_mnist_file(io.BytesIO(content), dtype, is_stream=True)
    found = decode_events(content, "x")
    for name in "xytp":
        np.testing.assert_array_equal(getattr(found, name), expected[name])


@pytest.mark.parametrize("change", [{"x": 256}, {"y": 240}, {"t": 2**23}, {"p": 2}, {"x": -1}])
def test_values_that_do_not_fit_are_refused(change: dict[str, int]) -> None:
    values = {"x": 1, "y": 2, "t": 3, "p": 1} | change
    with pytest.raises(ValueError, match="x < 256"):
        encode_events(Events(*(np.array([values[name]]) for name in "xytp")))


def test_columns_of_different_lengths_are_refused() -> None:
    one, two = np.zeros(1, np.int64), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="events must have"):
        encode_events(Events(one, one, two, one))
