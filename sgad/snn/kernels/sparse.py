"""A transposed convolution of spikes on a CPU, by lists of those that fire; see `sparse_loops`."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from sgad.snn.kernels import sparse_loops as loops
from sgad.snn.kernels.numba_scan import share_work

#: Above this share of ones, the dense product is faster.
DENSE = 0.3


class _SparseUpconvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor, bias: Tensor, channels_first: bool) -> Tensor:
        counts, listed = _list(spikes, channels_first)
        height, width = spikes.shape[2:] if channels_first else spikes.shape[1:3]
        out = spikes.new_empty(len(spikes), 2 * height, 2 * width, weight.shape[1])
        ctx.save_for_backward(weight)
        ctx.listed, ctx.width, ctx.channels_first = (counts, listed), width, channels_first
        lanes = weight.shape[1] // loops.LANES, loops.LANES
        taps = weight.detach().permute(2, 3, 0, 1).reshape(16, len(weight), *lanes).contiguous().numpy()
        fixed = counts, listed, taps, bias.detach().view(lanes).numpy(), width, out.unflatten(3, lanes).numpy()
        share_work(lambda start, stop, slot: loops.upconvolution_forward(start, stop, *fixed), len(spikes))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        images = gradient.permute(0, 3, 1, 2)
        layout = weight.contiguous(memory_format=torch.channels_last)
        # The gradient of a transposed convolution is the convolution: every spike has one, so this is dense.
        to_spikes = functional.conv2d(images, layout, stride=2, padding=1)
        if not ctx.channels_first:
            to_spikes = to_spikes.permute(0, 2, 3, 1)
        to_taps = weight.new_zeros(16, *weight.shape[:2])
        fixed = *ctx.listed, gradient.numpy(), ctx.width, to_taps.numpy()
        share_work(lambda start, stop, slot: loops.upconvolution_weight_gradient(start, stop, *fixed), 16)
        to_weight = to_taps.view(4, 4, *weight.shape[:2]).permute(2, 3, 0, 1).contiguous()
        return to_spikes.contiguous(), to_weight, gradient.sum(dim=(0, 1, 2)), None


def _list(spikes: Tensor, channels_first: bool) -> tuple[Any, Any]:
    pixels = spikes.detach().flatten(2).transpose(1, 2) if channels_first else spikes.detach().flatten(1, 2)
    # One place more: the loops write before they know whether it counts.
    counts = np.empty(pixels.shape[:2], dtype=np.int32)
    listed = np.empty((*pixels.shape[:2], pixels.shape[2] + 1), dtype=np.uint16)
    array = pixels.numpy()
    share_work(lambda start, stop, slot: loops.list_spikes(start, stop, array, counts, listed), len(counts))
    return counts, listed


def is_sparse(spikes: Tensor, outputs: int) -> bool:
    """Whether `sparse_upconvolution` to `outputs` channels is possible, and the faster way for these spikes."""
    fits = spikes.shape[-1] < 2**16 and outputs % loops.LANES == 0
    return fits and bool(spikes.count_nonzero() < DENSE * spikes.numel())


def sparse_upconvolution(spikes: Tensor, weight: Tensor, bias: Tensor, *, channels_first: bool) -> Tensor:
    """Transpose-convolve spikes in {0, 1}, (N, C, H, W) or (N, H, W, C), 4x4, stride 2, padding 1; (N, 2H, 2W, O).

    O must be a multiple of LANES.
    """
    return _SparseUpconvolution.apply(spikes.contiguous(), weight, bias, channels_first)  # type: ignore[no-any-return]
