"""From an image file or array to uint8 (C, H, W): refuse what would be misread, crop, resize, convert."""

import contextlib
import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from sgad.data.description import DatasetConfig
from sgad.errors import InputError
from sgad.images import IMAGE_SUFFIXES
from sgad.machine.stand_ins import read_start, stand_in, unreadable

_MAX_PIXELS = 64 * 10**6
#: Values of EXIF's orientation that turn or mirror a picture, and those of them that swap width and height.
_TURNED, _LYING = range(2, 9), range(5, 9)
Images = NDArray[np.uint8]


def is_image_name(name: str) -> bool:
    """Whether a file's suffix is that of an image."""
    return name.lower().endswith(IMAGE_SUFFIXES)


@contextlib.contextmanager
def opened_image(source: Path | io.BytesIO, label: str, max_pixels: int = _MAX_PIXELS) -> Iterator[Image.Image]:
    """Open one still image as the header has it; what goes wrong with it in the block becomes one sentence.

    The one door through which image files come, those that are prepared and those that are measured.

    Raises
    ------
    InputError
        If it is not an image, is cut off, animated, or far too large.
    """
    try:
        with Image.open(source) as image:
            if image.width * image.height > max_pixels:
                raise InputError(
                    f"{label} has {image.width}x{image.height} pixels, the limit is {max_pixels}; shrink it"
                )
            frames = getattr(image, "n_frames", 1)
            # A phone's JPEG keeps a preview or a depth map behind the picture (Multi-Picture Format).
            if frames > 1 and image.format != "MPO":
                raise InputError(f"{label} is animated or has pages ({frames} pictures); save one of them as PNG")
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{label} has far too many pixels, the limit is {max_pixels}; shrink it") from error
    except UnidentifiedImageError as error:
        raise _no_image(source, label) from error
    except OSError as error:
        if error.errno is not None:
            raise unreadable(label, error) from error
        raise InputError(f"{label} is damaged or cut off ({error}); replace or remove it") from error
    except (SyntaxError, ValueError, EOFError, struct.error) as error:
        raise InputError(f"{label} is damaged or cut off ({error}); replace or remove it") from error


def _no_image(source: Path | io.BytesIO, label: str) -> InputError:
    content = source.getvalue() if isinstance(source, io.BytesIO) else read_start(source)
    problem = stand_in(content[:1024])
    if problem:
        return InputError(f"{label} {problem}")
    return InputError(f"{label} is {'not an image' if content else 'an empty file'}; replace or remove it")


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened image as it is to be seen, without decoding its pixels."""
    # Pillow turns TIFF by itself; of a PNG it would decode all pixels to look for a tag behind them.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return image.size
    return image.size[::-1] if _orientation(image) in _LYING else image.size


def upright(image: Image.Image) -> Image.Image:
    """The image as it is to be seen: cameras store pixels in the order of the sensor, and in a tag (EXIF) how to turn them."""
    return ImageOps.exif_transpose(image) if _orientation(image) in _TURNED else image


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, EOFError, struct.error):
        # Damaged tags say nothing about the pixels; every viewer shows such a picture as it is stored.
        return 1


def decode_image(content: bytes, label: str, max_pixels: int = _MAX_PIXELS) -> Image.Image:
    """An image, upright, in mode L or RGB.

    Raises
    ------
    InputError
        If it is not an image, is cut off, animated, CMYK, 16-bit, transparent, or far too large.
    """
    with opened_image(io.BytesIO(content), label, max_pixels) as image:
        image.load()
        return _plain_mode(upright(image), label)


def _plain_mode(image: Image.Image, label: str) -> Image.Image:
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        full = image.convert("RGBA")
        if np.asarray(full)[..., 3].min() < 255:
            raise InputError(f"{label} has transparent pixels; flatten it onto a background colour")
        return full.convert("L" if image.mode == "LA" else "RGB")
    if image.mode == "P":
        return image.convert("RGB")
    what = "has 16 or 32 bits a channel" if image.mode[0] in "IF" else f"is in colour mode {image.mode}"
    raise InputError(f"{label} {what}; convert it to 8-bit grey or RGB")


def fit_image(image: Image.Image, label: str, description: DatasetConfig) -> Images:
    """Crop, resize and convert one image as the description says; return uint8 (C, H, W)."""
    if description.target_channels is not None:
        # Colour to grey is Pillow's ITU-R 601-2 luma; grey to colour repeats the channel.
        image = image.convert("L" if description.target_channels == 1 else "RGB")
    if description.crop is not None:
        image = _centre_crop(image, label, description.crop)
    if description.resize is not None:
        if image.width != image.height:
            raise InputError(
                f"{label} is {image.width}x{image.height}, not square, so that resizing would distort it;"
                " add `crop: square` to the description"
            )
        image = image.resize((description.resize, description.resize), pillow_filter(description.resize_filter))
    array = np.asarray(image, dtype=np.uint8)
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    if description.shape is not None and planes.shape != description.shape:
        raise InputError(
            f"{label} is {'x'.join(map(str, planes.shape))} (channels x height x width), the description says"
            f" {'x'.join(map(str, description.shape))}; add `resize: {description.shape[1]}` or change `shape`"
        )
    return planes


def pillow_filter(name: str) -> Image.Resampling:
    """Pillow's filter of a name."""
    return Image.Resampling[name.upper()]


def _centre_crop(image: Image.Image, label: str, crop: int | Literal["square"]) -> Image.Image:
    side = min(image.size) if crop == "square" else crop
    if side > min(image.size):
        raise InputError(f"{label} is {image.width}x{image.height}, smaller than `crop: {side}`; take a smaller crop")
    # Rounded as torchvision's CenterCrop does, so that CelebA's 178x218 gives the same window.
    left, top = round((image.width - side) / 2.0), round((image.height - side) / 2.0)
    return image.crop((left, top, left + side, top + side))


def fit_array(images: Images, label: str, description: DatasetConfig) -> Images:
    """Apply the description's preprocessing to uint8 (N, C, H, W), C being 1 or 3."""
    channels = description.target_channels or images.shape[1]
    if description.crop is None and description.resize is None and channels == images.shape[1]:
        if description.shape is not None and images.shape[1:] != description.shape:
            found, wanted = ("x".join(map(str, shape)) for shape in (images.shape[1:], description.shape))
            raise InputError(
                f"{label} holds images of {found} (channels x height x width), the description says {wanted};"
                f" add `resize: {description.shape[1]}` to it"
            )
        return images
    fitted = [fit_image(_to_pillow(image), f"{label} [{index}]", description) for index, image in enumerate(images)]
    return np.stack(fitted)


def _to_pillow(image: NDArray[Any]) -> Image.Image:
    return Image.fromarray(image[0] if image.shape[0] == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))


def tile(images: NDArray[Any], columns: int, gap: int = 2) -> Images:
    """Uint8 (rows, columns, 3), the images (N, H, W, 3) side by side, small ones doubled."""
    scale = 1 if images.shape[1] >= 64 else 2
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    number, height, width = images.shape[:3]
    rows = -(-number // columns)
    canvas = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 96, np.uint8)
    for index, image in enumerate(images):
        top, left = gap + index // columns * (height + gap), gap + index % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas
