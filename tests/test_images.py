"""Pictures: rounding, colours of events, tiles, GIFs."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sgad.images import colour_events, save_gif, save_grid, tile, to_bytes


def test_bytes_are_rounded_and_clipped() -> None:
    assert to_bytes(np.array([-0.1, 0.0, 0.5, 1.0, 2.0])).tolist() == [0, 0, 128, 255, 255]
    assert to_bytes(torch.tensor([-1.0, 0.0, 1.0]), "symmetric").tolist() == [0, 128, 255]


def test_on_events_are_red_and_off_events_blue() -> None:
    frame = np.zeros((2, 1, 2), np.uint8)
    frame[1, 0, 0], frame[0, 0, 1] = 255, 255
    assert colour_events(frame)[:, 0, 0].tolist() == [255, 0, 0]
    assert colour_events(frame)[:, 0, 1].tolist() == [0, 0, 255]


def test_a_tile_holds_every_image() -> None:
    images = np.stack([np.full((1, 2, 2), value, np.uint8) for value in (10, 20, 30)])
    picture = np.asarray(tile(images, columns=2, scale=1, gap=1))
    assert picture.shape == (5, 5)
    assert (picture[:2, :2] == 10).all() and (picture[:2, 3:] == 20).all() and (picture[3:, :2] == 30).all()


def test_grids_and_gifs_open_again(tmp_path: Path) -> None:
    save_grid(tmp_path / "grid.png", torch.rand(9, 3, 8, 8))
    save_grid(tmp_path / "events.png", torch.rand(4, 9, 2, 8, 8))
    save_gif(
        tmp_path / "sample.gif",
        np.zeros((4, 3, 2, 8, 8), np.uint8) + np.arange(3, dtype=np.uint8)[:, None, None, None] * 80,
    )
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == ((8 * 10 - 2) * 2, (2 * 10 - 2) * 2)
    with Image.open(tmp_path / "events.png") as picture:
        assert picture.mode == "RGB"
    with Image.open(tmp_path / "sample.gif") as picture:
        assert picture.n_frames == 3
