"""What networks are given, checked at the door: one sentence with what came and what is wanted."""

import torch
from torch import Tensor, nn

from sgad.errors import InputError


def require_latents(z: Tensor, layer: nn.Linear) -> None:
    """Check latents for the generator whose first layer this is: (B, latent_dim), its dtype, its device.

    Raises
    ------
    InputError
        Naming what differs and the remedy.
    """
    if z.ndim != 2 or z.shape[1] != layer.in_features:
        raise InputError(
            f"latents must be (B, {layer.in_features}), got {tuple(z.shape)}; latent_dim is {layer.in_features}"
        )
    _require_same_kind("latents", z, layer.weight)


def require_images(x: Tensor, shape: tuple[int, ...], like: Tensor | None) -> None:
    """Check images (B, C, H, W) or frames (T, B, C, H, W) for a critic of this shape, and of dtype and device of `like`.

    Raises
    ------
    InputError
        Naming what differs and the remedy.
    """
    if x.ndim not in (4, 5) or tuple(x.shape[-3:]) != tuple(shape):
        wanted = ", ".join(map(str, shape))
        raise InputError(f"images must be (B, {wanted}) or frames (T, B, {wanted}), got {tuple(x.shape)}")
    if like is not None:
        _require_same_kind("images", x, like)


def _require_same_kind(name: str, x: Tensor, weight: Tensor) -> None:
    if not x.is_floating_point():
        raise InputError(f"{name} must be floats, got {x.dtype}; of bytes, images.float() / 255")
    # Autocast brings both to one type itself.
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise InputError(f"{name} are {x.dtype} and the network is {weight.dtype}; write {name}.to({weight.dtype})")
    if x.device != weight.device:
        raise InputError(
            f"{name} are on {x.device} and the network is on {weight.device}; write {name}.to({str(weight.device)!r})"
        )
