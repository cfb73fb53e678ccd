"""Differentiable augmentation of what the critic sees, real and fake alike (Zhao et al. 2020, arXiv:2006.10738)."""

import torch
from torch import Tensor

from sgad.config.run import RunConfig
from sgad.errors import require_choice

AUGMENTATIONS = ("brightness", "cutout", "translation")


def augment(x: Tensor, config: RunConfig, random: torch.Generator) -> Tensor:
    """Augment images (B, C, H, W) or frames (T, B, C, H, W), each image by its own draw, the same at all its steps."""
    for name in config.augment:
        require_choice("augment", name, AUGMENTATIONS)
        x = {"brightness": _brightness, "translation": _translation, "cutout": _cutout}[name](x, random)
    if config.input_noise > 0:
        # Noise of its own at every step would tell spike trains from still images, which are shown T times.
        x = x + config.input_noise * torch.randn(x.shape[-4:], generator=random, device=x.device, dtype=x.dtype)
    return x


def _uniform(count: int, like: Tensor, random: torch.Generator) -> Tensor:
    return torch.rand(count, 1, 1, 1, generator=random, device=like.device, dtype=like.dtype)


def _brightness(x: Tensor, random: torch.Generator) -> Tensor:
    return x + _uniform(x.shape[-4], x, random) - 0.5


def _integers(bound: int, count: int, like: Tensor, random: torch.Generator) -> Tensor:
    """Random integers (B, 1) in 0..bound."""
    return torch.randint(0, bound + 1, (count, 1), generator=random, device=like.device)


def _translation(x: Tensor, random: torch.Generator, ratio: float = 0.125) -> Tensor:
    """Move each image by up to an eighth of its size; what comes in is 0."""
    for axis in (-2, -1):
        size = x.shape[axis]
        reach = round(size * ratio)
        moves = _integers(2 * reach, x.shape[-4], x, random) - reach
        source = torch.arange(size, device=x.device)[None, :] + moves
        shape = (x.shape[-4], 1, size, 1) if axis == -2 else (x.shape[-4], 1, 1, size)
        inside = ((source >= 0) & (source < size)).view(shape).to(x.dtype)
        index = source.clamp(0, size - 1).view(shape).expand(x.shape)
        x = torch.gather(x, axis, index) * inside
    return x


def _cutout(x: Tensor, random: torch.Generator, ratio: float = 0.5) -> Tensor:
    """Set a square of half the image's size to 0, anywhere, also partly outside."""
    height, width = x.shape[-2:]
    hidden = torch.ones(x.shape[-4], 1, height, width, dtype=torch.bool, device=x.device)
    for axis, size in ((-2, height), (-1, width)):
        side = round(size * ratio)
        first = _integers(size, x.shape[-4], x, random) - side // 2
        place = torch.arange(size, device=x.device)[None, :]
        inside = (place >= first) & (place < first + side)
        hidden = hidden & (inside[:, None, :, None] if axis == -2 else inside[:, None, None, :])
    return x * (~hidden).to(x.dtype)
