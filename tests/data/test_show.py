"""`sgad dataset show`: a picture of real samples, with counts."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sgad.data.pixels import tile
from sgad.data.show import show_dataset
from sgad.errors import InputError
from tests.data.builders import describe, images, run_prepare, write_idx, write_recordings


@pytest.fixture
def still(tmp_path: Path) -> Path:
    write_idx(tmp_path / "raw")
    description = describe("idx", caption_note="not MNIST", classes=[f"kind{number}" for number in range(10)])
    run_prepare(description, tmp_path / "raw", tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    write_recordings(tmp_path / "raw")
    run_prepare(describe("events", time_bins=4), tmp_path / "raw", tmp_path / "tiny")
    return tmp_path / "tiny"


def test_the_picture_and_its_words(still: Path, tmp_path: Path) -> None:
    shown = show_dataset(still, tmp_path / "grid.png")
    said = str(shown)
    for words in ("12 train, 6 test", "1x28x28", "kind3", "Note: not MNIST", "grid.png"):
        assert words in said
    with Image.open(shown.path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[0] > 60
    # The samples of class 0 come first, doubled in size.
    first = images(12, seed=1)[[0, 10], 0]
    corner = pixels[2:58, 2:58, 0][::2, ::2]
    assert any(np.array_equal(corner, candidate) for candidate in first)


def test_events_become_a_gif_or_a_strip_of_time_bins(recorded: Path, tmp_path: Path) -> None:
    with Image.open(show_dataset(recorded, tmp_path / "grid.gif").path) as picture:
        assert picture.n_frames == 4  # type: ignore[attr-defined]
    with Image.open(show_dataset(recorded, tmp_path / "grid.png").path) as picture:
        assert picture.width >= 4 * 56


def test_the_default_name_is_in_the_current_folder(
    still: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert show_dataset(still).path == Path("tiny.png")
    assert (tmp_path / "tiny.png").is_file()


@pytest.mark.parametrize(("name", "word"), [("grid.jpg", "png"), ("grid.gif", "not events")])
def test_a_wrong_suffix_is_refused(still: Path, tmp_path: Path, name: str, word: str) -> None:
    with pytest.raises(InputError, match=word):
        show_dataset(still, tmp_path / name)


def test_an_unprepared_folder_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sgad prepare mnist"):
        show_dataset(tmp_path / "mnist", tmp_path / "grid.png")


def test_large_images_keep_their_size() -> None:
    assert tile(np.zeros((3, 64, 64, 3), np.uint8), 2).shape == (2 * 66 + 2, 2 * 66 + 2, 3)
