"""Held-out training images: fixed by content, never trained on, and what choosing is done by."""

from pathlib import Path

import numpy as np
import pytest

from sgad.data import held_out, loader
from sgad.data.held_out import held_out_rows, num_held_out, num_training
from sgad.data.loader import Batches
from sgad.data.prepared import Prepared, PreparedSplit, load_prepared
from tests.data.builders import describe, run_prepare, write_idx


@pytest.fixture(params=["in memory", "mapped"])
def still(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    if request.param == "mapped":
        monkeypatch.setattr(loader, "IN_MEMORY_BYTES", 0)
    write_idx(tmp_path / "raw", train=30)
    run_prepare(describe("idx"), tmp_path / "raw", tmp_path / "tiny")
    return load_prepared(tmp_path / "tiny")


def test_a_tenth_of_small_splits_and_five_thousand_of_large_ones_are_held_out() -> None:
    assert [num_held_out(count) for count in (9, 320, 10_000, 50_000, 60_000, 162_770)] == [
        0, 32, 1000, 5000, 5000, 5000,
    ]  # fmt: skip


def test_the_images_are_fixed_by_what_they_show_not_by_their_order() -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4), np.uint8)
    rows = held_out_rows(images)
    assert len(rows) == 6 and list(rows) == sorted(rows)
    order = np.random.default_rng(1).permutation(60)
    again = held_out_rows(images[order])
    assert {images[row].tobytes() for row in rows} == {images[order][row].tobytes() for row in again}
    # The rule is part of every stored number on `valid`.
    assert list(held_out_rows(np.arange(40, dtype=np.uint8).reshape(20, 1, 1, 2))) == [6, 9]


def test_a_training_that_holds_out_sees_every_other_image_once_an_epoch(still: Prepared) -> None:
    away = set(held_out_rows(still.train.images).tolist())
    batches = Batches(still, 9, seed=0, holdout="valid")
    assert (len(away), batches.num_samples, batches.steps_per_epoch) == (3, 27, 3)
    assert num_training(still, "valid") == 27 and num_training(still, "none") == 30
    epoch = np.concatenate([batches.indices(step) for step in range(3)])
    assert sorted(epoch) == sorted(set(range(30)) - away)
    raw = np.asarray(still.train.images)[batches.indices(1)]
    np.testing.assert_array_equal(batches.at(1), raw.astype(np.float32) / np.float32(255))


def test_without_it_nothing_changes_and_a_split_of_the_data_sets_own_is_kept(still: Prepared) -> None:
    np.testing.assert_array_equal(
        Batches(still, 8, seed=0).indices(2), Batches(still, 8, seed=0, holdout="none").indices(2)
    )
    valid = PreparedSplit(still.train.images[:4], None)
    own = Prepared(still.folder, still.manifest, {**still.splits, "valid": valid})
    assert held_out.training_rows(own, "valid") is None
    assert num_training(own, "valid") == 30
