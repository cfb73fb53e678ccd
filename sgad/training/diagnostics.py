"""The health of a training, seen live: firing rates, potentials near the threshold, gradient norms, images."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.models.draw import draw
from sgad.models.generators import can_keep_steps
from sgad.snn.activity import firing_rates, record_activity, window_shares
from sgad.snn.batch_norm import StepBatchNorm, statistics_frozen
from sgad.training.step import shown_to_critic

#: Below this mean standard deviation between images (of pixels in [0, 1]) all images are the same to the eye.
COLLAPSED_DIVERSITY = 0.004
#: Images that one look at the networks takes.
PROBE_IMAGES = 16


@dataclass(frozen=True)
class Health:
    """One look at both networks. Rates and shares are by layer; None where there is nothing to measure."""

    rates_generator: dict[str, float] = field(default_factory=dict)
    rates_discriminator: dict[str, float] = field(default_factory=dict)
    shares_generator: dict[str, float] = field(default_factory=dict)
    shares_discriminator: dict[str, float] = field(default_factory=dict)
    gradient_norm_generator: float | None = None
    gradient_norm_discriminator: float | None = None
    diversity: float | None = None
    #: For each time step: distance of its images to the last ones, and their diversity.
    through_time: list[tuple[float, float]] = field(default_factory=list)
    temporal_inconsistency: float | None = None

    def columns(self) -> dict[str, float | int | None]:
        """The columns of history.csv: means over layers, norms, what images are like."""
        return {
            "firing_rate_generator": _mean(self.rates_generator),
            "firing_rate_discriminator": _mean(self.rates_discriminator),
            "surrogate_share_generator": _mean(self.shares_generator),
            "surrogate_share_discriminator": _mean(self.shares_discriminator),
            "gradient_norm_generator": self.gradient_norm_generator,
            "gradient_norm_discriminator": self.gradient_norm_discriminator,
            "diversity": self.diversity,
            "temporal_inconsistency": self.temporal_inconsistency,
        }

    def layer_rows(self, step: int) -> list[dict[str, float | int | str | None]]:
        """The rows of layers.csv at one step."""
        networks = (
            ("generator", self.rates_generator, self.shares_generator),
            ("discriminator", self.rates_discriminator, self.shares_discriminator),
        )
        return [
            {"step": step, "network": name, "layer": layer, "firing_rate": rate, "surrogate_share": shares[layer]}
            for name, rates, shares in networks
            for layer, rate in rates.items()
        ]

    def time_step_rows(self, step: int) -> list[dict[str, float | int | str | None]]:
        """The rows of time_steps.csv at one step."""
        return [
            {"step": step, "time_step": index, "distance_to_last": distance, "diversity": diversity}
            for index, (distance, diversity) in enumerate(self.through_time, start=1)
        ]

    def silent_critic(self) -> list[str]:
        """Names of the critic's layers that do not fire at all."""
        return [name for name, rate in self.rates_discriminator.items() if rate == 0]

    def verdict(self) -> tuple[str, str]:
        """The status of a training that ends in this state, and the reason if it is not `completed`."""
        for network, rates in (
            ("generator", self.rates_generator),
            ("discriminator", self.rates_discriminator),
        ):
            silent = [name for name, rate in rates.items() if rate == 0]
            if silent:
                return "collapsed", f"no spikes in {', '.join(silent)} of the {network}"
        if self.diversity is not None and self.diversity < COLLAPSED_DIVERSITY:
            return (
                "collapsed",
                f"all images are alike (standard deviation between images {self.diversity:.2g})",
            )
        return "completed", ""


def _mean(values: dict[str, float]) -> float | None:
    return sum(values.values()) / len(values) if values else None


def gradient_norm(module: nn.Module) -> float | None:
    """The 2-norm of all gradients that the last update left, or None if there are none."""
    norms = [parameter.grad.norm() for parameter in module.parameters() if parameter.grad is not None]
    return float(torch.stack(norms).norm()) if norms else None


@contextlib.contextmanager
def seen_by_training(module: nn.Module) -> Iterator[None]:
    """Normalise by the batch's own statistics in this block; nothing else behaves as in training or is changed."""
    before = [(part, part.training) for part in module.modules()]
    for part, _ in before:
        # Only batch norm: spectral norm in training mode would go on with its power iteration.
        part.training = isinstance(part, StepBatchNorm)
    try:
        with statistics_frozen(module), record_activity(module):
            yield
    finally:
        for part, was_training in before:
            part.training = was_training


@torch.no_grad()
def measure_health(generator: nn.Module, discriminator: nn.Module, z: Tensor, config: RunConfig) -> Health:
    """Look at both networks with a few fixed latents (B, latent_dim), as training sees them, and change nothing.

    Batch norm takes the batch's own statistics: running averages lag behind weights that move fast, and a network that
    is silent only through them is not.
    """
    gradients = gradient_norm(generator), gradient_norm(discriminator)
    with seen_by_training(generator), seen_by_training(discriminator):
        made = draw(generator, z[:PROBE_IMAGES], config, keep_steps=can_keep_steps(generator))
        discriminator(shown_to_critic(made.frames, config))
    # Pixels in [-1, 1] lie twice as far apart as in [0, 1].
    unit = 2.0 if config.pixel_range == "symmetric" else 1.0
    through_time = [] if made.steps is None else _through_time(made.steps.float() / unit)
    spread = _diversity(made.shown.float() / unit)
    return Health(
        firing_rates(generator),
        firing_rates(discriminator),
        window_shares(generator),
        window_shares(discriminator),
        *gradients,
        diversity=spread if math.isfinite(spread) else None,
        through_time=through_time,
        temporal_inconsistency=_temporal_inconsistency(made.steps, unit),
    )


def _diversity(images: Tensor) -> float:
    """The standard deviation between images (..., B, C, H, W), the mean of all pixels."""
    return float(images.std(dim=-4).mean())


def _through_time(steps: Tensor) -> list[tuple[float, float]]:
    """For each step of (T, B, C, H, W), the mean absolute distance to the last, and the diversity."""
    distances = (steps - steps[-1]).abs().flatten(1).mean(dim=1)
    diversities = steps.std(dim=1).flatten(1).mean(dim=1)
    # Read at once: each read waits for the device.
    return list(zip(distances.tolist(), diversities.tolist(), strict=True))


def _temporal_inconsistency(steps: Tensor | None, unit: float) -> float | None:
    """The mean absolute difference between neighbouring steps, as `sgad.analyses.temporal_gap.measure` defines it."""
    if steps is None or len(steps) < 2:
        return None
    return float(steps.float().diff(dim=0).abs().mean()) / unit
