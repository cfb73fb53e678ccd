"""One discriminator update and one generator update with the same z, as the release does them."""

from dataclasses import dataclass, field

import torch
from torch.nn import functional


@dataclass
class PlainResult:
    """What the golden files record of one iteration."""

    critic_real: torch.Tensor
    critic_fake: torch.Tensor
    images: torch.Tensor
    steps: torch.Tensor
    loss_discriminator: float
    loss_generator: float
    discriminator_grads: dict = field(default_factory=dict)
    generator_grads: dict = field(default_factory=dict)


def plain_update_pair(generator, critic, optimiser_g, optimiser_d, real, z, objective="em"):
    """Run one iteration; objective: em, or bce summed over the batch."""
    generator.clear()
    critic.clear()
    optimiser_d.zero_grad()
    score_real = critic(real)
    if critic.kind != "sgan":  # the release forgets to clear the SGAN critic here
        critic.clear()
    frames, steps = generator(z)
    seen = frames[-1] if critic.kind == "analog" and not generator.events else frames
    score_fake = critic(seen.detach())
    loss_d = (
        score_real.mean() - score_fake.mean()
        if objective == "em"
        else (_bce(score_real, 1.0) + _bce(score_fake, 0.0)) / 2
    )
    loss_d.backward()
    grads_d = {name: p.grad.clone() for name, p in critic.named_parameters()}
    optimiser_d.step()
    generator.clear()
    critic.clear()

    optimiser_g.zero_grad()
    frames_again, _ = generator(z)
    seen = frames_again[-1] if critic.kind == "analog" and not generator.events else frames_again
    score = critic(seen)
    loss_g = score.mean() if objective == "em" else _bce(score, 1.0)
    loss_g.backward()
    grads_g = {name: _gradient(p) for name, p in generator.named_parameters()}
    optimiser_g.step()
    generator.clear()
    critic.clear()
    return PlainResult(
        score_real.detach(),
        score_fake.detach(),
        frames.detach(),
        steps.detach(),
        loss_d.item(),
        loss_g.item(),
        grads_d,
        grads_g,
    )


def _gradient(parameter):
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()


def _bce(probability, target):
    return functional.binary_cross_entropy(probability, torch.full_like(probability, target), reduction="sum")
