"""The handwritten digits that come with scikit-learn: 1,797 images of 8x8 pixels, bundled, no download."""

from pathlib import Path

import numpy as np
from PIL import Image

from sgad.data.description import DatasetConfig
from sgad.data.labels import check_labels
from sgad.data.pixels import Images, pillow_filter
from sgad.data.sources.base import RawData, array_split, cut_off_test

#: Ink of a full pixel in scikit-learn's data.
_FULL = 16.0


def read_digits(description: DatasetConfig) -> RawData:
    """The digits, enlarged in floating point (0 to 16 becomes 0 to 255) and rounded once."""
    import sklearn.datasets  # its import takes a second, and only this source needs it

    bunch = sklearn.datasets.load_digits()
    side = description.resize or 28
    images = np.stack([_enlarge(image, side, description) for image in bunch.images])
    labels = check_labels(bunch.target, len(images), "scikit-learn's digits", description.classes)
    parts = cut_off_test(len(images), labels, description, "scikit-learn's digits")
    splits = {name: array_split(images[index], labels[index]) for name, index in parts.items()}
    root = Path(sklearn.datasets.__file__).parent / "data"
    source = root / "digits.csv.gz"
    sizes = {source.name: source.stat().st_size} if source.is_file() else {}
    return RawData(root, splits, sizes, description.classes, ("the digits that come with scikit-learn",))


def _enlarge(image: np.ndarray, side: int, description: DatasetConfig) -> Images:
    exact = Image.fromarray(np.asarray(image, np.float32) * np.float32(255 / _FULL))
    enlarged = np.asarray(exact.resize((side, side), pillow_filter(description.resize_filter)))
    return np.asarray(np.clip(np.rint(enlarged), 0, 255), np.uint8)[None]
