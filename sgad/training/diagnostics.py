"""The health of a training, seen live: firing rates, potentials near the threshold, gradient norms, diversity."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sgad.snn.activity import firing_rates, record_activity, window_shares
from sgad.snn.batch_norm import StepBatchNorm, statistics_frozen

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

    def columns(self) -> dict[str, float | int | None]:
        """Return the columns of history.csv: means over layers, norms, diversity."""
        return {
            "firing_rate_generator": _mean(self.rates_generator),
            "firing_rate_discriminator": _mean(self.rates_discriminator),
            "surrogate_share_generator": _mean(self.shares_generator),
            "surrogate_share_discriminator": _mean(self.shares_discriminator),
            "gradient_norm_generator": self.gradient_norm_generator,
            "gradient_norm_discriminator": self.gradient_norm_discriminator,
            "diversity": self.diversity,
        }

    def layer_rows(self, step: int) -> list[dict[str, float | int | str | None]]:
        """Return the rows of layers.csv at one step."""
        networks = (
            ("generator", self.rates_generator, self.shares_generator),
            ("discriminator", self.rates_discriminator, self.shares_discriminator),
        )
        return [
            {"step": step, "network": name, "layer": layer, "firing_rate": rate, "surrogate_share": shares[layer]}
            for name, rates, shares in networks
            for layer, rate in rates.items()
        ]

    def verdict(self) -> tuple[str, str]:
        """Return the status of a training that ends in this state, and the reason if it is not `completed`."""
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
    """Return the 2-norm of all gradients that the last update left, or None if there are none."""
    norms = [parameter.grad.norm() for parameter in module.parameters() if parameter.grad is not None]
    return float(torch.stack(norms).norm()) if norms else None


@contextlib.contextmanager
def _seen_by_training(module: nn.Module) -> Iterator[None]:
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
def measure_health(generator: nn.Module, discriminator: nn.Module, z: Tensor) -> Health:
    """Look at both networks with a few fixed latents (B, latent_dim), as training sees them, and change nothing.

    Batch norm takes the batch's own statistics: running averages lag behind weights that move fast, and a network that
    is silent only through them is not.
    """
    gradients = gradient_norm(generator), gradient_norm(discriminator)
    with _seen_by_training(generator), _seen_by_training(discriminator):
        made = generator(z[:PROBE_IMAGES])
        discriminator(made.frames)
    spread = float(made.shown.float().std(dim=-4).mean())
    return Health(
        firing_rates(generator),
        firing_rates(discriminator),
        window_shares(generator),
        window_shares(discriminator),
        *gradients,
        diversity=spread if math.isfinite(spread) else None,
    )
