"""Spikes and energy of generator and critic for one image: firing rates, operations, picojoules."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sgad.analyses.findings import Finding, missing
from sgad.analyses.operations import (
    PICOJOULES_AC,
    PICOJOULES_MAC,
    Layer,
    Operations,
    analog_layer,
    input_layer,
    spiking_layer,
)
from sgad.analyses.subject import Subject
from sgad.errors import InputError
from sgad.models.discriminators import Discriminator, SganDiscriminator
from sgad.models.generators import BASE_CHANNELS, Generated, Generator, SgadGenerator
from sgad.snn.activity import neuron_rates, record_activity
from sgad.snn.encoders import encode
from sgad.training.step import shown_to_critic

IMAGES = 64
COUNTED = "operations of one image, mean of {n} images; pooled spikes counted before pooling, a repeated input multiplied once"
ENERGY = f"{PICOJOULES_MAC} pJ a MAC, {PICOJOULES_AC} pJ an AC (Horowitz 2014, 45 nm, 32-bit floats)"
#: How often the definition applies each layer of a scoring mode at one step: keys of the image so far and of the frame.
SCORING_CALLS = {
    "query": 1,
    "query1": 1,
    "query2": 1,
    "key": 2,
    "key1": 2,
    "key2": 2,
    "embed": 2,
    "score1": 2,
    "score2": 2,
}


@torch.no_grad()
def analyse_energy(subject: Subject) -> list[Finding]:
    """Return firing rates, operations and energy of a run's networks for one generated image."""
    generator, critic = subject.generator, subject.discriminator
    z = subject.z[:IMAGES]
    with record_activity(generator, keep_rates=True), record_activity(critic, keep_rates=True):
        made = subject.run_generator(z)
        critic(shown_to_critic(made.frames, subject.config))
    try:
        networks = {
            "generator": generator_operations(generator, z),
            "critic": critic_operations(critic, made),
        }
    except InputError as error:
        return [missing("energy", str(error))]
    found = []
    for name, module in (("generator", generator), ("critic", critic)):
        found += _rates(name, module)
        found += energy_findings(name, networks[name], len(z))
    return found


def _rates(network: str, module: nn.Module) -> list[Finding]:
    """Firing rates of the spiking layers; analog units have none."""
    if _is_analog(module):
        return []
    return [
        Finding(
            quantity="firing_rate",
            part=f"{network}/{layer}",
            value=float(rates.mean()),
            n=len(rates),
            protocol="spikes of a neuron and step, mean over neurons, steps and images",
        )
        for layer, rates in neuron_rates(module).items()
    ]


def energy_findings(network: str, layers: list[Operations], count: int) -> list[Finding]:
    """Return the rows of one network: operations of each layer, their sum, energy, and energy of one analog pass."""
    counted = COUNTED.format(n=count)
    found = []
    total = Operations("all", *(sum(getattr(layer, name) for layer in layers) for name in ("macs", "acs", "dense")))
    for layer in [*layers, total]:
        values = {
            "synaptic_operations": layer.acs,
            "multiply_accumulates": layer.macs,
            "energy_nanojoule": layer.picojoules / 1000,
            "analog_energy_nanojoule": layer.dense_picojoules / 1000,
        }
        found += [
            Finding(
                quantity=quantity,
                part=f"{network}/{layer.layer}",
                value=value,
                n=count,
                protocol=f"{counted}; {ENERGY}" if quantity.endswith("nanojoule") else counted,
            )
            for quantity, value in values.items()
        ]
    return found


def _is_analog(module: nn.Module) -> bool:
    neuron = getattr(module, "neuron", None)
    return neuron is not None and neuron.kind == "leaky_relu"


def generator_operations(generator: nn.Module, z: Tensor) -> list[Operations]:
    """Return the operations of each layer of a generator whose `neuron_rates` were recorded for z (B, latent_dim).

    Raises
    ------
    InputError
        If the generator is a user's own, whose layers nobody told us.
    """
    if not isinstance(generator, Generator):
        raise InputError("operations are counted for built-in generators; a class of one's own has no list of layers")
    rates = neuron_rates(generator)
    steps = generator.steps
    layers = [input_layer("linear1", generator.linear1, encode(z, generator.encoder, steps))]
    for index in range(1, generator.num_layers + 1):
        layer = generator.linear2 if index == 1 else generator.deconv(index - 1)
        values = rates[f"neurons{index}"].flatten(1)
        if index == 2:
            values = values.unflatten(1, (BASE_CHANNELS, *generator.base))
        elif index > 2:
            # Layers keep (H, W, C), as one axis where no batch norm is left to need the channels.
            height, width = (size * 2 ** (index - 2) for size in generator.base)
            values = values.unflatten(1, (height, width, -1)).permute(0, 3, 1, 2)
        name = "linear2" if index == 1 else f"deconv{index - 1}"
        layers.append(_behind_neurons(name, layer, values, steps, 1, is_analog=_is_analog(generator)))
    return [*layers, *_scoring_operations(generator)]


def _scoring_operations(generator: Generator) -> list[Operations]:
    """Operations of attention scoring decoding as it is defined, without the engine's shortcuts; none at T = 1."""
    if not isinstance(generator, SgadGenerator):
        return []
    pixels = generator.shape[0] * generator.shape[1] * generator.shape[2]
    calls = [
        (generator.get_submodule(name), SCORING_CALLS[name])
        for name in generator.scoring_names
        if name in SCORING_CALLS
    ]
    projections = sum(layer.weight.numel() * count for layer, count in calls if isinstance(layer, nn.Linear))
    # Two products of query and key, and the mixture of two images.
    width = max(
        (_outputs(generator, name) for name in ("query", "query2") if name in generator.scoring_names), default=0
    )
    macs = float((generator.steps - 1) * (projections + 2 * width + 2 * pixels))
    return [Operations("decoding", macs=macs, dense=0.0)]


def _outputs(generator: Generator, name: str) -> int:
    layer = generator.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    return layer.out_features


def critic_operations(critic: nn.Module, made: Generated) -> list[Operations]:
    """Return the operations of each layer of a critic whose `neuron_rates` were recorded for a generated batch.

    Raises
    ------
    InputError
        If the critic is a user's own, whose layers nobody told us.
    """
    frames = made.frames if made.frames.ndim == 5 else made.frames.unsqueeze(0)
    rates = {name: _channels_first(values) for name, values in neuron_rates(critic).items()}
    if isinstance(critic, SganDiscriminator):
        return _sgan_operations(critic, frames, rates)
    if not isinstance(critic, Discriminator):
        raise InputError("operations are counted for built-in critics; a class of one's own has no list of layers")
    steps = len(frames) if critic.is_analog or len(frames) > 1 else critic.steps

    def behind(name: str, layer: Layer, values: Tensor, pool: int) -> Operations:
        return _behind_neurons(name, layer, values, steps, pool, is_analog=critic.is_analog)

    return [
        input_layer("conv1", critic.conv1, frames),
        behind("conv2", critic.conv2, rates["neurons1"], 2),
        behind("linear1", critic.linear1, rates["neurons2"], 2),
        behind("linear2", critic.linear2, rates["neurons3"].flatten(1), 1),
    ]


def _sgan_operations(critic: SganDiscriminator, frames: Tensor, rates: Mapping[str, Tensor]) -> list[Operations]:
    first = input_layer("linear1", critic.linear1, frames)
    if _is_analog(critic):
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
