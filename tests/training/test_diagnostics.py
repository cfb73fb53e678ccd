"""A look at the networks sees what training sees, and changes nothing."""

import pytest
import torch

from sgad.config.compose import resolve
from sgad.models.registry import build_discriminator, build_generator, initialise
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


def test_every_layer_has_a_row() -> None:
    config = resolve("digits", "swgan", "paper", settings=SMALL).config
    networks = build_generator(config, (1, 28, 28)), build_discriminator(config, (1, 28, 28))
    health = measure_health(*networks, torch.randn(8, 4), config)
    rows = health.layer_rows(7)
    assert [(row["step"], row["network"]) for row in rows] == [(7, "generator")] * 3 + [(7, "discriminator")] * 3
    assert all(0 <= row["firing_rate"] <= 1 and 0 <= row["surrogate_share"] <= 1 for row in rows)
    columns = health.columns()
    assert columns["firing_rate_generator"] == pytest.approx(sum(row["firing_rate"] for row in rows[:3]) / 3)
