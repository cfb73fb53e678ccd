"""Layers of neurons over time-first sequences, with the batch norm before them and the synapses behind them.

Sequences are (T, B, ...) and, for images, channels last: (T, B, H, W, C). A leading dimension of 1 stands for a sequence
whose steps are all the same, so that what comes before the first neuron works once instead of T times.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from sgad.snn.batch_norm import StepBatchNorm
from sgad.snn.convolutions import NARROW, convolve, upconvolve
from sgad.snn.kernels import Norm, Scan, is_periodic, is_plain, resolve_engine, scan_layer
from sgad.snn.neurons import NEGATIVE_SLOPE, Neuron
from sgad.snn.surrogate import surrogate_derivative

Synapse = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


@dataclass
class Activity:
    """Activity of one layer in the last recorded passes: means over time, images and neurons, in [0, 1].

    `rates`, only with `keeps_rates`: each pass's mean over time of every neuron, (B, H, W, C), before any pooling.
    """

    spikes: list[float] = field(default_factory=list)
    in_window: list[float] = field(default_factory=list)
    keeps_rates: bool = False
    rates: list[Tensor] = field(default_factory=list)


class Spiking(nn.Module):
    """A layer of neurons over a whole sequence, with the batch norm before and the pooling after them.

    It has no parameters; `engine` names the kernel.
    """

    def __init__(self, neuron: Neuron, engine: str = "auto", pool: int = 1) -> None:
        super().__init__()
        self.neuron, self.engine, self.pool = neuron, engine, pool
        #: Set while activity is recorded; `last_activity` is what the last recording found.
        self.activity: Activity | None = None
        self.last_activity: Activity | None = None

    def forward(
        self,
        x: Tensor,
        steps: int,
        norm: StepBatchNorm | None = None,
        state: Tensor | None = None,
        weights: tuple[float, ...] | None = None,
        keep_state: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return spikes (T, B, ...) of currents (T or 1, B, ...), and the last potentials if asked for.

        `weights`, one a step, asks for the weighted sum of the spikes over time, (1, B, ...), instead.
        """
        shape = x.shape
        if x.ndim == 3:
            x = x[:, :, None, None, :]
        elif norm is None and self.pool == 1:
            x = x.flatten(2)[:, :, None, None, :]
        is_vector = len(shape) == 3 or (norm is None and self.pool == 1)
        if norm is not None and norm.is_shared and norm.training:
            x, norm = norm.normalise_together(x), None
        arguments = None if norm is None else norm.norm()
        if self.neuron.kind == "leaky_relu":
            spikes, last = self._analog(x, steps, norm, arguments), None
        else:
            scan = Scan(steps, self.neuron, self.pool, weights, keep_state)
            previous = None if state is None else state.reshape(x.shape[1:])
            result = scan_layer(x, arguments, previous, scan, self.engine)
            if self.activity is not None:
                self._observe(x, arguments, previous, steps)
            if norm is not None and result.mean is not None and result.var is not None:
                norm.record(result.mean, result.var, x[0].numel() // x.shape[-1], steps)
            spikes, last = result.spikes, result.state
        if is_vector:
            spikes = spikes.reshape(len(spikes), *shape[1:])
        return spikes, last

    def kernel(self, device: torch.device) -> str:
        """Return the kernel that runs on `device`; analog units have none."""
        return "torch" if self.neuron.kind == "leaky_relu" else resolve_engine(self.engine, device)

    def into(
        self,
        x: Tensor,
        steps: int,
        norm: StepBatchNorm | None,
        synapse: Synapse,
        state: Tensor | None = None,
        keep_state: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return what `synapse` makes of the spikes, (T, B, ...), and the last potentials if asked for.

        On a CPU, two sorts of spikes are never written out: those of neurons whose current never changes, which repeat,
        and those that become pixels of few channels, which are the largest tensors of all.
        """
        scan, kernel = Scan(steps, self.neuron, self.pool, None, keep_state), self.kernel(x.device)
        together = norm is not None and norm.is_shared
        if state is not None or together or not _can_fuse(x, synapse, scan, kernel):
            spikes, last = self(x, steps, norm, state, None, keep_state)
            return _through(spikes, synapse, kernel), last
        arguments = None if norm is None else norm.norm()
        images = x[:, :, None, None, :] if x.ndim == 3 else x
        if self.activity is not None:
            self._observe(images, arguments, None, steps)
        made, mean, var = _fused(images, arguments, synapse, scan)
        if norm is not None and mean is not None and var is not None:
            norm.record(mean, var, x[0].numel() // x.shape[-1], steps)
        return made, None

    def _analog(self, x: Tensor, steps: int, norm: StepBatchNorm | None, arguments: Norm | None) -> Tensor:
        from sgad.snn.kernels.torch_scan import average_pool, normalise

        y = x
        if norm is not None and arguments is not None:
            y, mean, var = normalise(x, arguments)
            if mean is not None and var is not None:
                norm.record(mean, var, x[0].numel() // x.shape[-1], steps)
        y = functional.leaky_relu(y, NEGATIVE_SLOPE)
        if self.activity is not None and self.activity.keeps_rates:
            self.activity.rates.append(y.detach().mean(dim=0))
        pooled: Tensor = average_pool(y.flatten(0, 1), self.pool).unflatten(0, x.shape[:2])
        return pooled

    @torch.no_grad()
    def _observe(self, x: Tensor, arguments: Norm | None, state: Tensor | None, steps: int) -> None:
        """Note firing rate and the share of potentials whose surrogate derivative exceeds half its peak."""
        from sgad.snn.kernels.torch_scan import normalise

        assert self.activity is not None
        neuron = self.neuron
        y = x if arguments is None else normalise(x, arguments)[0]
        v = torch.zeros_like(y[0]) if state is None else state
        zero = torch.zeros((), dtype=x.dtype, device=x.device)
        half = surrogate_derivative(zero, neuron.surrogate, neuron.width) / 2
        fired = inside = zero
        counts = torch.zeros_like(v) if self.activity.keeps_rates else None
        for step in range(steps):
            h = v + (y[step if len(y) > 1 else 0] - v) / neuron.tau
            s = (h > neuron.threshold).to(x.dtype)
            v = h * (1 - s)
            fired = fired + s.mean()
            if counts is not None:
                counts += s
            slopes = surrogate_derivative(h - neuron.threshold, neuron.surrogate, neuron.width)
            inside = inside + (slopes > half).to(x.dtype).mean()
        self.activity.spikes.append(float(fired) / steps)
        self.activity.in_window.append(float(inside) / steps)
        if counts is not None:
            self.activity.rates.append(counts / steps)


def _can_fuse(x: Tensor, synapse: Synapse, scan: Scan, kernel: str) -> bool:
    if isinstance(synapse, nn.ConvTranspose2d):
        return synapse.out_channels <= NARROW and is_plain(scan, kernel)
    return is_periodic(x, scan, kernel)


def _fused(x: Tensor, norm: Norm | None, synapse: Synapse, scan: Scan) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Run neurons and what they feed as one; return that and the batch statistics."""
    if not isinstance(synapse, nn.ConvTranspose2d):
        from sgad.snn.kernels.periodic import periodic_synapse

        return periodic_synapse(x, norm, synapse, scan)
    from sgad.snn.kernels.pixels import pixels_of

    made, mean, var = pixels_of(x, norm, synapse.weight, scan)
    return made if synapse.bias is None else made + synapse.bias, mean, var


def _through(spikes: Tensor, synapse: Synapse, kernel: str) -> Tensor:
    if isinstance(synapse, nn.Linear):
        made: Tensor = synapse(spikes)
        return made
    return convolve(spikes, synapse) if isinstance(synapse, nn.Conv2d) else upconvolve(spikes, synapse, engine=kernel)


@contextlib.contextmanager
def use_engine(module: nn.Module, engine: str) -> Iterator[None]:
    """Run the spiking layers below `module` with another kernel in this block."""
    layers = [part for part in module.modules() if isinstance(part, Spiking)]
    before = [layer.engine for layer in layers]
    for layer in layers:
        layer.engine = engine
    try:
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.engine = value
