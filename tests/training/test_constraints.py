"""Penalties and clipping, against finite differences and closed forms."""

import pytest
import torch
from torch import nn

from sgad.config.run import RunConfig
from sgad.models.registry import build_discriminator, initialise
from sgad.snn.activity import firing_rates, record_activity
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
    parameters = list(critic.parameters())
    before = critic.norm1.running_mean.clone()

    def value():
        return penalty(name, critic, critic, real, fake, random(3))

    # Finite differences don't see the surrogate derivatives behind spikes; tiny steps rarely meet the kinks of leaky units.
    chosen = parameters if kind == "analog" else [critic.linear2.weight]
    gradients = torch.autograd.grad(value(), chosen, allow_unused=True)
    source, step = random(4), 1e-9 if kind == "analog" else 1e-6
    for parameter, gradient in zip(chosen, gradients, strict=True):
        if gradient is None:
            continue
        direction = torch.randn(parameter.shape, generator=source, dtype=torch.float64)
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(sign * step * direction)
            values.append(value().item())
            with torch.no_grad():
                parameter.sub_(sign * step * direction)
        slope = (values[0] - values[1]) / (2 * step)
        assert (gradient * direction).sum().item() == pytest.approx(slope, rel=1e-3, abs=1e-5)
    assert max(gradient.abs().max() for gradient in gradients if gradient is not None) > 0
    assert torch.equal(critic.norm1.running_mean, before)
    if kind != "analog":
        assert critic.neurons1.engine == "auto"


def test_clipping_bounds_every_synapse_and_leaves_neurons_firing():
    critic = build_discriminator(RunConfig(dataset="mnist", model="sgad", time_steps=4), (1, 28, 28))
    initialise(critic, random(2))
    clip_weights(critic, 0.01)
    layers = [part for part in critic.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    assert len(layers) == 4
    for layer in layers:
        assert max(p.abs().max().item() for p in layer.parameters()) == pytest.approx(0.01)
    with record_activity(critic):
        critic(batch(8, 1, 28, 28).float())
    rates = firing_rates(critic)
    assert rates["neurons1"] > 0.02
    assert rates["neurons2"] > 0.02
