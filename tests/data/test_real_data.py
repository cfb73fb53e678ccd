"""The real files, where they are on this machine: official checksums and counts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sgad.data.description import load_description
from sgad.data.prepared import load_prepared
from tests.data.builders import run_prepare

pytestmark = pytest.mark.needs_data


def test_mnist(find_data: Any, tmp_path: Path) -> None:
    manifest = run_prepare(load_description("mnist"), find_data("MNIST").parent, tmp_path / "mnist")
    assert manifest.counts == {"train": 60000, "test": 10000}
    assert load_prepared(tmp_path / "mnist").train.labels[:5].tolist() == [5, 0, 4, 1, 9]  # type: ignore[index]


def test_fashion_mnist(find_data: Any, tmp_path: Path) -> None:
    place = find_data("FashionMNIST").parent
    manifest = run_prepare(load_description("fashion_mnist"), place, tmp_path / "fashion_mnist")
    assert manifest.class_counts == {"train": (6000,) * 10, "test": (1000,) * 10}


def test_cifar10(find_data: Any, tmp_path: Path) -> None:
    place = find_data("cifar-10-batches-bin").parent
    manifest = run_prepare(load_description("cifar10"), place, tmp_path / "cifar10")
    data = load_prepared(tmp_path / "cifar10").train
    assert manifest.class_counts == {"train": (5000,) * 10, "test": (1000,) * 10}
    assert data.labels is not None
    assert data.labels[:5].tolist() == [6, 9, 9, 4, 1]
    means = np.asarray(data.images[:20000]).mean(axis=(0, 2, 3)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=0.005)


def test_faces(find_data: Any, tmp_path: Path) -> None:
    manifest = run_prepare(load_description("faces"), find_data("faces"), tmp_path / "faces")
    assert manifest.counts == {"train": 320, "test": 80}
    assert manifest.substitute_for == "celeba"
    pixels = load_prepared(tmp_path / "faces").train.images
    np.testing.assert_array_equal(pixels[:, 0], pixels[:, 2])
