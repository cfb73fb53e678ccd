"""Distances between sets of images, by each yardstick that is at hand: feature networks and plain pixel values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from sgad.analyses.toolbox.findings import Finding, missing
from sgad.images import to_bytes
from sgad.measures.extractors.features import Extractor, extract
from sgad.measures.extractors.networks import Missing, Sources, load_network
from sgad.measures.images import images_of_array
from sgad.measures.mathematics.frechet import frechet_distance_of_features
from sgad.measures.passes import protocol_text

Floats = NDArray[np.float32]
Array = NDArray[np.float64]
PIXELS = "pixels"
NETWORKS = ("classifier", "fad_eval")
#: Levels of a histogram of pixel values.
LEVELS = 256


class ImageSet:
    """Images (N, C, H, W), float32 in [0, 1], whose features are computed once for each network."""

    def __init__(self, name: str, images: Floats) -> None:
        if images.ndim != 4 or len(images) < 2:
            raise ValueError(f"{name} must be at least 2 images (N, C, H, W), got shape {images.shape}")
        self.name, self.images = name, images
        self._features: dict[str, list[Array]] = {}

    def features(self, network: str, extractors: Sequence[Extractor]) -> list[Array]:
        """The features (N, d) by each extractor of a network."""
        if network not in self._features:
            stored = images_of_array(to_bytes(self.images), name=self.name)
            self._features[network] = [
                np.asarray(extract(extractor, stored).values, np.float64) for extractor in extractors
            ]
        return self._features[network]


@dataclass(frozen=True)
class Yardsticks:
    """Feature networks by name, and the reason for each one that is not at hand."""

    networks: dict[str, list[Extractor]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def compare(self, quantity: str, a: ImageSet, b: ImageSet, position: float | None = None) -> list[Finding]:
        """The distance of two sets by each yardstick: Frechet for features, Wasserstein for pixel values."""
        found = [
            self._frechet(network, extractors, quantity, a, b, position)
            for network, extractors in self.networks.items()
        ]
        pixels = Finding(
            quantity=quantity,
            part=PIXELS,
            position=position,
            value=pixel_distance(a.images, b.images),
            n=len(a.images),
            protocol="Wasserstein-1 distance of the distributions of pixel values in [0, 1]",
        )
        return [*found, pixels]

    def _frechet(
        self,
        network: str,
        extractors: list[Extractor],
        quantity: str,
        a: ImageSet,
        b: ImageSet,
        position: float | None,
    ) -> Finding:
        pairs = zip(a.features(network, extractors), b.features(network, extractors), strict=True)
        values = [frechet_distance_of_features(*pair) for pair in pairs]
        sets = f"n={len(a.images)} against {len(b.images)}"
        return Finding(
            quantity=quantity,
            part=network,
            position=position,
            value=float(np.mean(values)),
            low=min(values) if len(values) > 1 else None,
            high=max(values) if len(values) > 1 else None,
            n=len(a.images),
            protocol=protocol_text(extractors, sets),
        )

    def absences(self, quantity: str) -> list[Finding]:
        """A row for each yardstick that is not at hand."""
        return [missing(quantity, reason, network) for network, reason in self.absent.items()]


def load_yardsticks(data: Path, device: str = "cpu") -> Yardsticks:
    """The networks that are at hand for a prepared data set: its classifiers, the published autoencoder."""
    networks, absent = {}, {}
    for name in NETWORKS:
        try:
            networks[name] = load_network(name, Sources(data, device=device))
        except Missing as reason:
            absent[name] = f"{reason.reason}; {reason.remedy}"
    return Yardsticks(networks, absent)


def pixel_histogram(images: Floats, levels: int = LEVELS) -> Array:
    """The share (levels,) of pixel values nearest to k / (levels - 1), k = 0, 1, ..."""
    nearest = np.rint(np.clip(images, 0, 1) * (levels - 1)).astype(np.int64)
    counts = np.bincount(nearest.ravel(), minlength=levels)
    return np.asarray(counts / counts.sum(), np.float64)


def pixel_distance(a: Floats, b: Floats) -> float:
    """The Wasserstein-1 distance of the distributions of pixel values, at LEVELS levels of [0, 1]."""
    levels = np.linspace(0, 1, LEVELS)
    return float(wasserstein_distance(levels, levels, pixel_histogram(a), pixel_histogram(b)))
