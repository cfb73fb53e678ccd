"""How close generated images are to reference images, next to how close those are to each other."""

from typing import TYPE_CHECKING

from sgad.catalogue import Metric
from sgad.measures.estimate import Estimate

if TYPE_CHECKING:
    from sgad.measures.quantities import Comparison


def nearest(data: "Comparison") -> Estimate:
    """Copies of the reference give 0; near 1, images are as far from the reference as its images are from each other."""
    import numpy as np

    from sgad.measures.mathematics.neighbours import nearest_distances

    generated, reference = data.equal_sets()
    own = nearest_distances(reference, [reference], leave_out_copies=1)
    others = nearest_distances(generated, [reference])
    scale = float(np.median(own))
    if scale == 0:
        raise ValueError("most reference images are copies of each other, so there is nothing to compare with")
    details = {"median_generated": float(np.median(others)), "median_reference": scale, "n_each": len(reference)}
    method = f"median distance to the nearest reference image over that within the reference, {len(reference)} a side"
    return Estimate(float(np.median(others)) / scale, method=method, details=details)


NEAREST = Metric(
    key="nearest",
    label="nearest reference, ratio",
    about="distance to the nearest reference image over that among reference images: 0 for copies",
    higher_is_better=True,
    compute=nearest,
    place=9,
)
