"""Neurons with a constant current and the layer that they feed, as one operation on a CPU; see `periodic_loops`."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from sgad.snn.kernels import numba_scan as scans
from sgad.snn.kernels import periodic_loops as loops
from sgad.snn.kernels.interface import Norm, Scan

Synapse = nn.Linear | nn.Conv2d


class _PeriodicSynapse(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, norm_weight: Tensor | None, norm_bias: Tensor | None, weight: Tensor, bias: Tensor,
        norm: Norm | None, scan: Scan,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        moments = scans.layer_moments(x, norm)
        scale, shift = scans.layer_affine(x, norm, moments)
        counts, entries = list_periods(x, scale, shift, scan)
        out = (_linear if weight.ndim == 2 else _convolution)(counts, entries, weight, bias, scan, len(x[0]))
        ctx.save_for_backward(x, norm_weight, weight, scale, shift)
        mean, var = scans.keep_moments(ctx, norm, scan, moments, x.dtype)
        ctx.listed = counts, entries
        return out, mean, var  # type: ignore[return-value]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, norm_weight, weight, scale, shift = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        to_weight = to_bias = None
        if ctx.needs_input_grad[3]:
            counts, entries = ctx.listed
            weigh = _linear_weight if weight.ndim == 2 else _convolution_weight
            to_weight = weigh(counts, entries, gradient, weight, ctx.scan)
        if ctx.needs_input_grad[4]:
            to_bias = gradient.flatten(0, -2).sum(dim=0)
        to_spikes = _to_spikes(gradient, weight, ctx.scan, x)
        to_x, to_norm_weight, to_norm_bias = scans.layer_gradients(
            x, norm_weight, scale, shift, ctx.moments, ctx.own, ctx.eps, ctx.scan, to_spikes
        )
        return to_x, to_norm_weight, to_norm_bias, to_weight, to_bias, None, None


def list_periods(x: Tensor, scale: Tensor, shift: Tensor, scan: Scan) -> tuple[Any, Any]:
    """Counts and entries (see `periodic_loops`) of the neurons that fire on currents (1, B, H, W, C)."""
    _, batch, height, width, channels = x.shape
    cells = (batch, height // scan.pool, width // scan.pool)
    counts = np.empty(cells, dtype=np.int32)
    entries = np.empty((*cells, channels * scan.pool**2), dtype=np.int32)
    _, constants = scans.scan_arrays(x, scan)
    fixed = (
        x.detach()[0].numpy(),
        scale[0].numpy(),
        shift[0].numpy(),
        constants,
        scan.steps,
        scan.pool,
        counts,
        entries,
    )
    scans.share_work(lambda start, stop, slot: loops.list_periods(start, stop, *fixed), batch)
    return counts, entries


def _share_of(scan: Scan, dtype: np.dtype[Any]) -> Any:
    return dtype.type(1 / scan.pool**2)


def _linear(counts: Any, entries: Any, weight: Tensor, bias: Tensor, scan: Scan, batch: int) -> Tensor:
    out = weight.new_empty(scan.steps, batch, len(weight))
    fixed = (
        counts.reshape(-1), entries.reshape(batch, -1), weight.detach().contiguous().numpy(), bias.detach().numpy(),
        *loops.divisors(scan.steps), _share_of(scan, out.numpy().dtype), out.numpy(),
    )  # fmt: skip
    scans.share_work(lambda start, stop, slot: loops.linear_forward(start, stop, *fixed), -(-len(weight) // loops.TILE))
    return out


def _linear_weight(counts: Any, entries: Any, gradient: Tensor, weight: Tensor, scan: Scan) -> Tensor:
    to_weight = torch.empty_like(weight, memory_format=torch.contiguous_format)
    fixed = (
        counts.reshape(-1), entries.reshape(len(counts), -1), gradient.numpy(), *loops.divisors(scan.steps),
        _share_of(scan, gradient.numpy().dtype), to_weight.numpy(),
    )  # fmt: skip
    scans.share_work(
        lambda start, stop, slot: loops.linear_weight_gradient(start, stop, *fixed), -(-len(weight) // loops.TILE)
    )
    return to_weight


def _convolution(counts: Any, entries: Any, weight: Tensor, bias: Tensor, scan: Scan, batch: int) -> Tensor:
    kernel = weight.shape[-1]
    height, width = (size - kernel + 1 for size in counts.shape[1:])
    out = weight.new_empty(scan.steps, batch, height, width, len(weight))
    taps = weight.detach().permute(2, 3, 1, 0).reshape(kernel * kernel, weight.shape[1], len(weight)).contiguous()
    fixed = (
        counts, entries, taps.numpy(), kernel, bias.detach().numpy(), *loops.divisors(scan.steps),
        _share_of(scan, out.numpy().dtype), out.numpy(),
    )  # fmt: skip
    scans.share_work(lambda start, stop, slot: loops.convolution_forward(start, stop, *fixed), batch)
    return out


def _convolution_weight(counts: Any, entries: Any, gradient: Tensor, weight: Tensor, scan: Scan) -> Tensor:
    kernel = weight.shape[-1]
    to_taps = weight.new_zeros(kernel * kernel, weight.shape[1], len(weight))
    fixed = (
        counts, entries, gradient.numpy(), kernel, *loops.divisors(scan.steps),
        _share_of(scan, gradient.numpy().dtype), to_taps.numpy(),
    )  # fmt: skip
    scans.share_work(lambda start, stop, slot: loops.convolution_weight_gradient(start, stop, *fixed), kernel * kernel)
    return to_taps.view(kernel, kernel, weight.shape[1], len(weight)).permute(3, 2, 0, 1).contiguous()


def _to_spikes(gradient: Tensor, weight: Tensor, scan: Scan, x: Tensor) -> Tensor:
    """Gradient of all pooled spikes; it differs from step to step, so this product is dense."""
    if weight.ndim == 2:
        cells = (x.shape[2] // scan.pool, x.shape[3] // scan.pool, x.shape[4])
        return (gradient.flatten(0, 1) @ weight).view(*gradient.shape[:2], *cells)
    images = gradient.flatten(0, 1).permute(0, 3, 1, 2)
    result = functional.conv_transpose2d(images, weight.contiguous(memory_format=torch.channels_last))
    to_spikes: Tensor = result.permute(0, 2, 3, 1).contiguous().unflatten(0, gradient.shape[:2])
    return to_spikes


def periodic_synapse(
    x: Tensor, norm: Norm | None, synapse: Synapse, scan: Scan
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Run constant currents (1, B, H, W, C) through neurons, pooling and a linear layer or convolution.

    A linear layer takes the neurons of an image as one vector (H = W = 1 here). Returns its outputs (T, B, O), or
    (T, B, H', W', O), and the batch statistics (1, C), or None without them.
    """
    weight, bias = (None, None) if norm is None else (norm.weight, norm.bias)
    assert synapse.bias is not None
    return _PeriodicSynapse.apply(  # type: ignore[no-any-return]
        x.contiguous(), weight, bias, synapse.weight, synapse.bias, norm, scan
    )
