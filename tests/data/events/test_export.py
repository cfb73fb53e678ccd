"""Generated frames become pictures and recordings."""

from pathlib import Path

import numpy as np

from sgad.data.events.export import colour_frames, frames_to_events
from sgad.data.events.format import decode_events
from sgad.data.events.frames import bin_events


def frames() -> np.ndarray:
    return np.random.default_rng(0).poisson(0.5, (4, 2, 28, 28)).astype(np.float32)


def test_on_is_red_and_off_is_blue() -> None:
    one = np.zeros((2, 4, 4))
    one[1, 0, 0], one[0, 1, 1] = 1, 1
    colours = colour_frames(one)
    assert colours[0, 0].tolist() == [255, 0, 0]
    assert colours[1, 1].tolist() == [0, 0, 255]
    assert colours[2, 2].tolist() == [255, 255, 255]


def test_frames_become_events_and_frames_again(tmp_path: Path) -> None:
    events = frames_to_events(frames(), tmp_path / "sample.bin", seed=1)
    again = decode_events((tmp_path / "sample.bin").read_bytes(), "sample.bin")
    np.testing.assert_array_equal(again.t, events.t)
    assert len(again.t) == frames().sum()
    assert (np.diff(again.t) >= 0).all()
    # Binning by the recording's own first and last event moves a few across the borders.
    difference = np.abs(bin_events(again, 4, 28) - frames()).sum()
    assert difference < 0.02 * frames().sum()


def test_the_seed_moves_times_only() -> None:
    first, second = (frames_to_events(frames(), seed=seed) for seed in (1, 2))
    assert not np.array_equal(first.t, second.t)
    assert np.bincount(first.x).tolist() == np.bincount(second.x).tolist()


def test_dark_frames_give_no_events() -> None:
    assert len(frames_to_events(np.zeros((4, 2, 28, 28))).t) == 0
