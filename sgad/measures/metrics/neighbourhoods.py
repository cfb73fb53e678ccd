"""Precision, recall, density and coverage: which images are within the neighbourhoods of the other set."""

from typing import TYPE_CHECKING

from sgad.catalogue import Metric
from sgad.measures.estimate import Estimate

if TYPE_CHECKING:
    from sgad.measures.quantities import Comparison


def precision(data: "Comparison") -> Estimate:
    """Share of generated images within a reference image's neighbourhood (Kynkaanniemi et al. 2019, arXiv:1904.06991)."""
    return _estimate(data, "precision", data.K_MANIFOLD)


def recall(data: "Comparison") -> Estimate:
    """Share of reference images within a generated image's neighbourhood (Kynkaanniemi et al. 2019, arXiv:1904.06991)."""
    return _estimate(data, "recall", data.K_MANIFOLD)


def density(data: "Comparison") -> Estimate:
    """How many reference neighbourhoods a generated image is in, over k (Naeem et al. 2020, arXiv:2002.09797)."""
    return _estimate(data, "density", data.K_DENSITY)


def coverage(data: "Comparison") -> Estimate:
    """Share of reference images with a generated one in their neighbourhood (Naeem et al. 2020, arXiv:2002.09797)."""
    return _estimate(data, "coverage", data.K_DENSITY)


def _estimate(data: "Comparison", name: str, k: int) -> Estimate:
    scores = data.neighbours()
    count = min(len(data.generated), len(data.reference))
    return Estimate(getattr(scores, name), method=f"k={k}, {count} a side", details={"k": k, "n_each": count})


PRECISION = Metric(
    key="precision",
    label="precision",
    about="share of generated images that are among real ones",
    higher_is_better=True,
    compute=precision,
    short={"precision": "extractor", "prc": "extractor", "prdc": "extractor"},
    place=5,
)
RECALL = Metric(
    key="recall",
    label="recall",
    about="share of real images that are among generated ones",
    higher_is_better=True,
    compute=recall,
    short={"recall": "extractor", "prc": "extractor", "prdc": "extractor"},
    place=6,
)
DENSITY = Metric(
    key="density",
    label="density",
    about="how densely real images surround generated ones",
    higher_is_better=True,
    compute=density,
    short={"density": "extractor", "prdc": "extractor"},
    place=7,
)
COVERAGE = Metric(
    key="coverage",
    label="coverage",
    about="share of real images with a generated one nearby",
    higher_is_better=True,
    compute=coverage,
    short={"coverage": "extractor", "prdc": "extractor"},
    place=8,
)
