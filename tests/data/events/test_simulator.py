"""Simulated recordings: deterministic, in N-MNIST's own format, and marked."""

from pathlib import Path

import numpy as np
import pytest

from sgad.data.events.format import SENSOR, decode_events, encode_events
from sgad.data.events.simulator import (
    recording_seed,
    saccade_path,
    simulate_recording,
    write_recordings,
)
from sgad.data.prepared import load_prepared
from sgad.errors import InputError
from tests.data.builders import describe, images, run_prepare, write_idx


def digit() -> np.ndarray:
    """Return a ring, somewhat like a zero."""
    y, x = np.mgrid[:28, :28] - 13.5
    radius = np.hypot(x, y)
    return (255 * ((radius > 5) & (radius < 9))).astype(np.uint8)


def test_the_path_is_a_triangle_of_three_saccades() -> None:
    path = saccade_path()
    assert len(path) == 316
    np.testing.assert_allclose(np.diff(path[[0, 105, 210, 315]], axis=0), [[3.5, 7], [3.5, -7], [-7, 0]])
    np.testing.assert_allclose(path[0], path[-1])


def test_the_same_seed_gives_the_same_recording_and_another_another() -> None:
    first, again, other = (encode_events(simulate_recording(digit(), seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert recording_seed("mnist", "train", 3) != recording_seed("mnist", "test", 3)


def test_events_follow_the_edges_and_stay_inside() -> None:
    events = simulate_recording(digit(), 0)
    decode_events(encode_events(events), "simulated")
    assert 3000 < len(events.t) < 8000
    assert events.t[-1] < 315_000
    assert max(events.x.max(), events.y.max()) < SENSOR
    # What brightens is as much as what darkens, over the closed path.
    assert events.p.mean() == pytest.approx(0.5, abs=0.05)


def test_a_dark_image_gives_only_the_sensor_s_noise() -> None:
    counts = [len(simulate_recording(np.zeros((28, 28), np.uint8), seed).t) for seed in range(5)]
    assert np.mean(counts) == pytest.approx(0.3 * 34 * 34 * 0.315, rel=0.25)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_prepared_set_becomes_files_that_are_read_as_recordings(tmp_path: Path, zipped: bool) -> None:
    write_idx(tmp_path / "raw", train=8, test=4)
    run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "still")
    write_recordings(load_prepared(tmp_path / "still"), tmp_path / "events", {"train": 6, "test": 3}, zipped=zipped)
    description = describe("events", time_bins=4, classes=[str(number) for number in range(10)])
    manifest = run_prepare(description, tmp_path / "events", tmp_path / "tiny")
    assert manifest.counts == {"train": 6, "test": 3}
    assert (manifest.kind, manifest.time_bins, manifest.shape) == ("events", 4, (2, 28, 28))
    # Recordings keep the order of the images, not that of the classes.
    assert load_prepared(tmp_path / "tiny").train.labels is not None
    np.testing.assert_array_equal(load_prepared(tmp_path / "tiny").train.labels, np.arange(6))


def test_colour_images_cannot_be_recorded(tmp_path: Path) -> None:
    np.savez(tmp_path / "tiny.npz", images=images(6, 3, 32), labels=np.zeros(6, int))
    run_prepare(describe("npz"), tmp_path / "tiny.npz", tmp_path / "tiny")
    with pytest.raises(InputError, match="28x28"):
        write_recordings(load_prepared(tmp_path / "tiny"), tmp_path / "events")


def test_simulated_sets_are_made_from_their_base_and_say_so(tmp_path: Path) -> None:
    description = describe(
        "simulated-events",
        base="digits",
        simulated=True,
        time_bins=4,
        max_samples={"train": 5, "test": 3},
        caption_note="simulated",
    )
    manifest = run_prepare(description, tmp_path, tmp_path / "tiny")
    assert manifest.simulated
    assert manifest.caption_note == "simulated"
    data = load_prepared(tmp_path / "tiny")
    assert data.train.images.shape == (5, 4, 2, 28, 28)
    assert data.train.images.dtype == np.float32
    assert data.train.images.sum() > 5 * 1000
    assert run_prepare(description, tmp_path, tmp_path / "again").content_hash == manifest.content_hash


@pytest.mark.needs_data
def test_mnist_s_recordings_have_the_figures_of_the_recipe(find_data) -> None:  # type: ignore[no-untyped-def]
    # The threshold was tuned to the published total (about 4,170); this guards against moving it by accident.
    pixels = np.fromfile(find_data("MNIST/raw/t10k-images-idx3-ubyte"), np.uint8)[16:].reshape(-1, 28, 28)[:100]
    recordings = [simulate_recording(image, recording_seed("mnist", "test", i)) for i, image in enumerate(pixels)]
    counts = np.array([len(events.t) for events in recordings])
    assert counts.mean() == pytest.approx(4170, rel=0.06)
    assert np.mean([events.p.mean() for events in recordings]) == pytest.approx(0.511, abs=0.01)
