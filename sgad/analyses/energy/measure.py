"""Spikes and energy of generator and critic for one image: firing rates, operations, picojoules."""

from collections.abc import Callable

import torch
from torch import nn

from sgad.analyses.energy.counting import Counts, count_operations
from sgad.analyses.energy.operations import PICOJOULES_AC, PICOJOULES_MAC, Operations
from sgad.analyses.toolbox.findings import Finding, missing
from sgad.analyses.toolbox.material import Material
from sgad.analyses.toolbox.subject import Subject
from sgad.errors import InputError
from sgad.models.generators import Generated, SgadGenerator
from sgad.snn.activity import neuron_rates
from sgad.snn.analog import Analog
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
def measure(material: Material) -> list[Finding]:
    """The findings of `sgad analyse`."""
    return analyse_energy(material.subject)


def analyse_energy(subject: Subject) -> list[Finding]:
    """Firing rates, operations and energy of a run's networks for one generated image.

    A network with layers that cannot be counted has rows for the others, and in place of its sum a row with the reason.
    """
    z = subject.z[:IMAGES]
    made: list[Generated] = []
    found = _network("generator", subject.generator, lambda: made.append(subject.run_generator(z)), subject, len(z))
    try:
        critic = subject.discriminator
    except InputError as error:
        return [*found, missing("energy", str(error), f"energy of {subject.config.model}'s critic")]
    frames = shown_to_critic(made[0].frames, subject.config)
    return found + _network("critic", critic, lambda: critic(frames), subject, len(z))


def _network(name: str, module: nn.Module, run: Callable[[], object], subject: Subject, images: int) -> list[Finding]:
    """Rows of one network; `run` makes it work on `images` images."""
    scoring = scoring_operations(module)
    besides = module.scoring_names if isinstance(module, SgadGenerator) else ()
    with count_operations(module, besides) as counts:
        run()
    layers = [*counts.of_one_image(images), *scoring]
    reason = _why_no_sum(module, counts, besides)
    rows = [*_rates(name, module), *energy_findings(name, layers, images, has_sum=not reason)]
    if reason:
        rows.append(missing("energy", reason, f"energy of {subject.config.model}'s {name}"))
    return rows


def _why_no_sum(module: nn.Module, counts: Counts, besides: tuple[str, ...]) -> str:
    """Name the layers of a user's network that no rule counts, or return an empty string."""
    unknown = counts.uncounted(module, besides)
    if not unknown:
        return ""
    return (
        f"{', '.join(unknown)} of {type(module).__name__} took part in no linear layer or convolution, and only those,"
        " behind spikes or analog values, can be counted"
    )


def _rates(network: str, module: nn.Module) -> list[Finding]:
    """Firing rates of the spiking layers; analog units have none."""
    analog = {name for name, part in module.named_modules() if isinstance(part, Analog)}
    return [
        Finding(
            quantity="firing_rate",
            part=f"{network}/{layer}",
            value=float(rates.mean()),
            n=len(rates),
            protocol="spikes of a neuron and step, mean over neurons, steps and images",
        )
        for layer, rates in neuron_rates(module).items()
        if layer not in analog
    ]


def energy_findings(network: str, layers: list[Operations], count: int, *, has_sum: bool = True) -> list[Finding]:
    """Rows of one network: operations of each layer, their sum, energy, and energy of one analog pass."""
    counted = COUNTED.format(n=count)
    found = []
    total = Operations("all", *(sum(getattr(layer, name) for layer in layers) for name in ("macs", "acs", "dense")))
    for layer in [*layers, *([total] if has_sum else [])]:
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


def scoring_operations(generator: nn.Module) -> list[Operations]:
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


def _outputs(generator: nn.Module, name: str) -> int:
    layer = generator.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    return layer.out_features
