"""The neurons of the paper, one step at a time: the definition that every kernel must equal.

A leaky integrate-and-fire neuron with time constant tau and threshold theta takes a current x[t] at every step:

    h[t] = v[t-1] + (x[t] - v[t-1]) / tau        the membrane leaks towards the current
    s[t] = 1 if h[t] > theta, else 0             it fires above the threshold, strictly
    v[t] = h[t] (1 - s[t])                       a spike takes the potential back to 0

with v[0] = 0. The s of the reset carries no gradient; that of the output has a surrogate derivative (`sgad.snn.surrogate`).
A leaky integrator is the first line alone: it never fires. Feng, Zhao and Zeng 2024, arXiv:2305.10246.

A current of 1.5, steadily: the potential rises to 0.75, then above 1, and starts anew.

>>> import torch
>>> v, train = torch.zeros(()), []
>>> for t in range(6):
...     s, v = lif_step(torch.tensor(1.5), v, Neuron(tau=2.0, threshold=1.0))
...     train.append(int(s))
>>> train
[0, 1, 0, 1, 0, 1]
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sgad.snn.surrogate import spike


@dataclass(frozen=True)
class Neuron:
    """Constants of a layer's spiking neurons: membrane time constant (steps), threshold, surrogate derivative."""

    tau: float = 2.0
    threshold: float = 1.0
    surrogate: str = "arctan"
    width: float = 2.0


def leaky_step(x: Tensor, m: Tensor, tau: float) -> Tensor:
    """One step of a leaky integrator ("MP" in the release): m' = m + (x - m) / tau."""
    return m + (x - m) / tau


def fire(h: Tensor, neuron: Neuron) -> tuple[Tensor, Tensor]:
    """Spikes s = [h > theta] of potentials h, and what the reset leaves of them, v' = h (1 - s)."""
    s = spike(h, neuron.threshold, neuron.surrogate, neuron.width)
    return s, h * (1 - s.detach())


def lif_step(x: Tensor, v: Tensor, neuron: Neuron) -> tuple[Tensor, Tensor]:
    """One step of a leaky integrate-and-fire neuron: charge, fire, reset.

    Takes current x and potential v of one shape (B, ...); returns spikes in {0, 1} and v', both of that shape.
    """
    return fire(leaky_step(x, v, neuron.tau), neuron)


def lif_steps(
    currents: Tensor, steps: int, neuron: Neuron, state: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield potential before the reset h, spikes s and potential after it v, (B, ...) each, of every step.

    `currents` are (T, B, ...), or (1, B, ...) if every step has the same; `state` is the potential before, by default 0.
    """
    v = torch.zeros_like(currents[0]) if state is None else state
    for step in range(steps):
        h = leaky_step(currents[step if len(currents) > 1 else 0], v, neuron.tau)
        s, v = fire(h, neuron)
        yield h, s, v


@dataclass(frozen=True)
class Integrator:
    """A leaky integrator that reads a layer out; with tau = 1 it keeps nothing, and m[t] is x[t].

    >>> Integrator(tau=2.0).weights(3)
    (0.125, 0.25, 0.5)
    """

    tau: float = 2.0

    def __call__(self, currents: Tensor) -> Tensor:
        """Potentials m (T, B, ...) of currents (T, B, ...), from 0."""
        m = torch.zeros_like(currents[0])
        potentials = []
        for current in currents:
            m = leaky_step(current, m, self.tau)
            potentials.append(m)
        return torch.stack(potentials)

    def weights(self, steps: int) -> tuple[float, ...]:
        """Weights w with m[T] = sum over t of w[t] x[t]: w[t] = (1 - 1/tau)^(T-t) / tau for t = 1..T.

        The integrator is linear, so that its last potential is one weighted sum of the currents.
        """
        decay = self.keeps(1)
        return tuple(decay ** (steps - 1 - step) / self.tau for step in range(steps))

    def keeps(self, steps: int) -> float:
        """Share of its potential that is left after so many steps: (1 - 1/tau)^steps."""
        return float((1.0 - 1.0 / self.tau) ** steps)
