"""N-MNIST as tonic and spikingjelly keep it, zipped or not."""

from pathlib import Path

import numpy as np
import pytest

from sgad.data.events.frames import frames_of
from sgad.data.prepared import load_prepared
from sgad.data.sources.recordings import read_recordings
from tests.data.builders import describe, recording, run_prepare, write_recordings


@pytest.mark.parametrize("form", ["folders", "tonic", "spikingjelly"])
def test_every_layout_gives_the_same_frames(tmp_path: Path, form: str) -> None:
    write_recordings(tmp_path / "NMNIST", form=form)
    run_prepare(describe("events", time_bins=4, places=["NMNIST"]), tmp_path, tmp_path / "tiny")
    data = load_prepared(tmp_path / "tiny")
    expected = np.stack([frames_of(recording(index), 4, 10_000, 28) for index in range(6)])
    np.testing.assert_array_equal(data.train.images, expected)
    np.testing.assert_array_equal(data.train.labels, np.arange(6) % 2)  # type: ignore[arg-type]
    assert data.manifest.counts == {"train": 6, "test": 4}


def test_an_unpacked_folder_comes_before_the_archive(tmp_path: Path) -> None:
    write_recordings(tmp_path, form="folders")
    write_recordings(tmp_path, form="tonic", train=2)
    data = read_recordings(tmp_path, describe("events", time_bins=4))
    assert data is not None
    assert data.splits["train"].count == 6


def test_a_folder_that_tonic_left_empty_does_not_hide_the_archive(tmp_path: Path) -> None:
    write_recordings(tmp_path, form="tonic")
    (tmp_path / "Train").mkdir()
    data = read_recordings(tmp_path, describe("events", time_bins=4))
    assert data is not None
    assert data.splits["train"].count == 6


def test_time_bins_and_filter_are_the_description_s(tmp_path: Path) -> None:
    write_recordings(tmp_path / "raw")
    manifest = run_prepare(describe("events", time_bins=8, denoise_us=0), tmp_path / "raw", tmp_path / "tiny")
    data = load_prepared(tmp_path / "tiny")
    assert data.train.images.shape == (6, 8, 2, 28, 28)
    assert manifest.preprocessing["denoise_us"] == 0
