"""Watch single neurons: membrane potentials and spikes of every layer through time."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sgad.snn.layers import Spiking
from sgad.snn.neurons import Neuron


@dataclass(frozen=True)
class Trace:
    """One layer through time, (T, B, N) with N neurons: `potentials` before the reset, and `spikes` in {0, 1}."""

    potentials: Tensor
    spikes: Tensor

    @property
    def firing_rate(self) -> float:
        """Spikes a neuron and time step."""
        return float(self.spikes.mean())


@dataclass(frozen=True)
class _Recorder:
    name: str
    traces: dict[str, Trace]

    def see_spiking(self, neuron: Neuron, steps: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        stepped = [(h.flatten(1), s.flatten(1)) for h, s, _ in steps]
        potentials, spikes = zip(*stepped, strict=True)
        self.traces[self.name] = Trace(torch.stack(potentials), torch.stack(spikes))

    def see_analog(self, values: Tensor) -> None:
        """Analog units have no potentials."""


@contextmanager
def record_traces(module: nn.Module) -> Iterator[dict[str, Trace]]:
    """Yield a dictionary that passes in this block fill: layer name to its trace, the last pass's if there are several.

    The neurons are stepped once more by their definition (`lif_step`), so watch a few images, not thousands.
    """
    traces: dict[str, Trace] = {}
    layers = {name: part for name, part in module.named_modules() if isinstance(part, Spiking)}
    for name, layer in layers.items():
        layer.watcher = _Recorder(name, traces)
    try:
        yield traces
    finally:
        for layer in layers.values():
            layer.watcher = None
