"""The keys of models and data sets, and how tables and figures name them.

A key is spelt the same in configurations, file names, CSV files and code; only its label differs.
"""

from typing import Literal

MODEL_LABELS = {
    "sgan": "SGAN",
    "swgan": "SWGAN",
    "sgad": "SGAD",
    "hybrid": "Hybrid GAN",
    "real_train": "real training images (floor)",
    "noise": "uniform noise (ceiling)",
    "train_copy": "copy of the training set",
}
DATASET_LABELS = {
    "digits": "Digits (scikit-learn)",
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "cifar10": "CIFAR-10",
    "celeba": "CelebA",
    "nmnist": "N-MNIST",
    "faces": "ORL faces (stand-in for CelebA)",
    "nmnist_sim": "N-MNIST, simulated",
}
FAMILY_LABELS = {
    "snn": "spiking",
    "hybrid": "spiking generator, analog critic",
    "ann": "analog",
    "baseline": "baseline",
}

NameKind = Literal["model", "dataset", "family"]


_LABELS: dict[NameKind, dict[str, str]] = {
    "model": MODEL_LABELS,
    "dataset": DATASET_LABELS,
    "family": FAMILY_LABELS,
}


def label_of(kind: NameKind, key: str) -> str:
    """The label of a key; a user's own model or data set is shown under its key."""
    return _LABELS[kind].get(key, key)
