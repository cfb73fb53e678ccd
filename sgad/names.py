"""The keys of models, data sets and metrics, and how tables and figures call them.

A key is spelt the same in configurations, file names, CSV files and code; only its label differs.
"""

import re
from dataclasses import dataclass, replace
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
        Metric(f"nearest_{suffix}", f"nearest reference, ratio ({where})", higher_is_better=True, decimals=3),
    ]


def _inception_metrics(protocol: str, where: str) -> list[Metric]:
    return [
        Metric(f"fid_inception_{protocol}", f"FID ({where})", higher_is_better=False),
        Metric(f"fid_infinity_{protocol}", f"FID∞ ({where})", higher_is_better=False),
        Metric(f"is_inception_{protocol}", f"IS ({where})", higher_is_better=True, decimals=3),
        *_fidelity_metrics(f"inception_{protocol}", f"Inception, {where}"),
    ]


def _autoencoder_metrics(network: str, where: str) -> list[Metric]:
    return [
        Metric(network, f"FAD ({where})", higher_is_better=False),
        *_fidelity_metrics(network, f"FAD, {where}"),
    ]


#: Every metric that a measure's name can ask for (`sgad.measures.plan`).
METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in [
        Metric("cfd", "CFD", higher_is_better=False),
        Metric("cfd_infinity", "CFD∞", higher_is_better=False),
        Metric("ccs", "CCS", higher_is_better=True),
        *_fidelity_metrics("classifier", "classifier"),
        *_fidelity_metrics("pixels", "pixels"),
        *_inception_metrics("tf1", "torch-fidelity"),
        *_inception_metrics("torch", "pytorch-fid"),
        *_inception_metrics("clean", "clean-fid"),
        *_autoencoder_metrics("fad_fsvae", "FSVAE protocol"),
        *_autoencoder_metrics("fad_fsddim", "FSDDIM protocol"),
        *_autoencoder_metrics("fad_eval", "evaluation mode"),
        *_autoencoder_metrics("fad_own", "own autoencoder"),
        Metric("fad_val", "FAD (FSVAE protocol, valid)", higher_is_better=False),
        Metric("fad_eval_val", "FAD (evaluation mode, valid)", higher_is_better=False),
        Metric("cfd_val", "CFD (valid)", higher_is_better=False),
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
    """Return how a metric is shown; for an unknown key, a plain label and "lower is better".

    A key that ends in the hash of other weights than the published ones is shown as the one without, with the hash in its label.
    """
    return METRICS.get(key) or _with_other_weights(key) or Metric(key, key, higher_is_better=False, decimals=3)


def _with_other_weights(key: str) -> Metric | None:
    found = re.fullmatch(r"(.+)_([0-9a-f]{8})", key)
    if found is None:
        return None
    name, weights = found.groups()
    # A distance by other weights is called FD: the word FID is kept for the published ones.
    metric = METRICS.get(re.sub("^fd_", "fid_", name))
    if metric is None:
        return None
    return replace(metric, key=key, label=f"{metric.label.replace('FID', 'FD', 1)}, other weights {weights}")
