"""Operations counted by hand."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sgad.analyses.energy.counting import count_operations
from sgad.analyses.energy.measure import energy_findings, scoring_operations
from sgad.analyses.energy.operations import Operations
from sgad.config.run import RunConfig
from sgad.models.generators import SgadGenerator
from sgad.models.registry import build_discriminator, build_generator, fold_batch_norm
from sgad.snn.activity import record_activity
from sgad.snn.layers import Spiking
from sgad.snn.neurons import Neuron, lif_step
from sgad.training.step import shown_to_critic
from tests.plain.operations import (
    analog_layer,
    critic_operations,
    fan_out,
    generator_operations,
    input_layer,
    spiking_layer,
)


def test_three_neurons_by_hand() -> None:
    """Neurons 0, 1, 2 fire 3, 0 and 2 times and feed 2 neurons each: 10 synaptic operations; analog: 3 x 2 a step."""
    layer = nn.Linear(3, 2)
    spikes = torch.tensor([[3.0, 0.0, 2.0]])
    counted = spiking_layer("layer", layer, spikes)
    assert counted.acs == 10 and counted.macs == 0 and counted.dense == 6
    assert counted.picojoules == pytest.approx(9.0)
    assert analog_layer("layer", layer, (3,), passes=4).macs == 24


def test_a_convolution_has_fewer_connections_at_its_border() -> None:
    """A 3x3 kernel over 4x4 pixels has 2x2 places: a corner is seen by 1, an edge by 2, the middle by 4."""
    seen = fan_out(nn.Conv2d(1, 5, 3), (1, 4, 4))[0]
    assert seen.tolist() == [[5, 10, 10, 5], [10, 20, 20, 10], [10, 20, 20, 10], [5, 10, 10, 5]]
    assert fan_out(nn.ConvTranspose2d(1, 2, 4, stride=2, padding=1), (1, 3, 3))[0, 1, 1] == 2 * 16
    assert fan_out(nn.ConvTranspose2d(1, 2, 4, stride=2, padding=1), (1, 3, 3))[0, 0, 0] == 2 * 9


def test_each_spike_before_a_pooling_counts_on_its_own() -> None:
    layer = nn.Linear(4, 3)
    one = torch.zeros(1, 1, 4, 4)
    one[0, 0, 0, 0] = 1
    assert spiking_layer("layer", layer, one, pool=2).acs == 3
    all_fire = spiking_layer("layer", layer, torch.ones(1, 1, 4, 4), pool=2)
    assert all_fire.acs == 16 * 3 and all_fire.dense == 4 * 3


def test_an_input_that_stays_the_same_is_multiplied_once_and_spikes_are_added() -> None:
    layer = nn.Linear(5, 2)
    still = torch.rand(1, 3, 5)
    assert input_layer("first", layer, still).macs == 10
    assert input_layer("first", layer, still.expand(4, -1, -1)).macs == 40
    spikes = torch.zeros(4, 3, 5)
    spikes[:2, :, 0] = 1
    counted = input_layer("first", layer, spikes)
    assert counted.macs == 0 and counted.acs == 4


#: Generator and critic of each family. The low threshold makes every layer fire, also with untrained weights.
FAMILIES = {
    "sgan": ("sgan", "sgan", {}),
    "swgan": ("swgan", "em", {}),
    "sgad": ("sgad", "em", {}),
    "hybrid": ("sgad", "analog", {"objective": "bce"}),
    "ann": ("swgan", "em", {"neuron": "leaky_relu", "time_steps": 1}),
    "ann-sgan": ("sgan", "sgan", {"neuron": "leaky_relu", "time_steps": 1}),
    "ttfs": ("swgan", "em", {"encoder": "ttfs"}),
    "rgb-scoring": ("sgad", "em", {"scoring_mode": "AttentionScoring_RGB"}),
    "contrast": ("sgad", "em", {"scoring_mode": "AttentionScoring_2"}),
    "spectral": ("sgad", "em", {"constraint": "spectral_norm"}),
}


def networks(family: str, shape: tuple[int, int, int] = (1, 28, 28)):
    generator, discriminator, changes = FAMILIES[family]
    values = {"time_steps": 3, "threshold": 0.02, "generator": generator, "discriminator": discriminator} | changes
    config = RunConfig(dataset="digits", model=family, **values)
    built = (build(config, shape).eval() for build in (build_generator, build_discriminator))
    return (*built, config, torch.randn(5, config.latent_dim, generator=torch.Generator().manual_seed(0)))


@torch.no_grad()
def counted(module: nn.Module, *inputs: Tensor) -> list[Operations]:
    besides = module.scoring_names if isinstance(module, SgadGenerator) else ()
    with count_operations(module, besides) as counts:
        module(*inputs)
    assert counts.uncounted(module, besides) == []
    images = inputs[0].shape[-4] if inputs[0].ndim > 3 else len(inputs[0])
    return [*counts.of_one_image(images), *scoring_operations(module)]


def assert_same(found: list[Operations], expected: list[Operations]) -> None:
    assert [layer.layer for layer in found] == [layer.layer for layer in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one.macs, one.dense) == (other.macs, other.dense)
        # Whole numbers of spikes here; there, means over time times T.
        assert one.acs == pytest.approx(other.acs, rel=1e-6)


CASES = [(family, (1, 28, 28)) for family in FAMILIES]
CASES += [("sgan", (2, 28, 28)), ("swgan", (2, 28, 28)), ("sgad", (3, 32, 32)), ("swgan", (3, 64, 64))]


@pytest.mark.parametrize(("family", "shape"), CASES)
def test_the_hooks_find_what_the_list_of_layers_says(family: str, shape: tuple[int, int, int]) -> None:
    generator, critic, config, z = networks(family, shape)
    with torch.no_grad(), record_activity(generator, keep_rates=True), record_activity(critic, keep_rates=True):
        made = generator(z)
        critic(shown_to_critic(made.frames, config))
    assert_same(counted(generator, z), generator_operations(generator, z))
    assert_same(counted(fold_batch_norm(generator), z), generator_operations(generator, z))
    found = counted(critic, shown_to_critic(made.frames, config))
    assert_same(found, critic_operations(critic, made))
    if family == "sgad":
        assert all(layer.acs > 0 for layer in found[1:]), "a count of nothing proves nothing"


def test_neurons_stepped_by_hand_count_their_spikes() -> None:
    class ByHand(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inputs, self.conv = nn.Linear(4, 64), nn.Conv2d(1, 2, 3, padding=1)
            self.pooled = nn.Linear(32, 3)
            self.spikes: list[Tensor] = []

        def forward(self, z: Tensor) -> Tensor:
            v, out = torch.zeros(len(z), 64), torch.zeros(len(z), 3)
            for _ in range(4):
                spikes, v = lif_step(self.inputs(z), v, Neuron(2.0, 0.1, "arctan", 2.0))
                self.spikes.append(spikes)
                image = self.conv(spikes.unflatten(1, (1, 8, 8)))
                out = out + self.pooled(functional.avg_pool2d(image.relu(), 2).flatten(1))
            return out

    network = ByHand()
    inputs, conv, pooled = counted(network, torch.rand(5, 4, generator=torch.Generator().manual_seed(0)))
    # The same current at every step, but this network multiplies it four times.
    assert inputs.macs == 4 * 4 * 64 and inputs.acs == 0
    connections = functional.conv_transpose2d(torch.ones(1, 2, 8, 8), torch.ones(2, 1, 3, 3), padding=1)[0]
    expected = sum(float((spikes.unflatten(1, (1, 8, 8)) * connections).sum()) for spikes in network.spikes) / 5
    assert conv.acs == pytest.approx(expected) and conv.acs > 0 and conv.macs == 0
    assert pooled.macs == 4 * 32 * 3


def test_a_pooling_behind_our_neurons_counts_each_spike() -> None:
    class Pooled(nn.Module):
        def __init__(self, pool: int) -> None:
            super().__init__()
            self.neurons = Spiking(Neuron(2.0, 0.1, "arctan", 2.0), pool=pool)
            self.out, self.pool = nn.Linear(9, 2, bias=False), nn.AvgPool2d(2 // pool)

        def forward(self, x: Tensor) -> Tensor:
            spikes, _ = self.neurons(x.permute(1, 2, 3, 0)[None].contiguous(), 3)
            return self.out(self.pool(spikes.flatten(0, 1).permute(0, 3, 1, 2)).flatten(1))

    x = torch.rand(1, 5, 7, 7, generator=torch.Generator().manual_seed(0))
    inside, outside = counted(Pooled(2), x), counted(Pooled(1), x)
    assert inside[0].acs > 0
    assert inside[0].acs == pytest.approx(outside[0].acs)


def test_what_no_rule_counts_is_named() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inputs, self.cell = nn.Linear(4, 3), nn.GRUCell(3, 3)

        def forward(self, z: Tensor) -> Tensor:
            return self.cell(self.inputs(z))

    network = Recurrent()
    with torch.no_grad(), count_operations(network) as counts:
        network(torch.rand(2, 4))
    assert counts.uncounted(network) == ["cell.weight_ih", "cell.weight_hh"]
    assert [layer.layer for layer in counts.of_one_image(2)] == ["inputs"]


def test_sums_and_energy() -> None:
    found = energy_findings("critic", [Operations("a", macs=100, acs=10, dense=200), Operations("b", acs=1000)], 5)
    values = {(row.quantity, row.part): row.value for row in found}
    assert values["synaptic_operations", "critic/all"] == 1010
    assert values["energy_nanojoule", "critic/all"] == pytest.approx((100 * 4.6 + 1010 * 0.9) / 1000)
    assert values["analog_energy_nanojoule", "critic/all"] == pytest.approx(0.92)
