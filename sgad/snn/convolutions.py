"""Convolutions over sequences of images, channels last: (T, B, H, W, C), all steps in one call."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

#: Up to so many output channels, one matrix product and 16 shifted additions beat the library's transposed convolution.
NARROW = 4


def convolve(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Convolve (T, B, H, W, C) without padding; returns channels last, contiguous."""
    # Channels last is the layout that the libraries compute in; others are copied to it and back.
    images = x.flatten(0, 1).permute(0, 3, 1, 2)
    weight = layer.weight.contiguous(memory_format=torch.channels_last)
    result: Tensor = functional.conv2d(images, weight, layer.bias)
    return _as_sequence(result.permute(0, 2, 3, 1).contiguous(), x)


def upconvolve(x: Tensor, layer: nn.ConvTranspose2d, bias_factor: float = 1.0, engine: str = "torch") -> Tensor:
    """Transpose-convolve (T, B, H, W, C) with 4x4 kernels, stride 2, padding 1; returns channels last, contiguous.

    `bias_factor` scales the bias, for inputs that are sums over time. `engine` "numba" says that `x` holds spikes, of
    which few are 1, and that they lie on a CPU.
    """
    bias = layer.bias if bias_factor == 1.0 or layer.bias is None else layer.bias * bias_factor
    images = x.flatten(0, 1)
    if layer.out_channels <= NARROW and x.device.type == "cpu":
        narrow: Tensor = _NarrowUpconvolution.apply(images.contiguous(), layer.weight)
        return _as_sequence(narrow if bias is None else narrow + bias, x)
    if engine == "numba" and bias is not None:
        from sgad.snn.kernels.sparse import is_sparse, sparse_upconvolution

        if is_sparse(images, engine):
            channels_first = not images.is_contiguous()
            images = images.permute(0, 3, 1, 2) if channels_first else images
            return _as_sequence(sparse_upconvolution(images, layer.weight, bias, channels_first=channels_first), x)
    weight = layer.weight.contiguous(memory_format=torch.channels_last)
    images = images.contiguous().permute(0, 3, 1, 2)
    result = functional.conv_transpose2d(images, weight, bias, stride=2, padding=1)
    return _as_sequence(result.permute(0, 2, 3, 1).contiguous(), x)


def _as_sequence(images: Tensor, like: Tensor) -> Tensor:
    """Take the first axis apart again: (T * B, ...) to (T, B, ...)."""
    sequence: Tensor = images.unflatten(0, like.shape[:2])
    return sequence


class _NarrowUpconvolution(torch.autograd.Function):
    # Pixel (2i + kh - 1, 2j + kw - 1) collects input (i, j) times tap (kh, kw). With one pixel of border, its row is
    # 2 (i + kh // 2) + kh % 2: each tap adds one shifted grid to one of four interleaved ones.
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        count, height, width, inputs = x.shape
        channels = weight.shape[1]
        taps = weight.permute(2, 3, 1, 0).reshape(16 * channels, inputs)
        grids = (taps @ x.reshape(-1, inputs).t()).view(4, 4, channels, count, height, width)
        padded = x.new_zeros(count, height + 1, 2, width + 1, 2, channels)
        for (row, column), target in _shifted(padded, height, width):
            target += grids[row, column].permute(1, 2, 3, 0)
        ctx.save_for_backward(x, taps)
        ctx.weight_shape = weight.shape
        pixels = padded.view(count, 2 * height + 2, 2 * width + 2, channels)
        return pixels[:, 1:-1, 1:-1].contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, taps = ctx.saved_tensors
        count, height, width, inputs = x.shape
        channels = gradient.shape[-1]
        padded = functional.pad(gradient, (0, 0, 1, 1, 1, 1)).view(count, height + 1, 2, width + 1, 2, channels)
        grids = x.new_empty(4, 4, channels, count, height, width)
        for (row, column), source in _shifted(padded, height, width):
            grids[row, column] = source.permute(3, 0, 1, 2)
        flat = grids.view(16 * channels, -1)
        to_x = (flat.t() @ taps).view(x.shape)
        to_taps = flat @ x.reshape(-1, inputs)
        return to_x, to_taps.view(4, 4, channels, inputs).permute(3, 2, 0, 1).contiguous()


def _shifted(padded: Tensor, height: int, width: int) -> list[tuple[tuple[int, int], Tensor]]:
    """Return each tap with the view (N, H, W, C) of the padded, interleaved pixels that it meets."""
    return [
        (
            (row, column),
            padded[:, row // 2 : row // 2 + height, row % 2, column // 2 : column // 2 + width, column % 2],
        )
        for row in range(4)
        for column in range(4)
    ]
