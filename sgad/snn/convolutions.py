"""Convolutions over sequences of images, channels last: (T, B, H, W, C), all steps in one call."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import handle_torch_function, has_torch_function

from sgad.snn import narrow

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
        pixels: Tensor = narrow_upconvolution(images.contiguous(), layer.weight)
        return _as_sequence(pixels if bias is None else pixels + bias, x)
    if engine == "numba" and bias is not None:
        from sgad.snn.kernels.sparse import is_sparse, sparse_upconvolution

        if is_sparse(images, layer.out_channels, engine):
            channels_first = not images.is_contiguous()
            images = images.permute(0, 3, 1, 2) if channels_first else images
            return _as_sequence(sparse_upconvolution(images, layer.weight, bias, channels_first=channels_first), x)
    weight = layer.weight.contiguous(memory_format=torch.channels_last)
    images = images.contiguous().permute(0, 3, 1, 2)
    result = functional.conv_transpose2d(images, weight, bias, stride=2, padding=1)
    return _as_sequence(result.permute(0, 2, 3, 1).contiguous(), x)


def narrow_upconvolution(x: Tensor, weight: Tensor) -> Tensor:
    """Transpose-convolve (N, H, W, C) with few output channels: 4x4 kernels, stride 2, padding 1.

    It announces itself as torch's own functions do, so that a mode that counts operations sees it.
    """
    if has_torch_function((x, weight)):
        made: Tensor = handle_torch_function(narrow_upconvolution, (x, weight), x, weight)
        return made
    result: Tensor = _NarrowUpconvolution.apply(x, weight)
    return result


def _as_sequence(images: Tensor, like: Tensor) -> Tensor:
    """Take the first axis apart again: (T * B, ...) to (T, B, ...)."""
    sequence: Tensor = images.unflatten(0, like.shape[:2])
    return sequence


class _NarrowUpconvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return narrow.product(x, narrow.taps_of(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        to_x, to_taps = narrow.gradients(gradient, x, narrow.taps_of(weight))
        return to_x, narrow.weight_of(to_taps, weight.shape)
