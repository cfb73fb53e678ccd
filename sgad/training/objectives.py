"""What critic and generator minimise: functions of scores (B,), each a scalar."""

import torch
from torch import Tensor
from torch.nn import functional

from sgad.errors import require_choice

OBJECTIVES = ("bce", "earth_mover", "hinge", "least_squares", "non_saturating")


def discriminator_loss(objective: str, real: Tensor, fake: Tensor, *, is_probability: bool = False) -> Tensor:
    """The critic's loss for its scores of a real and a fake batch.

    * earth_mover: mean real - mean fake, the paper's sign (Arjovsky et al. 2017 with scores negated)
    * bce: cross-entropy summed over the batch, halved (Goodfellow et al. 2014; the release)
    * hinge: mean relu(1 - real) + mean relu(1 + fake) (Lim and Ye 2017)
    * non_saturating: mean softplus(-real) + mean softplus(fake) (Goodfellow et al. 2014)
    * least_squares: [mean (real - 1)^2 + mean fake^2] / 2 (Mao et al. 2017)

    `is_probability` says that the scores went through a sigmoid already; only bce takes such scores.
    """
    _check(objective, is_probability)
    if objective == "earth_mover":
        return real.mean() - fake.mean()
    if objective == "bce":
        return (_cross_entropy(real, 1.0, is_probability) + _cross_entropy(fake, 0.0, is_probability)) / 2
    if objective == "hinge":
        return torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()
    if objective == "non_saturating":
        return functional.softplus(-real).mean() + functional.softplus(fake).mean()
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def generator_loss(objective: str, fake: Tensor, *, is_probability: bool = False) -> Tensor:
    """The generator's loss for the scores of its batch; see `discriminator_loss`."""
    _check(objective, is_probability)
    if objective == "earth_mover":
        return fake.mean()
    if objective == "bce":
        return _cross_entropy(fake, 1.0, is_probability)
    if objective == "hinge":
        return -fake.mean()
    if objective == "non_saturating":
        return functional.softplus(-fake).mean()
    return (fake - 1).square().mean()


def critic_gap(objective: str, real: Tensor, fake: Tensor) -> Tensor:
    """By how much the critic prefers real to generated images, in means of scores; 0 if it can't tell them apart.

    With the paper's sign of the Earth-Mover distance the critic gives real images the lower scores.
    """
    gap = real.mean() - fake.mean()
    return -gap if objective == "earth_mover" else gap


def _check(objective: str, is_probability: bool) -> None:
    require_choice("objective", objective, OBJECTIVES)
    if is_probability and objective != "bce":
        raise ValueError(f"objective {objective!r} takes raw scores, not probabilities")


def _cross_entropy(scores: Tensor, target: float, is_probability: bool) -> Tensor:
    targets = torch.full_like(scores, target)
    if is_probability:
        return functional.binary_cross_entropy(scores, targets, reduction="sum")
    return functional.binary_cross_entropy_with_logits(scores, targets, reduction="sum")
