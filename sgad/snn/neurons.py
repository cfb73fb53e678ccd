"""The neurons of the paper, one step at a time: the definition that every kernel must equal."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from sgad.snn.surrogate import spike

#: Slope of the analog control's neurons for negative inputs (the release's LeakyReLU).
NEGATIVE_SLOPE = 0.2


@dataclass(frozen=True)
class Neuron:
    """What a layer's neurons are: constants of the membrane, or `leaky_relu` for analog units without time."""

    kind: Literal["lif", "leaky_relu"] = "lif"
    tau: float = 2.0
    threshold: float = 1.0
    surrogate: str = "arctan"
    width: float = 2.0


def lif_step(x: Tensor, v: Tensor, neuron: Neuron) -> tuple[Tensor, Tensor]:
    """One step of a leaky integrate-and-fire neuron (Feng et al. 2024, arXiv:2305.10246).

    h = v + (x - v) / tau;  s = [h > threshold];  v' = h (1 - s), where the s of the reset carries no gradient.
    Takes current x and potential v of one shape (B, ...); returns spikes in {0, 1} and v', both of that shape.
    """
    h = v + (x - v) / neuron.tau
    s = spike(h, neuron.threshold, neuron.surrogate, neuron.width)
    return s, h * (1 - s.detach())


def leaky_step(x: Tensor, m: Tensor, tau: float) -> Tensor:
    """One step of the leaky integrator ("MP" in the release): m' = m + (x - m) / tau; it never fires."""
    return m + (x - m) / tau


def readout_weights(steps: int, tau: float) -> list[float]:
    """Return w with m[T] = sum over t of w[t] * x[t] for a leaky integrator that starts at 0.

    The integrator is linear, so that its last potential is one weighted sum: w[t] = (1 - 1/tau)^(T-1-t) / tau.
    """
    decay = 1.0 - 1.0 / tau
    return [decay ** (steps - 1 - step) / tau for step in range(steps)]
