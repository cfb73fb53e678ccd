"""What the tests of the measures share: a prepared toy data set, a random Inception, real digits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def write_prepared(
    folder: Path,
    train: NDArray[Any],
    test: NDArray[Any],
    train_labels: NDArray[np.int64] | None = None,
    test_labels: NDArray[np.int64] | None = None,
    kind: str = "images",
) -> Path:
    """Write what `sgad prepare` writes, as far as the measures read it."""
    folder.mkdir(parents=True)
    for split, images, labels in (("train", train, train_labels), ("test", test, test_labels)):
        np.save(folder / f"{split}.images.npy", images)
        if labels is not None:
            np.save(folder / f"{split}.labels.npy", labels)
    manifest = {"name": folder.name, "kind": kind, "reference_split": "test", "content_hash": "0" * 64}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def digits() -> tuple[Bytes, NDArray[np.int64]]:
    """Return scikit-learn's 1,797 digits as uint8 (N, 1, 32, 32), each pixel repeated 4 x 4, and their labels."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    small = np.rint(bunch.images * 255 / 16).astype(np.uint8)
    return small.repeat(4, axis=1).repeat(4, axis=2)[:, None], bunch.target.astype(np.int64)


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory: pytest.TempPathFactory, digits: tuple[Bytes, NDArray[np.int64]]) -> Path:
    """Return the digits as a prepared data set of 28 x 28 images, 1,200 to train on, 300 to test."""
    images, labels = digits[0][:, :, 2:30, 2:30], digits[1]
    folder = tmp_path_factory.mktemp("data") / "digits"
    return write_prepared(folder, images[:1200], images[1200:1500], labels[:1200], labels[1200:1500])


@pytest.fixture(scope="session")
def trained_digits(digits_folder: Path) -> Path:
    """Return the prepared digits with their three classifiers, trained for real."""
    from sgad.measures.extractors.classifier import train_classifiers

    train_classifiers(digits_folder, digits_folder / "classifier", epochs=5)
    return digits_folder


@pytest.fixture(scope="session")
def make_inception(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that writes a random-weight FID Inception made from some images, one file a seed."""
    made: dict[int, Path] = {}

    def make(images: Bytes, seed: int = 0) -> Path:
        from benchmarks.random_inception import write_random_inception

        if seed not in made:
            made[seed] = write_random_inception(
                tmp_path_factory.mktemp("inception") / f"random{seed}.pth", images, seed
            )
        return made[seed]

    return make


@pytest.fixture(scope="session")
def small_inception(make_inception: Callable[..., Path], digits: tuple[Bytes, Any]) -> Path:
    """Return a random Inception made from few images: for tests that must be fast."""
    return make_inception(digits[0][:6], seed=1)


@pytest.fixture
def random() -> np.random.Generator:
    """Return a generator with a fixed seed."""
    return np.random.default_rng(20230522)
