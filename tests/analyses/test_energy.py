"""Operations counted by hand."""

import pytest
import torch
from torch import nn

from sgad.analyses.energy import critic_operations, energy_findings, generator_operations
from sgad.analyses.operations import Operations, analog_layer, fan_out, input_layer, spiking_layer
from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.models.generators import Generated
from sgad.models.registry import build_discriminator, build_generator, fold_batch_norm
from sgad.snn.activity import neuron_rates, record_activity


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


def recorded(model: str, **changes):
    family = {"sgan": ("sgan", "sgan"), "sgad": ("sgad", "em"), "hybrid": ("sgad", "analog"), "ann": ("swgan", "em")}[
        model
    ]
    config = RunConfig(
        dataset="digits", model=model, generator=family[0], discriminator=family[1], time_steps=3, **changes
    )
    generator, critic = (build(config, (1, 28, 28)).eval() for build in (build_generator, build_discriminator))
    z = torch.randn(5, config.latent_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), record_activity(generator, keep_rates=True), record_activity(critic, keep_rates=True):
        made = generator(z)
        critic(made.frames)
    return generator, critic, z, made


def by_name(layers):
    return {layer.layer: layer for layer in layers}


def test_the_generators_spikes_are_counted_layer_by_layer() -> None:
    generator, _, z, _ = recorded("sgad")
    layers = by_name(generator_operations(generator, z))
    assert list(layers) == ["linear1", "linear2", "deconv1", "deconv2", "decoding"]
    assert layers["linear1"].macs == 10 * 1024
    # Each spike of the first layer reaches all 6272 neurons of the second.
    spikes = float(neuron_rates(generator)["neurons1"].sum()) * 3 / len(z)
    assert layers["linear2"].acs == pytest.approx(spikes * 6272, rel=1e-5)
    assert layers["decoding"].macs == 2 * (3 * 784 * 256 + 512 + 2 * 784)


def test_counts_do_not_depend_on_whether_batch_norm_is_folded() -> None:
    generator, _, z, _ = recorded("sgad")
    folded = fold_batch_norm(generator)
    with torch.no_grad(), record_activity(folded, keep_rates=True):
        folded(z)
    assert generator_operations(folded, z) == generator_operations(generator, z)


def test_a_critic_of_spikes_adds_and_one_of_images_multiplies() -> None:
    _, critic, _, made = recorded("sgan")
    spikes = by_name(critic_operations(critic, made))
    assert spikes["linear1"].macs == 0
    assert spikes["linear1"].acs == pytest.approx(float(made.frames.sum()) * 400 / 5, rel=1e-6)
    _, critic, _, made = recorded("sgad")
    images = by_name(critic_operations(critic, made))
    assert images["conv1"].macs == 32 * 24 * 24 * 25 and images["conv2"].macs == 0


def test_analog_networks_only_multiply() -> None:
    _, critic, _, made = recorded("hybrid", objective="bce")
    layers = critic_operations(critic, made)
    assert sum(layer.acs for layer in layers) == 0
    assert by_name(layers)["conv2"].macs == by_name(layers)["conv2"].dense == 64 * 8 * 8 * 25 * 32


def test_sums_and_energy() -> None:
    found = energy_findings("critic", [Operations("a", macs=100, acs=10, dense=200), Operations("b", acs=1000)], 5)
    values = {(row.quantity, row.part): row.value for row in found}
    assert values["synaptic_operations", "critic/all"] == 1010
    assert values["energy_nanojoule", "critic/all"] == pytest.approx((100 * 4.6 + 1010 * 0.9) / 1000)
    assert values["analog_energy_nanojoule", "critic/all"] == pytest.approx(0.92)


def test_a_network_of_ones_own_is_said_to_be_unknown() -> None:
    with pytest.raises(InputError, match="built-in generators"):
        generator_operations(nn.Linear(2, 2), torch.zeros(1, 2))
    with pytest.raises(InputError, match="built-in critics"):
        critic_operations(nn.Linear(2, 2), Generated(torch.zeros(1, 1, 28, 28), torch.zeros(1, 1, 28, 28)))
