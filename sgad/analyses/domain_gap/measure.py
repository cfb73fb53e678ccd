"""Out-of-domain inconsistency: what the critic is shown, what a person is shown, and the data, compared.

The paper's first problem of spiking GANs: the critic of an SGAN is shown binary spikes, a person their mean over time,
and the data are neither (Feng et al. 2024, arXiv:2305.10246, section 3).
"""

import numpy as np

from sgad.analyses.toolbox.findings import Finding
from sgad.analyses.toolbox.material import Material
from sgad.analyses.toolbox.subject import Floats, Subject
from sgad.analyses.toolbox.yardsticks import ImageSet, Yardsticks, pixel_histogram

#: Bars of the histograms that are stored.
BARS = 32
#: Pixel values count as lying on k / T within half a level of 8 bits.
HALF_LEVEL = 0.5 / 255


def measure(material: Material) -> list[Finding]:
    """The findings of `sgad analyse`."""
    return analyse_domain_gap(material.subject, material.yardsticks)


def analyse_domain_gap(subject: Subject, yardsticks: Yardsticks) -> list[Finding]:
    """The domain gap of a run."""
    made = subject.made
    return domain_gap(made.critic, made.shown, subject.real, subject.config.time_steps, yardsticks)


def domain_gap(critic: Floats, shown: Floats, data: Floats, steps: int, yardsticks: Yardsticks) -> list[Finding]:
    """Compare what the critic is shown at each step with the image shown, and both with the data.

    Parameters
    ----------
    critic
        (T, N, C, H, W) in [0, 1], or (1, N, C, H, W) if all `steps` steps are the same.
    shown, data
        (N, C, H, W) in [0, 1]. Distances are fair between equal N.

    Returns
    -------
    critic_to_shown and critic_to_data at each step, shown_to_data, by each yardstick; pixel_histogram and on_lattice (the
    share of pixel values that are a multiple of 1 / T) of the three sets. A critic that is shown what a person is shown
    has critic_to_shown 0.
    """
    picture, real = ImageSet("shown", shown), ImageSet("data", data)
    found = yardsticks.absences("critic_to_shown")
    for step, frames in enumerate(critic, start=1):
        at_step = ImageSet(f"critic, step {step}", frames)
        positions = [step] if len(critic) > 1 else range(1, steps + 1)
        for quantity, other in (("critic_to_shown", picture), ("critic_to_data", real)):
            rows = yardsticks.compare(quantity, at_step, other)
            found += [row.model_copy(update={"position": float(place)}) for place in positions for row in rows]
    found += yardsticks.compare("shown_to_data", picture, real)
    for name, images in (("critic", critic), ("shown", shown), ("data", data)):
        found += _pixel_values(name, images, steps)
    return found


def _pixel_values(name: str, images: Floats, steps: int) -> list[Finding]:
    count = images.shape[-4]
    bars = pixel_histogram(images, BARS)
    histogram = [
        Finding(
            quantity="pixel_histogram",
            part=name,
            position=bar / (BARS - 1),
            value=float(share),
            n=count,
            protocol=f"share of pixel values nearest to k / {BARS - 1}",
        )
        for bar, share in enumerate(bars)
    ]
    lattice = Finding(
        quantity="on_lattice",
        part=name,
        value=lattice_share(images, steps),
        n=count,
        protocol=f"share of pixel values within half a level of a multiple of 1 / {steps}",
    )
    return [*histogram, lattice]


def lattice_share(images: Floats, steps: int) -> float:
    """The share of pixel values that are a multiple of 1 / `steps`, up to half a level of 8 bits."""
    distance = np.abs(images - np.rint(images * steps) / steps)
    return float((distance <= HALF_LEVEL).mean())
