"""Layers of neurons over time-first sequences, with the batch norm before them and the synapses behind them.

Sequences are (T, B, ...) and, for images, channels last: (T, B, H, W, C). A leading dimension of 1 is a sequence whose
steps are all the same, so that what comes before the first neuron works once instead of T times.
"""

import contextlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from sgad.snn.batch_norm import StepBatchNorm
from sgad.snn.kernels import dispatch
from sgad.snn.kernels.dispatch import convolve as convolve
from sgad.snn.kernels.dispatch import mix_frames as mix_frames
from sgad.snn.kernels.interface import Norm, Scan, Synapse
from sgad.snn.kernels.torch_scan import normalise
from sgad.snn.neurons import Neuron, lif_steps

States = list[Tensor | None]


class Watcher(Protocol):
    """Looks on while layers run; see `sgad.snn.activity` and `sgad.snn.recording`."""

    def see_spiking(self, neuron: Neuron, steps: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Look at potential, spikes and potential after the reset, (B, H, W, C) each, of every step."""
        ...

    def see_analog(self, values: Tensor) -> None:
        """Look at the outputs (T, B, H, W, C) of analog units."""
        ...


class Neurons(nn.Module):
    """A layer of neurons over a whole sequence, without parameters: `Spiking`, or `sgad.snn.analog.Analog`."""

    def __init__(self, pool: int = 1) -> None:
        super().__init__()
        self.pool = pool
        #: Set while somebody watches; it costs a second scan, by the neurons' definition.
        self.watcher: Watcher | None = None
        #: The last one of `sgad.snn.activity.record_activity`, with what it found.
        self.last_activity: Watcher | None = None

    @abstractmethod
    def forward(
        self,
        x: Tensor,
        steps: int,
        norm: StepBatchNorm | None = None,
        state: Tensor | None = None,
        weights: tuple[float, ...] | None = None,
        keep_state: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Outputs (T, B, ...) for currents (T or 1, B, ...), and the last potentials if asked for.

        `weights`, one a step, asks for the weighted sum of the outputs over time, (1, B, ...), instead.
        """

    @abstractmethod
    def into(
        self,
        x: Tensor,
        steps: int,
        norm: StepBatchNorm | None,
        synapse: Synapse,
        state: Tensor | None = None,
        keep_state: bool = False,
        weights: tuple[float, ...] | None = None,
        base: tuple[int, int] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Apply `synapse` to the outputs: (T, B, ...), or (1, B, ...) with `weights`; and the last potentials if asked for.

        Vectors become images of `base` (H, W) before a convolution, and images vectors before a linear layer.
        """


class Spiking(Neurons):
    """A layer of spiking neurons; `engine` names the kernel that computes it, one of `dispatch.ENGINES`."""

    def __init__(self, neuron: Neuron, engine: str = "auto", pool: int = 1) -> None:
        super().__init__(pool)
        self.neuron, self.engine = neuron, engine

    def forward(  # noqa: D102 - as in Neurons
        self,
        x: Tensor,
        steps: int,
        norm: StepBatchNorm | None = None,
        state: Tensor | None = None,
        weights: tuple[float, ...] | None = None,
        keep_state: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        if norm is not None and norm.is_together:
            x, norm = norm.normalise_together(x), None
        arguments = None if norm is None else norm.norm()
        scan = Scan(steps, self.neuron, self.pool, weights, keep_state)
        result = dispatch.scan_layer(x, arguments, state, scan, self.engine)
        self._show(x, arguments, state, steps)
        _record(norm, result.mean, result.var, x, steps)
        return result.spikes, result.state

    def into(  # noqa: D102 - as in Neurons
        self,
        x: Tensor,
        steps: int,
        norm: StepBatchNorm | None,
        synapse: Synapse,
        state: Tensor | None = None,
        keep_state: bool = False,
        weights: tuple[float, ...] | None = None,
        base: tuple[int, int] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        scan = Scan(steps, self.neuron, self.pool, weights, keep_state)
        arguments = None if norm is None else norm.norm()
        is_apart = base is not None or (norm is not None and norm.is_together)
        fed = None if is_apart else dispatch.scan_into(x, arguments, state, scan, synapse, self.engine)
        if fed is None:
            spikes, last = self(x, steps, norm, state, weights, keep_state)
            return dispatch.feed(spikes, synapse, self.engine, weights, base), last
        self._show(x, arguments, state, steps)
        _record(norm, fed.mean, fed.var, x, steps)
        return fed.currents, fed.state

    @torch.no_grad()
    def _show(self, x: Tensor, norm: Norm | None, state: Tensor | None, steps: int) -> None:
        if self.watcher is None:
            return
        images = dispatch.as_images(x, norm, self.pool)
        y = images if norm is None else normalise(images, norm)[0]
        before = None if state is None else state.reshape(y.shape[1:])
        self.watcher.see_spiking(self.neuron, lif_steps(y, steps, self.neuron, before))


def _record(norm: StepBatchNorm | None, mean: Tensor | None, var: Tensor | None, x: Tensor, steps: int) -> None:
    if norm is not None and mean is not None and var is not None:
        norm.record(mean, var, x[0].numel() // x.shape[-1], steps)


@dataclass(frozen=True)
class Block:
    """One line of a network's table of layers: batch norm, neurons, and the synapse that they feed, if any.

    `base` (H, W) says that vectors of spikes become images before the synapse.
    """

    norm: nn.Module | None
    neurons: Neurons
    synapse: Synapse | None = None
    base: tuple[int, int] | None = None

    @property
    def step_norm(self) -> StepBatchNorm | None:
        """The batch norm, unless it is folded into the weights before it."""
        return self.norm if isinstance(self.norm, StepBatchNorm) else None


@dataclass(frozen=True)
class Span:
    """Time steps that a network is run over at once.

    Attributes
    ----------
    steps
        How many.
    weights
        One a step, if the last block's outputs are wanted as their weighted sum.
    states
        Potentials of each block before, if others than 0.
    keep_states
        Whether those after are wanted.
    """

    steps: int
    weights: tuple[float, ...] | None = None
    states: Sequence[Tensor | None] | None = None
    keep_states: bool = False


def run_blocks(x: Tensor, blocks: Sequence[Block], span: Span) -> tuple[Tensor, States]:
    """Run currents (T or 1, B, ...) through blocks of layers; return the last one's output, and each block's state."""
    made = None if span.keep_states or span.states is not None else _as_a_whole(x, blocks, span)
    if made is not None:
        return made, [None] * len(blocks)
    before = span.states or [None] * len(blocks)
    after: States = []
    for index, (block, state) in enumerate(zip(blocks, before, strict=True), start=1):
        weights = span.weights if index == len(blocks) else None
        if block.synapse is None:
            x, last = block.neurons(x, span.steps, block.step_norm, state, weights, span.keep_states)
        else:
            x, last = block.neurons.into(
                x, span.steps, block.step_norm, block.synapse, state, span.keep_states, weights, block.base
            )
        after.append(last)
    return x, after


def _as_a_whole(x: Tensor, blocks: Sequence[Block], span: Span) -> Tensor | None:
    """Run all blocks by one kernel, if there is one: nobody looks in between, and batch norm is folded."""
    layers = [block.neurons for block in blocks]
    synapses = [block.synapse for block in blocks if block.synapse is not None]
    spiking = [layer for layer in layers if isinstance(layer, Spiking) and layer.watcher is None]
    is_folded = all(block.step_norm is None for block in blocks)
    if not is_folded or len(spiking) < len(blocks) or len(synapses) < len(blocks):
        return None
    base = blocks[1].base if len(blocks) > 1 else None
    scan = Scan(span.steps, spiking[0].neuron, weights=span.weights)
    return dispatch.scan_chain(x, scan, synapses, base, spiking[0].engine)


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
