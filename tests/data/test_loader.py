"""Batches: any step by itself, the same for every model, different for every seed and epoch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sgad.data import loader
from sgad.data.loader import Batches
from sgad.data.prepared import Prepared, load_prepared
from sgad.errors import InputError
from tests.data.builders import describe, run_prepare, write_idx, write_recordings


@pytest.fixture(params=["in memory", "mapped"])
def still(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    if request.param == "mapped":
        monkeypatch.setattr(loader, "IN_MEMORY_BYTES", 0)
    write_idx(tmp_path / "raw", train=25)
    run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "tiny")
    return load_prepared(tmp_path / "tiny")


def test_an_epoch_holds_every_image_once_in_an_order_of_its_own(still: Prepared) -> None:
    batches = Batches(still, 8, seed=0)
    assert (batches.steps_per_epoch, batches.num_samples) == (4, 25)
    epochs = [np.concatenate([batches.indices(4 * epoch + step) for step in range(4)]) for epoch in range(2)]
    for order in epochs:
        np.testing.assert_array_equal(np.sort(order), np.arange(25))
    assert not np.array_equal(*epochs)


def test_any_step_can_be_asked_for_in_any_order(still: Prepared) -> None:
    forwards = Batches(still, 8, seed=3)
    expected = [forwards.at(step) for step in range(10)]
    resumed = Batches(still, 8, seed=3)
    for step in (7, 8, 9, 2, 2, 0):
        np.testing.assert_array_equal(resumed.at(step), expected[step])


def test_pixels_are_those_of_the_file(still: Prepared) -> None:
    batches = Batches(still, 8, seed=0)
    raw = np.asarray(still.train.images)[batches.indices(1)]
    batch = batches.at(1)
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, raw.astype(np.float32) / np.float32(255))
    symmetric = Batches(still, 8, seed=0, pixel_range="symmetric").at(1)
    np.testing.assert_allclose(symmetric, raw / 127.5 - 1, atol=1e-6)
    assert np.abs(symmetric).max() <= 1


def test_seeds_differ_and_the_last_batch_may_be_dropped(still: Prepared) -> None:
    assert not np.array_equal(Batches(still, 8, seed=0).indices(0), Batches(still, 8, seed=1).indices(0))
    assert Batches(still, 8, seed=0).at(3).shape == (1, 1, 28, 28)
    dropped = Batches(still, 8, seed=0, drop_last=True)
    assert len(dropped) == 3
    assert all(len(dropped.at(step)) == 8 for step in range(6))
    with pytest.raises(InputError, match="batch_size 26"):
        Batches(still, 26, seed=0, drop_last=True)


def test_flips_are_seeded_by_the_step_and_turn_about_half(still: Prepared) -> None:
    plain, flipped = Batches(still, 25, seed=0), Batches(still, 25, seed=0, flip=True)
    np.testing.assert_array_equal(flipped.at(2), Batches(still, 25, seed=0, flip=True).at(2))
    turned = 0
    for before, after in zip(plain.at(2), flipped.at(2), strict=True):
        is_same = np.array_equal(before, after)
        assert is_same or np.array_equal(before[..., ::-1], after)
        turned += not is_same
    assert 5 < turned < 20


def test_the_description_decides_about_flips(tmp_path: Path) -> None:
    write_idx(tmp_path / "raw")
    run_prepare(describe("idx", flip=True), tmp_path / "raw", tmp_path / "tiny")
    data = load_prepared(tmp_path / "tiny")
    default, without = Batches(data, 12, seed=0), Batches(data, 12, seed=0, flip=False)
    assert not np.array_equal(default.at(0), without.at(0))
    np.testing.assert_array_equal(default.at(0), Batches(data, 12, seed=0, flip=True).at(0))


def test_events_come_time_first_and_unscaled(tmp_path: Path) -> None:
    write_recordings(tmp_path / "raw")
    run_prepare(describe("events", time_bins=4), tmp_path / "raw", tmp_path / "tiny")
    data = load_prepared(tmp_path / "tiny")
    batches = Batches(data, 5, seed=0, pixel_range="symmetric")
    batch: Any = batches.at(0)
    assert batch.shape == (4, 5, 2, 28, 28)
    assert batch.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(batch[:, 2], data.train.images[batches.indices(0)[2]])


def test_counts_are_cut_at_1_where_asked(tmp_path: Path) -> None:
    write_recordings(tmp_path / "raw")
    run_prepare(describe("events", time_bins=1, denoise_us=0), tmp_path / "raw", tmp_path / "tiny")
    data = load_prepared(tmp_path / "tiny")
    raw, clipped = (Batches(data, 5, seed=0, event_counts=counts).at(0) for counts in ("raw", "clipped"))
    assert raw.max() > 1
    np.testing.assert_array_equal(clipped, np.minimum(raw, 1))
