"""How active the layers of a network are: firing rates, and the share of neurons near the threshold."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sgad.snn.layers import Activity, Spiking


@contextlib.contextmanager
def record_activity(module: nn.Module, *, keep_rates: bool = False) -> Iterator[None]:
    """Note the activity of every spiking layer below `module` in the passes of this block; costs a second scan.

    `keep_rates` keeps every neuron's mean over time, of analog units, too; see `neuron_rates`.
    """
    layers = [part for part in module.modules() if isinstance(part, Spiking)]
    for layer in layers:
        layer.activity = Activity(keeps_rates=keep_rates)
    try:
        yield
    finally:
        for layer in layers:
            layer.last_activity, layer.activity = layer.activity, None


def firing_rates(module: nn.Module) -> dict[str, float]:
    """Return the mean number of spikes a step of every layer in the last `record_activity` block, by layer name."""
    return {name: _mean(activity.spikes) for name, activity in _recorded(module)}


def neuron_rates(module: nn.Module) -> dict[str, Tensor]:
    """Return every neuron's mean spikes a step (analog units: mean value), (B, H, W, C) by layer name.

    From the last `record_activity` block with `keep_rates`; B counts the images of all its passes.
    """
    layers = ((name, part.last_activity) for name, part in module.named_modules() if isinstance(part, Spiking))
    return {name: torch.cat(found.rates) for name, found in layers if found is not None and found.rates}


def window_shares(module: nn.Module) -> dict[str, float]:
    """Return the share of potentials near the threshold, where gradients flow, by layer name."""
    return {name: _mean(activity.in_window) for name, activity in _recorded(module)}


def _recorded(module: nn.Module) -> list[tuple[str, Activity]]:
    found = ((name, part.last_activity) for name, part in module.named_modules() if isinstance(part, Spiking))
    return [(name, activity) for name, activity in found if activity is not None and activity.spikes]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
