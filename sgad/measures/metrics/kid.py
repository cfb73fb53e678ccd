"""Kernel distance (KID) of features."""

from typing import TYPE_CHECKING, Any

from sgad.catalogue import Metric
from sgad.measures.estimate import Estimate

if TYPE_CHECKING:
    from sgad.measures.quantities import Comparison


def kid(data: "Comparison") -> Estimate:
    """Squared maximum mean discrepancy of the cubic kernel (Binkowski et al. 2018, arXiv:1801.01401)."""
    from sgad.measures.mathematics.kernel import kernel_distance

    a, b = data.generated.values, data.reference.values
    found = kernel_distance(a, b)
    low, high = found.value - found.standard_error, found.value + found.standard_error
    details: dict[str, Any] = {"standard_error": found.standard_error}
    # The form that other packages print; nobody else's values are there to compare the classifier's with.
    if data.network.startswith("inception_"):
        details |= _kid_subsets(a, b)
    method = "cubic kernel, all pairs, unbiased, +- jackknife standard error"
    return Estimate(found.value, low, high, method, details)


def _kid_subsets(a: Any, b: Any) -> dict[str, Any]:
    from sgad.measures.mathematics.kernel import kernel_distance_subsets

    subsets = kernel_distance_subsets(a, b)
    details = {
        "subsets_mean": subsets.mean,
        "subsets_deviation": subsets.deviation,
        "subsets": f"{subsets.subsets} x {subsets.size}, seed 2020",
    }
    if subsets.size < 1000:
        details["note"] = f"subsets of {subsets.size} instead of 1000: there are no more images"
    return details


KID = Metric(
    key="kid",
    label="KID",
    about="kernel distance of features, unbiased for few images",
    higher_is_better=False,
    compute=kid,
    decimals=4,
    place=4,
)
