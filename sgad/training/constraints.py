"""What keeps the critic smooth: penalties on its input gradient, weight clipping.

Spectral norm is a transform of the module: `sgad.models.registry.build_discriminator` applies it.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sgad.snn.batch_norm import StepBatchNorm, statistics_frozen
from sgad.snn.layers import use_engine

Critic = Callable[[Tensor], Tensor]


def input_gradient(critic: Critic, x: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (B,) and the gradient of their sum with respect to `x`, which can be differentiated again.

    Batch norm with batch statistics couples the images of a batch; the gradient of the sum is what is used in practice.
    """
    x = x.detach().requires_grad_()
    scores = critic(x)
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return scores, gradient


def _per_image_square(gradient: Tensor) -> Tensor:
    """The squared norm (B,) over everything that belongs to one image; frames are (T, B, C, H, W)."""
    images = gradient.transpose(0, 1) if gradient.ndim == 5 else gradient
    return images.flatten(1).square().sum(dim=1)


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """The mean of (|gradient| - 1)^2 between real and fake images (WGAN-GP, Gulrajani et al. 2017).

    A static batch beside spike trains is repeated over their steps, as the critic would see it.
    """
    if real.ndim != fake.ndim:
        real = real.expand_as(fake) if fake.ndim == 5 else real
        fake = fake.expand_as(real) if real.ndim == 5 else fake
    shape = (1, real.shape[1], 1, 1, 1) if real.ndim == 5 else (len(real), 1, 1, 1)
    share = torch.rand(shape, generator=random, device=real.device, dtype=real.dtype)
    _, gradient = input_gradient(critic, fake + share * (real - fake))
    # The root has no derivative at zero, where a critic without spikes is.
    norms = (_per_image_square(gradient) + 1e-12).sqrt()
    return (norms - 1).square().mean()


def r1_penalty(critic: Critic, real: Tensor) -> Tensor:
    """Half the mean squared gradient at the real images (Mescheder et al. 2018)."""
    _, gradient = input_gradient(critic, real)
    return _per_image_square(gradient).mean() / 2


def penalty(
    name: str, discriminator: nn.Module, critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator
) -> Tensor:
    """A penalty by its name in the configuration: gradient_penalty or r1.

    It runs on the plain torch kernel, the only one that can be differentiated twice, and moves no running average.
    """
    with use_engine(discriminator, "torch"), statistics_frozen(discriminator):
        if name == "gradient_penalty":
            return gradient_penalty(critic, real, fake, random)
        return r1_penalty(critic, real)


@torch.no_grad()
def clip_weights(module: nn.Module, bound: float) -> None:
    """Clip all parameters but those of batch norms to [-bound, bound] (WGAN, Arjovsky et al. 2017).

    A batch norm's scale of 0.05 would take all currents so far below the threshold that no neuron fires, and a critic
    without spikes teaches nothing.
    """
    for part in module.modules():
        if not isinstance(part, StepBatchNorm | nn.modules.batchnorm._BatchNorm):
            for parameter in part.parameters(recurse=False):
                parameter.clamp_(-bound, bound)
