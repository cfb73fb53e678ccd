"""Encoders: a static tensor (B, ...) becomes T steps (T, B, ...)."""

import torch
from torch import Tensor

from sgad.errors import require_choice

ENCODERS = ("direct", "rate", "ttfs")


def encode(x: Tensor, encoder: str, steps: int, random: torch.Generator | None = None) -> Tensor:
    """Encode `x` to (T, B, ...), or (1, B, ...) where every step is the same (direct encoding).

    * direct: the same tensor at every step; kept once, so that layers that see it need to work once
    * rate: step t is 1 where x > U(0, 1), drawn from `random` where that is (default: the CPU's, of seed 0, made anew)
    * ttfs (time to first spike): 1 / (i + 1) at step i, counted from 0, where T-i-1 < x*T <= T-i, else 0
    """
    require_choice("encoder", encoder, ENCODERS)
    if encoder == "direct":
        return x.unsqueeze(0)
    if encoder == "rate":
        source = random if random is not None else torch.Generator().manual_seed(0)
        uniform = torch.rand(steps, *x.shape, generator=source, device=source.device, dtype=x.dtype)
        return (x > uniform.to(x.device)).to(x.dtype)
    scaled = x * steps
    frames = [((scaled <= steps - i) & (scaled > steps - i - 1)).to(x.dtype) / (i + 1) for i in range(steps)]
    return torch.stack(frames)
