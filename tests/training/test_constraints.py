"""Penalties and clipping, against finite differences and closed forms."""

import pytest
import torch
from torch import nn

from sgad.config.run import RunConfig
from sgad.models.registry import build_discriminator, initialise
from sgad.training.constraints import clip_weights, gradient_penalty, penalty, r1_penalty


def linear_critic():
    weight = torch.linspace(-0.1, 0.1, 784, dtype=torch.float64, requires_grad=True)

    def score(x):
        flat = x.flatten(1) if x.ndim == 4 else x.transpose(0, 1).flatten(1)
        return flat @ weight.repeat(x[0].numel() // 784 if x.ndim == 4 else x.shape[0])

    return weight, score


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(*shape, seed=0):
    return torch.rand(*shape, generator=random(seed), dtype=torch.float64)


def test_penalties_of_a_linear_critic_are_closed_forms():
    weight, critic = linear_critic()
    real, fake = batch(5, 1, 28, 28), batch(5, 1, 28, 28, seed=1)
    norm = weight.norm().item()
    assert r1_penalty(critic, real).item() == pytest.approx(norm**2 / 2, rel=1e-12)
    assert gradient_penalty(critic, real, fake, random()).item() == pytest.approx((norm - 1) ** 2, rel=1e-9)


def test_static_images_meet_spike_trains_in_the_middle():
    weight, critic = linear_critic()
    value = gradient_penalty(critic, batch(5, 1, 28, 28), batch(3, 5, 1, 28, 28, seed=1), random())
    assert value.item() == pytest.approx((weight.norm().item() * 3**0.5 - 1) ** 2, rel=1e-9)


@pytest.mark.parametrize("name", ["gradient_penalty", "r1"])
@pytest.mark.parametrize("kind", ["em", "analog"])
def test_gradients_of_penalties_equal_finite_differences(name, kind):
    config = RunConfig(dataset="mnist", model="sgad", discriminator=kind, time_steps=1 if kind == "analog" else 2)
    critic = build_discriminator(config, (1, 28, 28)).double()
    initialise(critic, random(2))
    with torch.no_grad():
        # More spikes than at the start, and every derivative far from zero.
        critic.norm1.bias.add_(0.8)
        critic.linear1.weight.mul_(8)
    real, fake = batch(3, 1, 28, 28), batch(3, 1, 28, 28, seed=1)
    parameter = critic.linear2.weight
    before = critic.norm1.running_mean.clone()

    def value():
        return penalty(name, critic, critic, real, fake, random(3))

    (gradient,) = torch.autograd.grad(value(), parameter)
    direction = torch.randn(parameter.shape, generator=random(4), dtype=torch.float64)
    slopes = []
    for sign in (1, -1):
        with torch.no_grad():
            parameter.add_(sign * 1e-6 * direction)
        slopes.append(value().item())
        with torch.no_grad():
            parameter.sub_(sign * 1e-6 * direction)
    assert gradient.abs().max() > 0
    assert (gradient * direction).sum().item() == pytest.approx((slopes[0] - slopes[1]) / 2e-6, rel=1e-4)
    assert torch.equal(critic.norm1.running_mean, before)
    assert critic.neurons1.engine == "auto"


def test_clipping_bounds_every_parameter():
    module = nn.Linear(50, 50)
    clip_weights(module, 0.01)
    assert max(p.abs().max().item() for p in module.parameters()) == pytest.approx(0.01)
