"""Temporal inconsistency: how the image changes, and how good it is, from one time step to the next.

The paper's second problem of spiking GANs: the images of a clip drift apart over time; attention scoring decoding weighs
each new frame against the image so far (Feng et al. 2024, arXiv:2305.10246, section 3).
"""

from itertools import pairwise
from pathlib import Path

import numpy as np

from sgad.analyses.toolbox.findings import Finding
from sgad.analyses.toolbox.material import Material
from sgad.analyses.toolbox.subject import Floats, Subject
from sgad.analyses.toolbox.yardsticks import PIXELS, ImageSet, Yardsticks
from sgad.images import tile, to_bytes
from sgad.machine.files import atomic_write

PICTURED = 8


def measure(material: Material) -> list[Finding]:
    """The findings of `sgad analyse`."""
    return analyse_temporal_gap(material.subject, material.yardsticks)


def analyse_temporal_gap(subject: Subject, yardsticks: Yardsticks) -> list[Finding]:
    """The temporal gap of a run, and draw its first samples through time into through-time.png."""
    made = subject.made
    real = subject.clips()
    # Of events, each step has its own data: the real frames of that step.
    data = real.swapaxes(0, 1) if real.ndim == 5 else real[None]
    save_strip(subject.folder / "through-time.png", made.steps)
    return temporal_gap(made.steps, data, yardsticks) + share_findings(made.shares)


def temporal_gap(steps: Floats, data: Floats, yardsticks: Yardsticks) -> list[Finding]:
    """Compare the image at each step (T, N, C, H, W) with the data and with the image one step before.

    Parameters
    ----------
    data
        (T, N, C, H, W), or (1, N, C, H, W) if the data are still images.

    Returns
    -------
    step_to_data at each step and neighbour_distance at each step from 2 on, by each yardstick; sample_change, the mean
    absolute difference of one sample's pixels between neighbouring steps; temporal_inconsistency, its mean over time,
    which is 0 for a still clip; clip_change, the same of real event clips.
    """
    found = yardsticks.absences("step_to_data")
    sets = [ImageSet(f"step {step}", images) for step, images in enumerate(steps, start=1)]
    real = [ImageSet(f"data, step {step}", images) for step, images in enumerate(data, start=1)]
    for index, images in enumerate(sets):
        position = float(index + 1)
        found += yardsticks.compare("step_to_data", images, real[min(index, len(real) - 1)], position)
        if index:
            found += yardsticks.compare("neighbour_distance", sets[index - 1], images, position)
    changes = step_changes(steps)
    protocol = "mean absolute difference of one sample's pixels in [0, 1] between neighbouring steps"
    number = steps.shape[1]
    found += [
        Finding(quantity="sample_change", part=PIXELS, position=step, value=change, n=number, protocol=protocol)
        for step, change in enumerate(changes, start=2)
    ]
    if changes:
        mean = float(np.mean(changes))
        found.append(
            Finding(quantity="temporal_inconsistency", part=PIXELS, value=mean, n=number, protocol=f"{protocol}, mean")
        )
    if len(data) > 1:
        mean = float(np.mean(step_changes(data)))
        found.append(
            Finding(quantity="clip_change", part="data", value=mean, n=data.shape[1], protocol=f"{protocol}, mean")
        )
    return found


def step_changes(steps: Floats) -> list[float]:
    """The mean absolute difference between neighbouring steps of (T, N, ...): T - 1 numbers."""
    return [float(np.abs(after - before).mean()) for before, after in pairwise(steps)]


def share_findings(shares: Floats | None) -> list[Finding]:
    """The weights of the new frame and of the image so far over time, with the middle 90 % of samples."""
    if shares is None:
        return []
    found = []
    for quantity, weights in (("new_share", shares), ("old_share", 1 - shares)):
        for step, values in enumerate(weights, start=1):
            low, high = np.quantile(values, [0.05, 0.95])
            found.append(
                Finding(
                    quantity=quantity,
                    position=float(step),
                    value=float(values.mean()),
                    low=float(low),
                    high=float(high),
                    n=len(values),
                    protocol="mean weight over samples; interval: 5 % and 95 % of samples",
                )
            )
    return found


def save_strip(path: Path, steps: Floats) -> None:
    """Draw the first samples of (T, N, C, H, W), a row each, from the first step to the last."""
    rows = steps[:, :PICTURED].swapaxes(0, 1).reshape(-1, *steps.shape[2:])
    with atomic_write(path) as temporary:
        tile(to_bytes(rows), columns=len(steps)).save(temporary, format="PNG")
