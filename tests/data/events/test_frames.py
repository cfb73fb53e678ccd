"""Denoising, binning and resizing: by hand, and equal to tonic and torch."""

import numpy as np
import pytest

from sgad.data.events.format import Events
from sgad.data.events.frames import bin_events, denoise, frames_of, interpolation, resize_frames
from tests.data.builders import recording


def events_of(*rows: tuple[int, int, int, int]) -> Events:
    return Events(*np.array(rows, np.int64).T)


def tonic_events(events: Events) -> np.ndarray:
    array = np.zeros(len(events.t), np.dtype([("x", int), ("y", int), ("t", int), ("p", int)]))
    for name in "xytp":
        array[name] = getattr(events, name)
    return array


def test_an_event_stays_if_a_neighbour_fired_less_than_the_filter_time_before() -> None:
    rows = [(5, 5, 20_000, 1), (6, 5, 29_999, 1), (6, 6, 39_999, 1), (9, 9, 50_000, 1), (9, 9, 50_001, 1)]
    kept = denoise(events_of(*rows), 10_000)
    # The first has no neighbour; the third comes a microsecond too late; an own earlier event does not count.
    assert kept.t.tolist() == [29_999]


def test_diagonal_and_later_neighbours_do_not_count() -> None:
    kept = denoise(events_of((5, 5, 20_000, 0), (6, 6, 20_001, 0), (5, 6, 20_002, 0)), 10_000)
    assert kept.t.tolist() == [20_002]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("count", [1, 2, 60, 3000])
def test_denoising_equals_tonic(seed: int, count: int) -> None:
    transforms = pytest.importorskip("tonic.transforms")
    events = recording(seed, count)
    expected = transforms.Denoise(filter_time=10_000)(tonic_events(events))
    found = denoise(events, 10_000)
    for name in "xytp":
        np.testing.assert_array_equal(getattr(found, name), expected[name])


@pytest.mark.parametrize("bins", [1, 3, 4, 16])
@pytest.mark.parametrize("seed", range(4))
def test_frames_equal_tonic_and_torch(bins: int, seed: int) -> None:
    torch = pytest.importorskip("torch")
    transforms = pytest.importorskip("tonic.transforms")
    events = recording(seed, 2000)
    chain = transforms.Compose(
        [transforms.Denoise(filter_time=10_000), transforms.ToFrame(sensor_size=(34, 34, 2), n_time_bins=bins)]
    )
    counts = chain(tonic_events(events))
    np.testing.assert_array_equal(bin_events(denoise(events), bins), counts)
    resized = torch.nn.functional.interpolate(
        torch.from_numpy(counts).double(), size=(28, 28), mode="bilinear", align_corners=True
    )
    np.testing.assert_allclose(frames_of(events, bins, 10_000, 28), resized.numpy(), atol=2e-6)


def test_counts_are_kept_but_for_the_last_events() -> None:
    events = recording(2, 1000)
    frames = bin_events(events, 4)
    assert 990 <= frames.sum() < 1000
    assert frames.shape == (4, 2, 34, 34)
    assert frames.dtype == np.float32


def test_a_recording_of_nothing_but_noise_gives_dark_frames() -> None:
    frames = frames_of(events_of((1, 1, 20_000, 1), (30, 30, 90_000, 1)), 4, 10_000, 28)
    assert frames.shape == (4, 2, 28, 28)
    assert not frames.any()


def test_corners_stay_where_they_are() -> None:
    matrix = interpolation(34, 28)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    assert matrix[0, 0] == 1
    assert matrix[-1, -1] == pytest.approx(1)
    ramp = np.broadcast_to(np.linspace(0, 1, 34, dtype=np.float32), (1, 34, 34))
    np.testing.assert_allclose(resize_frames(ramp, 28)[0, 3], np.linspace(0, 1, 28), atol=1e-6)


def test_filter_time_zero_keeps_everything() -> None:
    events = recording(0)
    assert denoise(events, 0) is events
