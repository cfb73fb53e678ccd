"""Transposed convolutions to few channels, 4x4, stride 2, padding 1, as one matrix product and 16 shifted additions.

Pixel (2i + kh - 1, 2j + kw - 1) collects input (i, j) times tap (kh, kw). With one pixel of border, its row is
2 (i + kh // 2) + kh % 2: each tap adds one shifted grid to one of four interleaved ones. Images are (N, H, W, C).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import handle_torch_function, has_torch_function


def taps_of(weight: Tensor) -> Tensor:
    """Taps (16 O, C) of a transposed convolution's weight (C, O, 4, 4)."""
    return weight.detach().permute(2, 3, 1, 0).reshape(-1, len(weight))


def weight_of(taps: Tensor, shape: torch.Size) -> Tensor:
    """Weight of `shape` (C, O, 4, 4) whose taps these are."""
    return taps.view(4, 4, shape[1], shape[0]).permute(3, 2, 0, 1).contiguous()


def product(x: Tensor, taps: Tensor) -> Tensor:
    """Pixels (N, 2H, 2W, O) of x (N, H, W, C)."""
    count, height, width, inputs = x.shape
    channels = len(taps) // 16
    grids = (taps @ x.reshape(-1, inputs).t()).view(4, 4, channels, count, height, width)
    padded = x.new_zeros(count, height + 1, 2, width + 1, 2, channels)
    for (row, column), target in _shifted(padded, height, width):
        target += grids[row, column].permute(1, 2, 3, 0)
    pixels = padded.view(count, 2 * height + 2, 2 * width + 2, channels)
    return pixels[:, 1:-1, 1:-1].contiguous()


def gradients(gradient: Tensor, x: Tensor, taps: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of x and of the taps from that of the pixels (N, 2H, 2W, O)."""
    count, height, width, inputs = x.shape
    channels = gradient.shape[-1]
    padded = functional.pad(gradient, (0, 0, 1, 1, 1, 1)).view(count, height + 1, 2, width + 1, 2, channels)
    grids = x.new_empty(4, 4, channels, count, height, width)
    for (row, column), source in _shifted(padded, height, width):
        grids[row, column] = source.permute(3, 0, 1, 2)
    flat = grids.view(16 * channels, -1)
    return (flat.t() @ taps).view(x.shape), flat @ x.reshape(-1, inputs)


def _shifted(padded: Tensor, height: int, width: int) -> list[tuple[tuple[int, int], Tensor]]:
    """Each tap with the view (N, H, W, O) of the padded, interleaved pixels that it meets."""
    return [
        (
            (row, column),
            padded[:, row // 2 : row // 2 + height, row % 2, column // 2 : column // 2 + width, column % 2],
        )
        for row in range(4)
        for column in range(4)
    ]


class _NarrowUpconvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, taps_of(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        to_x, to_taps = gradients(gradient, x, taps_of(weight))
        return to_x, weight_of(to_taps, weight.shape)


def narrow_upconvolution(x: Tensor, weight: Tensor) -> Tensor:
    """Transpose-convolve images (N, H, W, C) by `weight` (C, O, 4, 4), without a bias; (N, 2H, 2W, O).

    It announces itself as torch's own functions do, so that a mode that counts operations sees it.
    """
    if has_torch_function((x, weight)):
        made: Tensor = handle_torch_function(narrow_upconvolution, (x, weight), x, weight)
        return made
    result: Tensor = _NarrowUpconvolution.apply(x, weight)
    return result
