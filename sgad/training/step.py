"""One update pair: the discriminator's update, then the generator's with the same z."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.models.discriminators import SganDiscriminator
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
        """Return the critic's loss, penalties included."""
        return float(self.losses["discriminator"])

    @property
    def loss_generator(self) -> float:
        """Return the generator's loss."""
        return float(self.losses["generator"])

    @property
    def score_real(self) -> float:
        """Return the mean score of the real batch."""
        return float(self.scores_real.mean())

    @property
    def score_fake(self) -> float:
        """Return the mean score of the generated batch."""
        return float(self.scores_fake.mean())

    @property
    def is_finite(self) -> Tensor:
        """Return whether both losses are finite numbers, a scalar on their device."""
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

    The generator runs once for both updates: its weights do not change in between. Further critic steps, which come
    first, take fresh z and the same real batch.

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
    pair = _Pair(config, discriminator, random or torch.Generator(z.device).manual_seed(step))
    is_due = step % config.constraint_interval == 0
    # The gradients of the pair before need not wait in memory beside this one's activations.
    optimiser_generator.zero_grad(set_to_none=True)
    optimiser_discriminator.zero_grad(set_to_none=True)
    for _ in range(config.critic_steps - 1):
        with torch.no_grad():
            other = generate(generator, pair.fresh(z), config, pair.random)
        pair.update_discriminator(optimiser_discriminator, real, other.frames, is_due)
        optimiser_discriminator.zero_grad(set_to_none=True)
    generated = generate(generator, z, config, pair.random)
    losses, scores_real, scores_fake = pair.update_discriminator(
        optimiser_discriminator, real, generated.frames.detach(), is_due
    )
    losses["generator"] = pair.update_generator(optimiser_generator, generated)
    shown = Generated(generated.frames.detach(), generated.shown.detach())
    return UpdateResult(losses, scores_real, scores_fake, shown)


def generate(generator: nn.Module, z: Tensor, config: RunConfig, random: torch.Generator | None) -> Generated:
    """Run a generator; only rate encoding hands it the source of random numbers."""
    made: Generated = generator(z, random) if config.encoder == "rate" else generator(z)
    return made


def shown_to_critic(images: Tensor, config: RunConfig) -> Tensor:
    """Return images or frames as the critic sees them: generated images at every step, not through its encoder."""
    return images.unsqueeze(0) if images.ndim == 4 and config.encoder != "direct" else images


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


class _Pair:
    """What both updates of a pair share."""

    def __init__(self, config: RunConfig, discriminator: nn.Module, random: torch.Generator) -> None:
        self.config, self.discriminator, self.random = config, discriminator, random
        self.is_probability = bool(getattr(discriminator, "is_probability", False))

    def fresh(self, z: Tensor) -> Tensor:
        return torch.randn(z.shape, generator=self.random, device=z.device, dtype=z.dtype)

    def score(self, x: Tensor) -> Tensor:
        return self._critic(augment(x, self.config, self.random))

    def _critic(self, x: Tensor) -> Tensor:
        if self.config.encoder == "rate":
            scores: Tensor = self.discriminator(x, self.random)
        else:
            scores = self.discriminator(x)
        return scores

    def _scores_of_both(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        quirks = self.config.quirks
        if quirks.nmnist_axes and real.ndim == 5:
            # The release hands real event frames over as (B, T, ...), so that the batch is walked as if it were time.
            real = real.transpose(0, 1)
        if quirks.keep_discriminator_state and isinstance(self.discriminator, SganDiscriminator):
            real, fake = (augment(x, self.config, self.random) for x in (real, fake))
            scores_real, state = self.discriminator.score_from(real, None, self.random)
            if state is not None and len(state[0]) != fake.shape[-4]:
                state = None
            return scores_real, self.discriminator.score_from(shown_to_critic(fake, self.config), state, self.random)[0]
        return self.score(real), self.score(shown_to_critic(fake, self.config))

    def update_discriminator(
        self, optimiser: torch.optim.Optimizer, real: Tensor, fake: Tensor, is_due: bool
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Do one discriminator update; return losses and the scores of both batches."""
        config = self.config
        scores_real, scores_fake = self._scores_of_both(real, fake)
        loss = discriminator_loss(config.objective, scores_real, scores_fake, is_probability=self.is_probability)
        extra = self._penalty(real, fake, is_due)
        if config.drift_weight > 0:
            extra = extra + config.drift_weight * scores_real.square().mean()
        loss = loss + extra
        loss.backward()
        optimiser.step()
        if config.constraint == "weight_clip":
            clip_weights(self.discriminator, config.constraint_weight)
        losses = {"discriminator": loss.detach(), "penalty": extra.detach()}
        return losses, scores_real.detach(), scores_fake.detach()

    def _penalty(self, real: Tensor, fake: Tensor, is_due: bool) -> Tensor:
        config = self.config
        if config.constraint not in ("gradient_penalty", "r1") or not is_due:
            return real.new_zeros(())
        # A lazy penalty is due every `interval` steps and weighs as much more (Karras et al. 2020).
        weight = config.constraint_weight * config.constraint_interval
        # An encoder has no gradient: what is differentiated is shown at every step.
        seen = shown_to_critic(real, config), shown_to_critic(fake, config)
        return weight * penalty(config.constraint, self.discriminator, self._critic, *seen, self.random)

    def update_generator(self, optimiser: torch.optim.Optimizer, generated: Generated) -> Tensor:
        """Do the generator's update; return its loss."""
        with _weights_frozen(self.discriminator):
            scores = self.score(shown_to_critic(generated.frames, self.config))
            loss = generator_loss(self.config.objective, scores, is_probability=self.is_probability)
            if generated.extra_loss is not None:
                loss = loss + generated.extra_loss
            loss.backward()
        optimiser.step()
        return loss.detach()
