"""Optimisers and learning rates over time."""

import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sgad.config.run import RunConfig
from sgad.training import optimisers
from sgad.training.optimisers import build_optimisers, learning_rate_factor, set_learning_rates


def config_with(**values):
    return RunConfig.model_validate({"dataset": "mnist", "model": "sgad", **values})


def test_rmsprop_has_torchs_defaults_and_adam_the_configured_rates():
    modules = nn.Linear(1, 1), nn.Linear(1, 1)
    generator, discriminator = build_optimisers(config_with(lr_generator=1e-3, lr_discriminator=2e-3), *modules)
    assert isinstance(generator, torch.optim.RMSprop)
    assert (generator.defaults["alpha"], generator.defaults["eps"]) == (0.99, 1e-8)
    assert (generator.param_groups[0]["lr"], discriminator.param_groups[0]["lr"]) == (1e-3, 2e-3)
    adam, _ = build_optimisers(config_with(optimizer="adam", betas=(0.1, 0.9)), *modules)
    assert isinstance(adam, torch.optim.Adam)
    assert adam.defaults["betas"] == (0.1, 0.9)


@pytest.mark.parametrize("name", ["rmsprop", "adam"])
def test_the_pairs_before_a_recording_bring_no_warning(name, monkeypatch):
    monkeypatch.setattr(optimisers, "may_be_recorded", lambda config, device: True)
    layer = nn.Linear(2, 1)
    recorded, _ = build_optimisers(config_with(optimizer=name), layer, nn.Linear(1, 1))
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: torch.device("cuda"))
    idle = SimpleNamespace(is_capturing=lambda: False)
    monkeypatch.setattr(torch.accelerator, "current_stream", lambda: idle)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recorded._accelerator_graph_capture_health_check()


@pytest.mark.parametrize(("name", "theirs"), [("rmsprop", torch.optim.RMSprop), ("adam", torch.optim.Adam)])
def test_updates_are_torchs_to_the_bit(name, theirs):
    layers = [nn.Linear(5, 3) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    ours, _ = build_optimisers(config_with(optimizer=name, lr_generator=1e-2), layers[0], nn.Linear(1, 1))
    settings = {"lr": 1e-2, **({"betas": ours.defaults["betas"]} if name == "adam" else {})}
    optimisers = [ours, theirs(layers[1].parameters(), **settings)]
    for step in range(5):
        x = torch.randn(4, 5, generator=torch.Generator().manual_seed(step))
        for layer, optimiser in zip(layers, optimisers, strict=True):
            optimiser.zero_grad()
            layer(x).square().sum().backward()
            optimiser.step()
        assert torch.equal(layers[0].weight, layers[1].weight)
    assert ours.state_dict().keys() == optimisers[1].state_dict().keys()
    optimisers[1].load_state_dict(ours.state_dict())


def test_optimisers_do_not_import_torchs_compiler():
    code = """
import sys
import torch
from sgad.config.run import RunConfig
from sgad.training.optimisers import build_optimisers
layer = torch.nn.Linear(2, 1)
optimiser, _ = build_optimisers(RunConfig(dataset="mnist", model="sgad"), layer, torch.nn.Linear(1, 1))
optimiser.zero_grad()
layer(torch.ones(1, 2)).sum().backward()
optimiser.step()
optimiser.load_state_dict(optimiser.state_dict())
print("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_cosine_schedule_is_torchs():
    config = config_with(schedule="cosine", cosine_epochs=20)
    optimiser = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=20)
    for epoch in range(45):
        expected = optimiser.param_groups[0]["lr"]
        for step in (epoch * 7, epoch * 7 + 6):
            assert learning_rate_factor(config, step, 315, 7) == pytest.approx(expected, abs=1e-12)
        optimiser.step()
        schedule.step()


def test_linear_decay_and_warmup():
    config = config_with(schedule="linear", warmup_steps=10)
    factors = [learning_rate_factor(config, step, 100, 10) for step in (0, 9, 50, 75, 99)]
    assert factors == pytest.approx([0.1, 1.0, 1.0, 0.5, 0.02])
    assert learning_rate_factor(config_with(), 99, 100, 10) == 1.0


def test_learning_rates_are_set_on_both_optimisers():
    config = config_with(schedule="linear", lr_generator=1e-3, lr_discriminator=4e-3)
    generator, discriminator = build_optimisers(config, nn.Linear(1, 1), nn.Linear(1, 1))
    named = {"optimiser_generator": generator, "optimiser_discriminator": discriminator}
    set_learning_rates(config, named, 75, 100, 10)
    assert generator.param_groups[0]["lr"] == pytest.approx(5e-4)
    assert discriminator.param_groups[0]["lr"] == pytest.approx(2e-3)
