"""A look at the networks sees what training sees, and changes nothing."""

import pytest
import torch
from torch import Tensor, nn

from sgad.config.compose import resolve
from sgad.config.run import RunConfig
from sgad.models.generators import Generated, Generator
from sgad.models.registry import build_discriminator, build_generator, initialise
from sgad.snn.activity import firing_rates, record_activity
from sgad.training.diagnostics import measure_health

SMALL = {"time_steps": 4, "batch_size": 4, "latent_dim": 4}


@pytest.mark.parametrize("constraint", ["none", "spectral_norm"])
def test_a_look_changes_nothing(constraint: str) -> None:
    config = resolve("digits", "sgad", "paper", settings={**SMALL, "constraint": constraint}).config
    networks = build_generator(config, (1, 28, 28)), build_discriminator(config, (1, 28, 28))
    networks[1].eval()
    before = [{key: value.clone() for key, value in network.state_dict().items()} for network in networks]
    measure_health(*networks, torch.randn(8, 4), config)
    for network, values in zip(networks, before, strict=True):
        assert all(torch.equal(value, values[key]) for key, value in network.state_dict().items())
    assert all(part.training for part in networks[0].modules())
    assert not any(part.training for part in networks[1].modules())


def test_lagging_running_averages_are_no_collapse() -> None:
    """After one step the averages are far from the statistics, and in evaluation mode nothing fires."""
    config = resolve("digits", "sgad", "paper", settings=SMALL).config
    networks = build_generator(config, (1, 28, 28)), build_discriminator(config, (1, 28, 28))
    for network in networks:
        initialise(network, torch.Generator().manual_seed(1))
    generator = networks[0].eval()
    health = measure_health(*networks, torch.randn(16, 4, generator=torch.Generator().manual_seed(2)), config)
    assert min(health.rates_generator.values()) > 0
    assert not generator.training


def networks_of(**settings: object) -> tuple[RunConfig, Generator, nn.Module]:
    config = resolve("digits", "swgan", "paper", settings={**SMALL, **settings}).config
    networks = build_generator(config, (1, 28, 28)), build_discriminator(config, (1, 28, 28))
    for network in networks:
        initialise(network, torch.Generator().manual_seed(1))
    return config, *networks


def test_the_critic_is_looked_at_as_training_shows_it_images() -> None:
    """Generated images come at every step, whatever the encoder of real ones."""
    config, generator, critic = networks_of(encoder="ttfs")
    z = torch.randn(8, 4, generator=torch.Generator().manual_seed(2))
    found = measure_health(generator, critic, z, config).rates_discriminator
    frames = generator(z).frames
    with record_activity(critic):
        critic(frames.unsqueeze(0))
    assert found == firing_rates(critic)
    with record_activity(critic):
        critic(frames)
    assert found != firing_rates(critic)


def test_images_are_judged_alike_in_both_pixel_ranges() -> None:
    z = torch.randn(8, 4, generator=torch.Generator().manual_seed(2))
    unit, symmetric = (
        measure_health(generator, critic, z, config)
        for config, generator, critic in (networks_of(pixel_range=name) for name in ("unit", "symmetric"))
    )
    assert unit.diversity is not None and unit.diversity > 0
    assert symmetric.diversity == pytest.approx(unit.diversity, rel=1e-4)
    assert symmetric.temporal_inconsistency == pytest.approx(unit.temporal_inconsistency, rel=1e-4)
    assert symmetric.through_time == [pytest.approx(pair, rel=1e-4) for pair in unit.through_time]


def test_steps_are_compared_with_the_last_and_with_each_other() -> None:
    class Two(nn.Module):
        def forward(self, z: Tensor, *, keep_steps: bool = False) -> Generated:
            # Two images, 0 and 1 after the first step, 0.5 and 0.5 after the second.
            steps = torch.tensor([[0.0, 1.0], [0.5, 0.5]]).reshape(2, 2, 1, 1, 1).expand(2, 2, 1, 28, 28)
            return Generated(steps[-1], steps[-1], steps=steps if keep_steps else None)

    config, _, critic = networks_of()
    health = measure_health(Two(), critic, torch.randn(2, 4), config)
    assert health.through_time == [(0.5, pytest.approx(0.5**0.5)), (0.0, 0.0)]
    assert (health.temporal_inconsistency, health.diversity) == (0.5, 0.0)


def test_a_class_that_knows_no_steps_is_looked_at_without_them() -> None:
    class Plain(nn.Module):
        def forward(self, z: Tensor) -> Generated:
            return Generated(z[:, :1, None, None].expand(-1, 1, 28, 28), z[:, :1, None, None].expand(-1, 1, 28, 28))

    config, _, critic = networks_of()
    health = measure_health(Plain(), critic, torch.randn(8, 4), config)
    assert health.through_time == [] and health.temporal_inconsistency is None and health.diversity > 0


def test_every_layer_has_a_row() -> None:
    config = resolve("digits", "swgan", "paper", settings=SMALL).config
    networks = build_generator(config, (1, 28, 28)), build_discriminator(config, (1, 28, 28))
    health = measure_health(*networks, torch.randn(8, 4), config)
    rows = health.layer_rows(7)
    assert [(row["step"], row["network"]) for row in rows] == [(7, "generator")] * 3 + [(7, "discriminator")] * 3
    assert all(0 <= row["firing_rate"] <= 1 and 0 <= row["surrogate_share"] <= 1 for row in rows)
    columns = health.columns()
    assert columns["firing_rate_generator"] == pytest.approx(sum(row["firing_rate"] for row in rows[:3]) / 3)
