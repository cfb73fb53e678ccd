"""Frechet distance of Gaussians: FID, FAD and CFD, by the network whose features they compare."""

from typing import TYPE_CHECKING, Any

from sgad.catalogue import Metric, MetricName
from sgad.measures.estimate import Estimate

if TYPE_CHECKING:
    from sgad.measures.quantities import Comparison

#: Fewer images than this many per dimension: a Frechet distance is mostly bias.
IMAGES_PER_DIMENSION = 10


def frechet(data: "Comparison") -> Estimate:
    """Distance |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) between the features' means and covariances."""
    from sgad.measures.mathematics.frechet import frechet_distance_of_features

    a, b = data.generated.values, data.reference.values
    value = frechet_distance_of_features(a, b)
    return Estimate(value, method="float64, singular values of covariance factors", details=_rank(a, b))


def _rank(a: Any, b: Any) -> dict[str, Any]:
    width, smaller = a.shape[1], min(len(a), len(b))
    details: dict[str, Any] = {"features": width, "rank_deficient": smaller <= width}
    if smaller < IMAGES_PER_DIMENSION * width:
        details["warning"] = (
            f"{smaller} images for {width} features: below {IMAGES_PER_DIMENSION} each the distance is biased"
            " upwards; compare equal n only"
        )
    return details


FRECHET = Metric(
    key="frechet",
    label="Frechet distance",
    about="Frechet distance of features: fid (Inception), fad (autoencoders), cfd (classifier of the data set)",
    higher_is_better=False,
    compute=frechet,
    decimals=2,
    names={
        "classifier": MetricName("cfd", "CFD"),
        "inception": MetricName("fid_{network}", "FID ({where})"),
        "autoencoder": MetricName("{network}", "FAD ({where})"),
    },
    short={"fid": "inception", "fad": ("fad_fsvae", "fad_eval")},
    held_out={"classifier": "cfd_val", "fad_fsvae": "fad_val", "fad_eval": "fad_eval_val"},
    place=1,
)
