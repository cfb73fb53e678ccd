"""A critic that starts silent is named, and can be made to start with spikes."""

from pathlib import Path

import pytest
import torch
from torch import nn

from sgad.config.compose import resolve
from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.models.registry import build_discriminator, initialise
from sgad.snn.activity import firing_rates, record_activity
from sgad.training.first_pass import scale_currents, silent_layers
from sgad.training.run import TrainRequest, train_run

SETTINGS = {"epochs": 1, "max_steps": 2, "batch_size": 16, "time_steps": 4}


def config_with(model: str = "sgad", **changes: object) -> RunConfig:
    return resolve("digits", model, "paper", settings={**SETTINGS, **changes}).config


def fresh_critic(config: RunConfig) -> nn.Module:
    critic = build_discriminator(config, (1, 28, 28))
    initialise(critic, torch.Generator().manual_seed(0))
    return critic


@pytest.fixture
def real() -> torch.Tensor:
    return 0.3 * torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("model", "layer"), [("sgad", "neurons3"), ("sgan", "neurons1")])
def test_lsuv_wakes_the_layer_without_batch_norm(model: str, layer: str, real: torch.Tensor) -> None:
    config = config_with(model)
    critic = fresh_critic(config)
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    assert silent_layers(critic, real) == [layer]
    assert all(torch.equal(before[name], value) for name, value in critic.state_dict().items())
    scale_currents(critic, real, config)
    assert silent_layers(critic, real) == []
    with torch.no_grad(), record_activity(critic):
        critic(real)
    assert 0.01 < firing_rates(critic)[layer] < 0.5
    changed = {name for name, value in critic.state_dict().items() if not torch.equal(before[name], value)}
    assert {name for name in changed if name.startswith("linear")} == {"linear1.weight"}


def test_a_training_says_that_its_critic_is_silent(tmp_path: Path, digits: Path) -> None:
    told: list[str] = []
    for name, changes in (("plain", {}), ("lsuv", {"first_pass": "lsuv"})):
        record = train_run(TrainRequest(config_with(**changes), digits, tmp_path / name, threads=1), told.append)
        assert bool(record.warnings) == (name == "plain")
    assert [line for line in told if line.startswith("the critic starts silent: no neuron of neurons3 fires")]


def test_the_option_does_not_touch_the_hash_of_older_runs() -> None:
    assert config_with(first_pass="none").hash() == config_with().hash() != config_with(first_pass="lsuv").hash()


def test_a_critic_of_ones_own_and_what_undoes_it_are_refused(real: torch.Tensor) -> None:
    with pytest.raises(InputError, match="needs first_pass none"):
        scale_currents(nn.Linear(2, 2), real, config_with())
    with pytest.raises(InputError, match="spectral_norm undoes that"):
        config_with(first_pass="lsuv", constraint="spectral_norm")
