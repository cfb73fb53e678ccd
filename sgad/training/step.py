"""One update pair: the critic's update, then the generator's with the same z. This page is the training; the rest is order.

    x = real images;  g = G(z)                                  drawn once: G does not move in between
    D:  minimise  L_D(D(x), D(g)) + penalties                   `discriminator_loss`, `penalty`, drift
    G:  minimise  L_G(D(g)) + InfoNCE term                      `generator_loss`

With `critic_steps` n, n - 1 updates of D come first, each with fresh z and the same x. What D sees may be augmented.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.models.discriminators import SganDiscriminator
from sgad.models.draw import draw
from sgad.models.generators import Generated
from sgad.training.augmentation import augment
from sgad.training.constraints import clip_weights, penalty
from sgad.training.objectives import discriminator_loss, generator_loss


@dataclass(frozen=True)
class UpdateResult:
    """What one update pair measured; all tensors are detached.

    Attributes
    ----------
    losses
        "discriminator", "generator" and "penalty" (the constraint's and the drift's share of the first), scalars.
    scores_real, scores_fake
        The critic's scores (B,) in its own update, before it moved.
    generated
        What the generator made of z.
    """

    losses: dict[str, Tensor]
    scores_real: Tensor
    scores_fake: Tensor
    generated: Generated

    @property
    def loss_discriminator(self) -> float:
        """The critic's loss, penalties included."""
        return float(self.losses["discriminator"])

    @property
    def loss_generator(self) -> float:
        """The generator's loss."""
        return float(self.losses["generator"])

    @property
    def score_real(self) -> float:
        """Mean score of the real batch."""
        return float(self.scores_real.mean())

    @property
    def score_fake(self) -> float:
        """Mean score of the generated batch."""
        return float(self.scores_fake.mean())

    @property
    def is_finite(self) -> Tensor:
        """Whether both losses are finite numbers, a scalar on their device."""
        return torch.isfinite(self.losses["discriminator"]) & torch.isfinite(self.losses["generator"])


def update_pair(
    generator: nn.Module,
    discriminator: nn.Module,
    optimiser_generator: torch.optim.Optimizer,
    optimiser_discriminator: torch.optim.Optimizer,
    real: Tensor,
    z: Tensor,
    config: RunConfig,
    *,
    step: int = 0,
    random: torch.Generator | None = None,
) -> UpdateResult:
    """Update the discriminator (`critic_steps` times) and then the generator once, with the same z.

    Parameters
    ----------
    real
        Images (B, C, H, W), or event frames (T, B, C, H, W).
    z
        Latents (B, latent_dim).
    step
        Update pairs done before, for penalties that are due every so many steps.
    random
        Source of everything drawn here (augmentation, noise, penalties, rate encoding, further z).
    """
    random = random or torch.Generator(z.device).manual_seed(step)
    critic = _Critic(discriminator, config, random)
    is_due = step % config.constraint_interval == 0
    # The gradients of the pair before need not wait in memory while this one's activations are made.
    optimiser_generator.zero_grad(set_to_none=True)
    optimiser_discriminator.zero_grad(set_to_none=True)

    for _ in range(config.critic_steps - 1):
        fresh = torch.randn(z.shape, generator=random, device=z.device, dtype=z.dtype)
        with torch.no_grad():
            other = draw(generator, fresh, config, random)
        _update_discriminator(critic, optimiser_discriminator, real, other.frames, is_due)
        optimiser_discriminator.zero_grad(set_to_none=True)

    generated = draw(generator, z, config, random)
    shown = Generated(generated.frames.detach(), generated.shown.detach())
    losses, scores_real, scores_fake = _update_discriminator(
        critic, optimiser_discriminator, real, shown.frames, is_due
    )
    losses["generator"] = _update_generator(critic, optimiser_generator, generated)
    return UpdateResult(losses, scores_real, scores_fake, shown)


def _update_discriminator(
    critic: "_Critic", optimiser: torch.optim.Optimizer, real: Tensor, fake: Tensor, is_due: bool
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Do one update of the critic; losses, and the scores of both batches before it."""
    config = critic.config
    real_scores, fake_scores = critic.both(real, fake)
    loss = discriminator_loss(config.objective, real_scores, fake_scores, is_probability=critic.is_probability)
    extra = critic.penalty(real, fake) if is_due else real.new_zeros(())
    if config.drift_weight > 0:
        extra = extra + config.drift_weight * real_scores.square().mean()
    loss = loss + extra
    loss.backward()
    optimiser.step()
    if config.constraint == "weight_clip":
        clip_weights(critic.module, config.constraint_weight)
    return {"discriminator": loss.detach(), "penalty": extra.detach()}, real_scores.detach(), fake_scores.detach()


def _update_generator(critic: "_Critic", optimiser: torch.optim.Optimizer, generated: Generated) -> Tensor:
    """Do the generator's update; its loss."""
    with _weights_frozen(critic.module):
        scores = critic.score(shown_to_critic(generated.frames, critic.config))
        loss = generator_loss(critic.config.objective, scores, is_probability=critic.is_probability)
        if generated.extra_loss is not None:
            loss = loss + generated.extra_loss
        loss.backward()
    optimiser.step()
    return loss.detach()


def shown_to_critic(images: Tensor, config: RunConfig) -> Tensor:
    """Images or frames as the critic sees them: generated images at every step, not through its encoder."""
    return images.unsqueeze(0) if images.ndim == 4 and config.encoder != "direct" else images


class _Critic:
    """The discriminator as both updates use it: with augmentation, noise, and the release's quirks."""

    def __init__(self, module: nn.Module, config: RunConfig, random: torch.Generator) -> None:
        self.module, self.config, self.random = module, config, random
        self.is_probability = bool(getattr(module, "is_probability", False))

    def __call__(self, x: Tensor) -> Tensor:
        """Score images or frames as they are, (B,)."""
        noise = (self.random,) if self.config.encoder == "rate" else ()
        scores: Tensor = self.module(x, *noise)
        return scores

    def score(self, x: Tensor) -> Tensor:
        """Score images or frames, augmented, (B,)."""
        return self(augment(x, self.config, self.random))

    def both(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Score a real and a generated batch."""
        quirks = self.config.quirks
        if quirks.nmnist_axes and real.ndim == 5:
            # The release hands real event frames over as (B, T, ...), so that the batch is walked as if it were time.
            real = real.transpose(0, 1)
        if quirks.keep_discriminator_state and isinstance(self.module, SganDiscriminator):
            real, fake = (augment(x, self.config, self.random) for x in (real, fake))
            scores_real, state = self.module.score_from(real, None, self.random)
            if state is not None and len(state[0]) != fake.shape[-4]:
                state = None
            return scores_real, self.module.score_from(shown_to_critic(fake, self.config), state, self.random)[0]
        return self.score(real), self.score(shown_to_critic(fake, self.config))

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """Weighted penalty on the critic's input gradient; 0 without one."""
        config = self.config
        if config.constraint not in ("gradient_penalty", "r1"):
            return real.new_zeros(())
        # A lazy penalty is due every `interval` steps and weighs as much more (Karras et al. 2020).
        weight = config.constraint_weight * config.constraint_interval
        # An encoder has no gradient: what is differentiated is shown at every step.
        seen = shown_to_critic(real, config), shown_to_critic(fake, config)
        return weight * penalty(config.constraint, self.module, self, *seen, self.random)


@contextlib.contextmanager
def _weights_frozen(module: nn.Module) -> Iterator[None]:
    """Compute no gradients of weights: in the generator's update nobody reads the critic's."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
