"""The keys of models, data sets and metrics, and how tables and figures call them.

A key is spelt the same in configurations, file names, CSV files and code; only its label differs.
"""

from dataclasses import dataclass
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

NameKind = Literal["model", "dataset", "family", "metric"]


@dataclass(frozen=True)
class Metric:
    """How one metric is shown: `unit` is empty for pure numbers, `decimals` those of a table cell."""

    key: str
    label: str
    higher_is_better: bool
    decimals: int = 2
    unit: str = ""


def _fidelity_metrics(suffix: str, where: str) -> list[Metric]:
    """The measures that any feature network gives, named after that network."""
    return [
        Metric(f"kid_{suffix}", f"KID ({where})", higher_is_better=False, decimals=4),
        Metric(f"precision_{suffix}", f"precision ({where})", higher_is_better=True, decimals=3),
        Metric(f"recall_{suffix}", f"recall ({where})", higher_is_better=True, decimals=3),
        Metric(f"density_{suffix}", f"density ({where})", higher_is_better=True, decimals=3),
        Metric(f"coverage_{suffix}", f"coverage ({where})", higher_is_better=True, decimals=3),
    ]


def _inception_metrics(protocol: str, where: str) -> list[Metric]:
    return [
        Metric(f"fid_inception_{protocol}", f"FID ({where})", higher_is_better=False),
        Metric(f"fid_infinity_{protocol}", f"FID∞ ({where})", higher_is_better=False),
        Metric(f"is_inception_{protocol}", f"IS ({where})", higher_is_better=True, decimals=3),
        *_fidelity_metrics(f"inception_{protocol}", f"Inception, {where}"),
    ]


METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in [
        Metric("cfd", "CFD", higher_is_better=False),
        Metric("ccs", "CCS", higher_is_better=True),
        *_fidelity_metrics("classifier", "classifier"),
        *_inception_metrics("tf1", "torch-fidelity"),
        *_inception_metrics("torch", "pytorch-fid"),
        *_inception_metrics("clean", "clean-fid"),
        Metric("fad_fsvae", "FAD (FSVAE protocol)", higher_is_better=False),
        Metric("fad_eval", "FAD (evaluation mode)", higher_is_better=False),
        Metric("fad_own", "FAD (own autoencoder)", higher_is_better=False),
        Metric(
            "nearest_neighbour",
            "nearest training neighbour, ratio to test",
            higher_is_better=True,
            decimals=3,
        ),
    ]
}

_LABELS: dict[NameKind, dict[str, str]] = {
    "model": MODEL_LABELS,
    "dataset": DATASET_LABELS,
    "family": FAMILY_LABELS,
    "metric": {key: metric.label for key, metric in METRICS.items()},
}


def label_of(kind: NameKind, key: str) -> str:
    """Return the label of a key; a user's own model or data set is shown under its key."""
    return _LABELS[kind].get(key, key)


def metric_info(key: str) -> Metric:
    """Return how a metric is shown; for an unknown key, a plain label and "lower is better"."""
    return METRICS.get(key) or Metric(key, key, higher_is_better=False, decimals=3)
