"""The last neurons and the narrow transposed convolution that makes pixels of them, as one operation on a CPU.

A few images at a time: neither the spikes of all images nor their gradients, the largest tensors of a generator, are ever
in memory as a whole.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sgad.snn.kernels import narrow
from sgad.snn.kernels import numba_scan as scans
from sgad.snn.kernels.interface import Norm, Scan

#: Bytes of the spikes that are in work at once: they stay in the cache between the scan and the product.
PART = 4 * 2**20


class _Pixels(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        norm_weight: Tensor | None,
        norm_bias: Tensor | None,
        weight: Tensor,
        norm: Norm | None,
        scan: Scan,
    ) -> tuple[Tensor, ...]:
        moments = scans.layer_moments(x, norm)
        scale, shift = scans.layer_affine(x, norm, moments)
        taps = narrow.taps_of(weight)
        _, batch, height, width, _ = x.shape
        out = x.new_empty(scan.steps, batch, 2 * height, 2 * width, weight.shape[1])
        for part in _parts(x, scan):
            spikes, _ = scans.layer_spikes(x[:, part].contiguous(), scale, shift, None, scan)
            out[:, part] = narrow.product(spikes.flatten(0, 1), taps).unflatten(0, spikes.shape[:2])
        ctx.save_for_backward(x, norm_weight, weight, scale, shift)
        mean, var = scans.keep_moments(ctx, norm, scan, moments, x.dtype)
        return out, mean, var  # type: ignore[return-value]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, norm_weight, weight, scale, shift = ctx.saved_tensors
        scan: Scan = ctx.scan
        taps = narrow.taps_of(weight)
        to_taps, to_x = torch.zeros_like(taps), torch.empty_like(x)
        sums, products = np.zeros(ctx.moments[0].shape), np.zeros(ctx.moments[0].shape)
        for part in _parts(x, scan):
            currents = x[:, part].contiguous()
            spikes, _ = scans.layer_spikes(currents, scale, shift, None, scan)
            pulled = gradients[0][:, part].flatten(0, 1)
            to_spikes, more_taps = narrow.gradients(pulled, spikes.flatten(0, 1), taps)
            to_taps += more_taps
            to_x[:, part], _, more_sums, more_products = scans.scan_gradients(
                currents,
                scale,
                shift,
                None,
                ctx.moments[0],
                scan,
                to_spikes.view(spikes.shape),
                None,
                norm_weight is not None,
            )
            if norm_weight is not None:
                sums += more_sums
                products += more_products
        to_norm = scans.norm_gradients(to_x, x, norm_weight, ctx.moments, ctx.own, ctx.eps, sums, products)
        return to_x, *to_norm, narrow.weight_of(to_taps, weight.shape), None, None


def _parts(x: Tensor, scan: Scan) -> Iterator[slice]:
    """Yield ranges of images whose spikes take about PART bytes."""
    batch = x.shape[1]
    size = max(1, PART // (scan.steps * x[0, 0].numel() * x.element_size()))
    return (slice(start, min(start + size, batch)) for start in range(0, batch, size))


def pixels_of(x: Tensor, norm: Norm | None, weight: Tensor, scan: Scan) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Run currents (T or 1, B, H, W, C) through neurons and a transposed convolution without its bias.

    `weight` is (C, O, 4, 4). Returns the pixels (T, B, 2H, 2W, O) and the batch statistics, or None without them.
    """
    norm_weight, norm_bias = (None, None) if norm is None else (norm.weight, norm.bias)
    return _Pixels.apply(x.contiguous(), norm_weight, norm_bias, weight, norm, scan)  # type: ignore[no-any-return]
