"""How active the layers of a network are: firing rates, and the share of neurons near the threshold."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sgad.snn.layers import Neurons
from sgad.snn.neurons import Neuron
from sgad.snn.surrogate import surrogate_derivative


@dataclass
class Activity:
    """Activity of one layer in the recorded passes.

    Attributes
    ----------
    spikes, in_window
        Of each pass, the mean over time, images and neurons, in [0, 1]: spikes, and potentials whose surrogate derivative
        exceeds half its peak.
    rates
        Of each pass, the mean over time of every neuron, (B, H, W, C), before any pooling; only with `keeps_rates`.
    """

    keeps_rates: bool = False
    spikes: list[float] = field(default_factory=list)
    in_window: list[float] = field(default_factory=list)
    rates: list[Tensor] = field(default_factory=list)

    def see_spiking(self, neuron: Neuron, steps: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Note one pass of spiking neurons."""
        fired, inside = torch.zeros(()), torch.zeros(())
        counts: Tensor | None = None
        count = 0
        half = surrogate_derivative(torch.zeros(()), neuron.surrogate, neuron.width) / 2
        for h, s, _ in steps:
            fired = fired + s.mean()
            slopes = surrogate_derivative(h - neuron.threshold, neuron.surrogate, neuron.width)
            inside = inside + (slopes > half).to(h.dtype).mean()
            if self.keeps_rates:
                counts = s if counts is None else counts + s
            count += 1
        self.spikes.append(float(fired) / count)
        self.in_window.append(float(inside) / count)
        if counts is not None:
            self.rates.append(counts / count)

    def see_analog(self, values: Tensor) -> None:
        """Note one pass of analog units: only the rates, if they are kept."""
        if self.keeps_rates:
            self.rates.append(values.mean(dim=0))


@contextlib.contextmanager
def record_activity(module: nn.Module, *, keep_rates: bool = False) -> Iterator[None]:
    """Note the activity of every layer of neurons below `module` in the passes of this block; costs a second scan.

    `keep_rates` keeps every neuron's mean over time, of analog units, too; see `neuron_rates`.
    """
    layers = [part for part in module.modules() if isinstance(part, Neurons)]
    for layer in layers:
        layer.watcher = Activity(keep_rates)
    try:
        yield
    finally:
        for layer in layers:
            layer.last_activity, layer.watcher = layer.watcher, None


def firing_rates(module: nn.Module) -> dict[str, float]:
    """Mean number of spikes a step of every layer in the last `record_activity` block, by layer name."""
    return {name: _mean(activity.spikes) for name, activity in _recorded(module) if activity.spikes}


def window_shares(module: nn.Module) -> dict[str, float]:
    """Share of potentials near the threshold, where gradients flow, by layer name."""
    return {name: _mean(activity.in_window) for name, activity in _recorded(module) if activity.spikes}


def neuron_rates(module: nn.Module) -> dict[str, Tensor]:
    """Every neuron's mean spikes a step (analog units: mean value), (B, H, W, C) by layer name.

    From the last `record_activity` block with `keep_rates`; B counts the images of all its passes.
    """
    return {name: torch.cat(activity.rates) for name, activity in _recorded(module) if activity.rates}


def _recorded(module: nn.Module) -> Iterator[tuple[str, Activity]]:
    for name, part in module.named_modules():
        if isinstance(part, Neurons) and isinstance(part.last_activity, Activity):
            yield name, part.last_activity


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
