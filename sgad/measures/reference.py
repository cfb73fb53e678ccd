"""What generated images are compared with: images, or the statistics that others published, behind one interface."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sgad.errors import InputError
from sgad.machine.files import DAMAGED_ARRAY, sha256_of
from sgad.measures.estimate import Estimate
from sgad.measures.extractors.features import Extractor, Features, short_hash
from sgad.measures.images import ImageSet
from sgad.measures.mathematics.frechet import frechet_distance
from sgad.measures.mathematics.moments import Array, moments_of
from sgad.measures.passes import Options, features_of
from sgad.measures.quantities import Comparison


class Comparable(Protocol):
    """Features of generated images next to a reference in the same features."""

    def estimate(self, quantity: str) -> Estimate:
        """Compute one quantity; ValueError if it cannot be had from these two."""


class Reference(Protocol):
    """A set to compare with: its name, its number of images where that is known, and what it can be asked for."""

    @property
    def count(self) -> int | None:
        """Number of images; None if only their statistics are known."""

    def document(self) -> dict[str, Any]:
        """What metrics.json says of the reference."""

    def sets(self, num_generated: int, split: str) -> str:
        """Which sets were compared, for the protocol."""

    def refusal(self, quantity: str) -> str:
        """Why a quantity cannot be had from this reference; empty if it can."""

    def compare(self, extractor: Extractor, parts: list[Features], network: str, options: Options) -> list[Comparable]:
        """Each part of the generated features next to this reference."""


@dataclass(frozen=True)
class ImageReference:
    """Reference images, event clips already as still images, and the hash of their content."""

    images: ImageSet
    sha256: str

    @property
    def count(self) -> int | None:
        """Number of images."""
        return len(self.images)

    def document(self) -> dict[str, Any]:
        """Name, number and hash."""
        return {"name": self.images.name, "split": "", "n": len(self.images), "sha256": self.sha256}

    def sets(self, num_generated: int, split: str) -> str:
        """Which split, and both numbers of images."""
        where = f"{split} split" if split else "reference"
        return f"{where}; n={num_generated} generated, {len(self.images)} reference"

    def refusal(self, quantity: str) -> str:
        """Images give every quantity."""
        return ""

    def compare(self, extractor: Extractor, parts: list[Features], network: str, options: Options) -> list[Comparable]:
        """Features against features; those of the reference are kept in the cache."""
        features = features_of(extractor.reference or extractor, self.images, self.sha256, options, keep=True)
        return [Comparison(part, features, network, options.seed) for part in parts]


@dataclass(frozen=True)
class StatisticsReference:
    """Published mean (d,) and covariance (d, d) of a reference set, of unknown number of images."""

    path: Path
    sha256: str
    mean: Array
    covariance: Array

    @property
    def count(self) -> int | None:
        """Nobody says."""
        return None

    def document(self) -> dict[str, Any]:
        """Path and hash."""
        return {"name": str(self.path), "split": "", "n": None, "sha256": self.sha256}

    def sets(self, num_generated: int, split: str) -> str:
        """The file of statistics, and the number of generated images."""
        return f"statistics {self.path.name} {short_hash(self.sha256)}; n={num_generated} generated"

    def refusal(self, quantity: str) -> str:
        """Only a Frechet distance needs no more; a score needs no reference at all."""
        return "" if quantity in ("frechet", "score") else "the reference holds statistics only"

    def compare(self, extractor: Extractor, parts: list[Features], network: str, options: Options) -> list[Comparable]:
        """Moments against moments."""
        return [_AgainstStatistics(part, self, network) for part in parts]


@dataclass(frozen=True)
class _AgainstStatistics:
    generated: Features
    reference: StatisticsReference
    network: str

    def estimate(self, quantity: str) -> Estimate:
        if quantity == "score":
            return Comparison(self.generated, self.generated, self.network).estimate("score")
        own, known = moments_of(self.generated.values), self.reference
        width = own.mean.size
        if width != known.mean.size:
            raise ValueError(f"{known.path.name} is of {known.mean.size} features, this network has {width}")
        value = frechet_distance(own.mean, own.covariance, known.mean, known.covariance)
        details = {"features": width, "rank_deficient": own.is_rank_deficient}
        return Estimate(value, method="float64, singular values of covariance factors", details=details)


def read_statistics(path: Path) -> StatisticsReference | None:
    """Read an .npz that holds `mu` and `sigma`; None for any other file or folder.

    Raises
    ------
    InputError
        If their shapes do not fit each other.
    """
    if path.suffix != ".npz" or not path.is_file():
        return None
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            if not {"mu", "sigma"} <= set(archive.files):
                return None
            mean, covariance = (np.asarray(archive[key], np.float64) for key in ("mu", "sigma"))
    except DAMAGED_ARRAY:
        # Whatever it is: the reader of images names what is wrong with it.
        return None
    if mean.ndim != 1 or covariance.shape != (mean.size, mean.size):
        raise InputError(f"{path} has mu {mean.shape} and sigma {covariance.shape}; they must be (d,) and (d, d)")
    return StatisticsReference(path, sha256_of(path), mean, covariance)
