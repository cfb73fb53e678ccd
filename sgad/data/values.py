"""Values of image arrays: which ranges people store, and how each becomes uint8."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sgad.errors import InputError, require_choice

Bytes = NDArray[np.uint8]
ValueRange = Literal["unit", "symmetric", "byte"]

#: Lowest and highest value of each declared range.
VALUE_RANGES: dict[str, tuple[float, float]] = {
    "unit": (0.0, 1.0),
    "symmetric": (-1.0, 1.0),
    "byte": (0.0, 255.0),
}
#: Beyond a declared range by more than this share of it, values are refused instead of clipped.
TOLERANCE = 1e-3
_ROWS = 1024


def to_uint8(values: NDArray[Any], value_range: ValueRange | None, name: str = "images") -> Bytes:
    """uint8 values: uint8 as they are, floats of the declared range as round(255 x), ties to even.

    Raises
    ------
    InputError
        If floats come without a range, are outside of it, or are not finite; if integers are not 0..255.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if np.issubdtype(values.dtype, np.integer):
        if values.size and (values.min() < 0 or values.max() > 255):
            raise InputError(f"{name} holds integers from {values.min()} to {values.max()}; images are 0 to 255")
        return values.astype(np.uint8)
    if not np.issubdtype(values.dtype, np.floating):
        raise InputError(f"{name} holds {values.dtype} values; images are uint8, or floats with a declared range")
    return _floats_to_uint8(values, value_range, name)


def _floats_to_uint8(values: NDArray[Any], value_range: ValueRange | None, name: str) -> Bytes:
    if value_range is None:
        raise InputError(
            f"{name} holds {values.dtype} images; declare their range (--range): unit (0..1), symmetric (-1..1) or"
            " byte (0..255)"
        )
    low, high = VALUE_RANGES[require_choice("range", value_range, VALUE_RANGES)]
    if not np.isfinite(values).all():
        raise InputError(f"{name} holds values that are not finite (NaN or infinity); no image has them")
    margin = TOLERANCE * (high - low)
    if values.size and (values.min() < low - margin or values.max() > high + margin):
        raise InputError(
            f"{name} holds values from {values.min():.4g} to {values.max():.4g}, outside its declared range"
            f" {value_range} ({low:g}..{high:g}); declare the right one"
        )
    unit = (values.astype(np.float64) - low) / (high - low)
    return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)


def likely_range(low: float, high: float) -> ValueRange | None:
    """The narrowest declared range that holds both values; None if none does."""
    names: tuple[ValueRange, ...] = ("unit", "symmetric", "byte")
    fits = (name for name in names if VALUE_RANGES[name][0] <= low and high <= VALUE_RANGES[name][1])
    return next(fits, None)


def scaled_to_bytes(values: NDArray[Any], value_range: ValueRange | None, label: str) -> Bytes:
    """uint8 images of an array that a data set's description declares by its key `range`.

    Without a declared range booleans are 0 and 255, integers are taken as they are, floats go from 0 to 1.

    Raises
    ------
    InputError
        If values are outside of the range; the sentence says which range would fit.
    """
    if values.dtype.kind not in "uifb":
        raise InputError(f"{label} holds {values.dtype} values; save uint8 (0 to 255) or floating point (0 to 1)")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputError(f"{label} holds NaN or infinite values; replace them")
    if values.dtype == np.bool_ or (values.dtype == np.uint8 and value_range in (None, "byte")):
        return to_uint8(values, None, label)
    wanted = value_range or ("unit" if values.dtype.kind == "f" else "byte")
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    least, most = VALUE_RANGES[wanted]
    margin = TOLERANCE * (most - least)
    if low < least - margin or high > most + margin:
        fits = likely_range(low, high)
        way = f"add `range: {fits}` to the description" if fits else "scale it to 0..1 and save it again"
        raise InputError(f"{label} goes from {low:g} to {high:g}, not from {least:g} to {most:g}; {way}")
    images = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS):
        # In float64, as images are measured, and a block at a time: eight bytes a value are many.
        images[start : start + _ROWS] = to_uint8(values[start : start + _ROWS].astype(np.float64), wanted, label)
    return images
