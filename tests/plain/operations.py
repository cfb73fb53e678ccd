"""Operations of the built-in networks, layer by layer from a list written by hand: the definition.

`sgad.analyses.energy.counting` must find the same numbers without a list.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from sgad.analyses.energy.measure import scoring_operations
from sgad.analyses.energy.operations import Operations
from sgad.models.discriminators import Discriminator, SganDiscriminator
from sgad.models.generators import BASE_CHANNELS, Generated, Generator
from sgad.snn.activity import neuron_rates
from sgad.snn.analog import Analog
from sgad.snn.encoders import encode

Layer = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


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


def is_analog(module: nn.Module) -> bool:
    return any(isinstance(part, Analog) for part in module.children())


def generator_operations(generator: nn.Module, z: Tensor) -> list[Operations]:
    """Return the operations of each layer of a generator whose `neuron_rates` were recorded for z (B, latent_dim)."""
    assert isinstance(generator, Generator)
    rates = neuron_rates(generator)
    steps = generator.steps
    layers = [input_layer("linear1", generator.linear1, encode(z, generator.encoder, steps))]
    names = {part: name for name, part in generator.named_children()}
    height, width = generator.base
    for index, block in enumerate(generator.blocks()):
        assert block.synapse is not None
        values = rates[names[block.neurons]].flatten(1)
        if block.base is not None:
            values = values.unflatten(1, (BASE_CHANNELS, *block.base))
        elif index > 0:
            # Layers keep (H, W, C), as one axis where no batch norm is left to need the channels.
            height, width = 2 * height, 2 * width
            values = values.unflatten(1, (height, width, -1)).permute(0, 3, 1, 2)
        name = names[block.synapse]
        layers.append(_behind_neurons(name, block.synapse, values, steps, 1, is_analog=is_analog(generator)))
    return [*layers, *scoring_operations(generator)]


def critic_operations(critic: nn.Module, made: Generated) -> list[Operations]:
    """Return the operations of each layer of a critic whose `neuron_rates` were recorded for a generated batch."""
    frames = made.frames if made.frames.ndim == 5 else made.frames.unsqueeze(0)
    rates = {name: _channels_first(values) for name, values in neuron_rates(critic).items()}
    if isinstance(critic, SganDiscriminator):
        return _sgan_operations(critic, frames, rates)
    assert isinstance(critic, Discriminator)
    steps = len(frames) if is_analog(critic) or len(frames) > 1 else critic.steps

    def behind(name: str, layer: Layer, values: Tensor, pool: int) -> Operations:
        return _behind_neurons(name, layer, values, steps, pool, is_analog=is_analog(critic))

    return [
        input_layer("conv1", critic.conv1, frames),
        behind("conv2", critic.conv2, rates["neurons1"], 2),
        behind("linear1", critic.linear1, rates["neurons2"], 2),
        behind("linear2", critic.linear2, rates["neurons3"].flatten(1), 1),
    ]


def _sgan_operations(critic: SganDiscriminator, frames: Tensor, rates: Mapping[str, Tensor]) -> list[Operations]:
    first = input_layer("linear1", critic.linear1, frames)
    if is_analog(critic):
        return [first, analog_layer("linear2", critic.linear2, (400,), len(frames))]
    steps = len(frames) if len(frames) > 1 else critic.steps
    return [first, _behind_neurons("linear2", critic.linear2, rates["neurons1"].flatten(1), steps, 1, is_analog=False)]


def _behind_neurons(name: str, layer: Layer, rates: Tensor, steps: int, pool: int, *, is_analog: bool) -> Operations:
    """Operations of a layer behind neurons of these rates (B, ...), mean values where the neurons are analog."""
    if is_analog:
        return analog_layer(name, layer, tuple(rates.shape[1:]), steps, pool)
    return spiking_layer(name, layer, rates * steps, pool)


def _channels_first(rates: Tensor) -> Tensor:
    """Layers keep (B, H, W, C); convolutions take (B, C, H, W)."""
    return rates.permute(0, 3, 1, 2) if rates.ndim == 4 else rates
