"""Counting operations: synaptic operations of spikes, multiply-accumulates of everything else, and their energy.

Conventions, stated in every row that holds a count:

* A synaptic operation (accumulate, AC) is one spike at one connection that exists: borders of convolutions count exactly.
* Average pooling is part of the synapses behind it: each spike before the pooling counts on its own, its 1/4 belongs to the
  weight.
* A layer whose input is not binary takes one multiply-accumulate (MAC) a connection and step; an input that is the same at
  every step (direct encoding) is multiplied once.
* Updates of the neurons, their batch norm (which folds into the weights) and the readout are not counted.
* Energy: 4.6 pJ a MAC and 0.9 pJ an AC, 32-bit floating point at 45 nm (Horowitz 2014, ISSCC, "Computing's energy
  problem").
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

PICOJOULES_MAC = 4.6
PICOJOULES_AC = 0.9
Layer = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


@dataclass(frozen=True)
class Operations:
    """Operations of one layer for one image; `dense`: MACs of one pass of the same layer on analog values."""

    layer: str
    macs: float = 0.0
    acs: float = 0.0
    dense: float = 0.0

    @property
    def picojoules(self) -> float:
        """Energy of one image."""
        return self.macs * PICOJOULES_MAC + self.acs * PICOJOULES_AC

    @property
    def dense_picojoules(self) -> float:
        """Energy of one image if the layer worked once, on analog values."""
        return self.dense * PICOJOULES_MAC


@torch.enable_grad()
def fan_out(layer: Layer, shape: tuple[int, ...], pool: int = 1) -> Tensor:
    """Return how many connections each input value (of `shape`, without batch) has, through average pooling.

    By differentiation: with all weights 1 the sum of the outputs grows by 1 for each connection of an input.
    """
    inputs = torch.ones(1, *shape, requires_grad=True)
    pooled = functional.avg_pool2d(inputs, pool) * pool**2 if pool > 1 else inputs
    weight = torch.ones(layer.weight.shape)
    if isinstance(layer, nn.Linear):
        output = functional.linear(pooled.flatten(1), weight)
    elif isinstance(layer, nn.ConvTranspose2d):
        output = functional.conv_transpose2d(pooled, weight, None, layer.stride, layer.padding)  # type: ignore[arg-type]
    else:
        output = functional.conv2d(pooled, weight, None, layer.stride, layer.padding)
    (connections,) = torch.autograd.grad(output.sum(), inputs)
    return connections[0]


def spiking_layer(name: str, layer: Layer, spikes: Tensor, pool: int = 1) -> Operations:
    """Return the operations of a layer behind spikes: `spikes` (B, C, H, W) or (B, F), summed over time, before pooling."""
    connections = fan_out(layer, tuple(spikes.shape[1:]), pool).to(spikes.device)
    acs = float((spikes.double() * connections).sum()) / len(spikes)
    return Operations(name, acs=acs, dense=_dense(layer, tuple(spikes.shape[1:]), pool))


def analog_layer(name: str, layer: Layer, shape: tuple[int, ...], passes: int, pool: int = 1) -> Operations:
    """Return the operations of a layer behind analog values of `shape`, which it sees in `passes` different steps."""
    dense = _dense(layer, shape, pool)
    return Operations(name, macs=dense * passes, dense=dense)


def input_layer(name: str, layer: Layer, frames: Tensor) -> Operations:
    """Return the operations of a layer that sees frames (T, B, ...), or (1, B, ...) if every step is the same.

    Binary frames are spikes, all others analog values.
    """
    values = frames if isinstance(layer, nn.Conv2d) else frames.flatten(2)
    if bool(((values == 0) | (values == 1)).all()):
        return spiking_layer(name, layer, values.sum(dim=0))
    return analog_layer(name, layer, tuple(values.shape[2:]), len(values))


def _dense(layer: Layer, shape: tuple[int, ...], pool: int) -> float:
    """MACs of one analog pass; pooled values are multiplied, not what they are made of."""
    if pool > 1:
        shape = (*shape[:-2], shape[-2] // pool, shape[-1] // pool)
    return float(fan_out(layer, shape).sum())
