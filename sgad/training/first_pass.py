"""What the first real batch tells of a fresh critic: layers that never fire, and currents that are too small to make them."""

import torch
from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.models.discriminators import Discriminator, SganDiscriminator
from sgad.snn.activity import firing_rates
from sgad.training.diagnostics import seen_by_training

#: Currents that differ less than this between images and neurons are silence, which no factor turns into sound.
SILENCE = 1e-6


@torch.no_grad()
def silent_layers(discriminator: nn.Module, real: Tensor) -> list[str]:
    """Names of the spiking layers of a critic in which no neuron fires on real images (B, C, H, W) or frames.

    Nothing is changed or drawn: training goes on as if nobody had looked.
    """
    with seen_by_training(discriminator):
        discriminator(real)
    return [name for name, rate in firing_rates(discriminator).items() if rate == 0]


def warning_of(silent: list[str]) -> str:
    """One sentence about a critic that starts with these silent layers."""
    return (
        f"the critic starts silent: no neuron of {', '.join(silent)} fires on the first real batch, so that it scores all"
        " images alike until surrogate gradients have moved its weights; a lower threshold or first_pass=lsuv lets it"
        " start with spikes"
    )


@torch.no_grad()
def scale_currents(discriminator: nn.Module, real: Tensor, config: RunConfig) -> None:
    """Scale the weights before the critic's only neurons without batch norm, so that their currents have deviation 1.

    As layer-sequential unit-variance initialisation does (LSUV, Mishkin and Matas 2016): w' = w / std(w x) over images,
    neurons and steps of the first real batch. The other layers need no factor: batch norm would undo it.

    Raises
    ------
    InputError
        If the critic is a class of a user's own, whose layers nobody knows, or its currents do not differ at all.
    """
    if not isinstance(discriminator, Discriminator | SganDiscriminator):
        raise InputError(f"first_pass lsuv knows the built-in critics; {config.discriminator} needs first_pass none")
    layer = discriminator.linear1
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, inputs, currents: seen.append(currents - layer.bias))
    try:
        with seen_by_training(discriminator):
            discriminator(real)
    finally:
        handle.remove()
    deviation = float(torch.stack(seen).std())
    if deviation < SILENCE:
        raise InputError("first_pass lsuv finds no difference between images in the critic's linear1; use another seed")
    layer.weight.div_(deviation)
