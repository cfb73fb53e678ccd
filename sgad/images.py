"""Pictures of samples: uint8 arrays, grids, strips and GIFs. Shared by training, sampling and data sets."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sgad.machine.files import atomic_write

if TYPE_CHECKING:
    from PIL import Image

#: What the names of image files end in, small letters.
IMAGE_SUFFIXES = (".bmp", ".gif", ".jfif", ".jpg", ".jpeg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
Bytes = NDArray[np.uint8]
PixelRange = Literal["unit", "symmetric"]


def can_draw() -> bool:
    """Whether pictures can be written: Pillow comes with the extras, not with the smallest installation."""
    return importlib.util.find_spec("PIL") is not None


def to_bytes(images: Any, pixel_range: PixelRange = "unit") -> Bytes:
    """Round(255 x) as uint8, x clipped to [0, 1]; "symmetric" images are first moved from [-1, 1] to [0, 1].

    Takes a NumPy array or a torch tensor of any shape.
    """
    given = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images, dtype=np.float32)
    unit = (given + 1) / 2 if pixel_range == "symmetric" else given
    return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)


def colour_events(frames: Bytes) -> Bytes:
    """(..., 3, H, W): ON events red, OFF events blue on black, from (..., 2, H, W) frames."""
    on, off = frames[..., 1, :, :], frames[..., 0, :, :]
    return np.stack([on, np.minimum(on, off), off], axis=-3)


def tile(images: Bytes, columns: int = 8, scale: int = 2, gap: int = 2) -> "Image.Image":
    """Draw a picture of (N, C, H, W) images in rows, C = 1, 2 (events) or 3, each enlarged `scale` times."""
    from PIL import Image

    if images.shape[1] == 2:
        images = colour_events(images)
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    canvas = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = row * (height + gap), column * (width + gap)
        canvas[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    picture = Image.fromarray(canvas[..., 0] if channels == 1 else canvas)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def save_grid(path: Path, images: Any, pixel_range: PixelRange = "unit", columns: int = 8) -> None:
    """Save a grid of (N, C, H, W) images, or of the mean over time of (T, N, C, H, W) event frames, as PNG."""
    array = to_bytes(images, pixel_range)
    still = np.rint(array.mean(axis=0)).astype(np.uint8) if array.ndim == 5 else array
    with atomic_write(path) as temporary:
        tile(still, columns).save(temporary, format="PNG")


def save_gif(path: Path, frames: Bytes, columns: int = 8, milliseconds: int = 250) -> None:
    """Save (N, T, C, H, W) event frames as an endless GIF of T pictures, each a grid of N."""
    pictures = [tile(frames[:, step], columns) for step in range(frames.shape[1])]
    with atomic_write(path) as temporary:
        pictures[0].save(
            temporary, format="GIF", save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0
        )
