"""Watch single neurons: membrane potentials and spikes of every layer through time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sgad.snn.kernels.torch_scan import normalise
from sgad.snn.layers import Spiking, use_engine
from sgad.snn.neurons import lif_step


@dataclass(frozen=True)
class Trace:
    """One layer through time, (T, B, N) with N neurons: `potentials` before the reset, and `spikes` in {0, 1}."""

    potentials: Tensor
    spikes: Tensor

    @property
    def firing_rate(self) -> float:
        """Spikes a neuron and time step."""
        return float(self.spikes.mean())


@contextmanager
def record_traces(module: nn.Module) -> Iterator[dict[str, Trace]]:
    """Yield a dictionary that passes in this block fill: layer name to its trace, the last pass's if there are several.

    The neurons are stepped once more by their definition (`lif_step`), so watch a few images, not thousands.
    """
    traces: dict[str, Trace] = {}
    parts = ((name, part) for name, part in module.named_modules() if isinstance(part, Spiking))
    layers = {name: part for name, part in parts if part.neuron.kind == "lif"}
    handles = [layer.register_forward_pre_hook(_observer(name, traces)) for name, layer in layers.items()]
    try:
        # The other kernels fuse layers and would pass the hooks by.
        with use_engine(module, "torch"):
            yield traces
    finally:
        for handle in handles:
            handle.remove()


def _observer(name: str, traces: dict[str, Trace]) -> Callable[..., None]:
    @torch.no_grad()
    def observe(layer: Spiking, arguments: tuple[object, ...]) -> None:
        x, steps, norm, state = (*arguments, None, None)[:4]
        assert isinstance(x, Tensor)
        assert isinstance(steps, int)
        images = x[:, :, None, None, :] if x.ndim == 3 else x
        currents = (images if norm is None else normalise(images, norm.norm())[0]).flatten(2)  # type: ignore[attr-defined]
        v = torch.zeros_like(currents[0]) if state is None else state.reshape(currents[0].shape)  # type: ignore[attr-defined]
        potentials, spikes = [], []
        for step in range(steps):
            x_t = currents[step if len(currents) > 1 else 0]
            potentials.append(v + (x_t - v) / layer.neuron.tau)
            s, v = lif_step(x_t, v, layer.neuron)
            spikes.append(s)
        traces[name] = Trace(torch.stack(potentials), torch.stack(spikes))

    return observe
