"""Frechet distance without its bias at finite n: a line in 1/n, read at 1/n = 0."""

from typing import TYPE_CHECKING, Any

from sgad.catalogue import Metric, MetricName
from sgad.measures.estimate import Estimate

if TYPE_CHECKING:
    from sgad.measures.quantities import Comparison


def frechet_infinity(data: "Comparison") -> Estimate:
    """The Frechet distance that infinitely many generated images would have (Chong and Forsyth 2020, arXiv:1911.07023)."""
    from sgad.measures.mathematics import frechet
    from sgad.measures.mathematics.moments import moments_of

    found = frechet.frechet_infinity(data.generated.values, moments_of(data.reference.values))
    details: dict[str, Any] = {
        "residual": found.residual,
        "slope": found.slope,
        "sizes": found.sizes,
        "distances": found.distances,
    }
    if len(data.generated) < 1000:
        details["warning"] = "below about 1,000 images the distance is not yet a straight line in 1/n"
    return Estimate(found.value, method="line in 1/n through 8 sizes from n/5 to n, 3 draws each", details=details)


FRECHET_INFINITY = Metric(
    key="infinity",
    label="Frechet distance∞",
    about="Frechet distance, extrapolated to infinitely many images: fid_infinity, cfd_infinity",
    higher_is_better=False,
    compute=frechet_infinity,
    decimals=2,
    names={
        "classifier": MetricName("cfd_infinity", "CFD∞"),
        "inception": MetricName("fid_infinity_{suffix}", "FID∞ ({where})"),
    },
    short={"fid_infinity": "inception"},
    place=2,
)
