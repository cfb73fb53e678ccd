"""The neuron scan on CUDA: all steps in one pass over memory, forward and backward, by Triton.

Batch norm, pooling and weighting over time stay torch's own calls around it; they are bound by memory bandwidth, not by
launches. The potentials are computed again in the backward pass instead of stored.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from sgad.snn.constants import constant
from sgad.snn.kernels.interface import Norm, Scan, ScanResult
from sgad.snn.kernels.torch_scan import average_pool, normalise
from sgad.snn.surrogate import SURROGATES

_BLOCK = 256


@triton.jit
def _forward(
    y, v0, spikes, last, count, steps, stride, tau: tl.constexpr, threshold: tl.constexpr, BLOCK: tl.constexpr
):  # type: ignore[no-untyped-def]
    # The neuron's constants are compiled in: as arguments they would come in float32.
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < count
    v = tl.load(v0 + place, mask=inside, other=0.0)
    for step in range(steps):
        x = tl.load(y + step.to(tl.int64) * stride + place, mask=inside, other=0.0)
        h = v + (x - v) / tau
        s = (h > threshold).to(x.dtype)
        tl.store(spikes + step.to(tl.int64) * count + place, s, mask=inside)
        v = h * (1.0 - s)
    tl.store(last + place, v, mask=inside)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    y,
    v0,
    to_spikes,
    to_last,
    potentials,
    to_y,
    to_v0,
    count,
    steps,
    stride,
    tau: tl.constexpr,
    threshold: tl.constexpr,
    width: tl.constexpr,
    kind: tl.constexpr,
    BLOCK: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < count
    v = tl.load(v0 + place, mask=inside, other=0.0)
    for step in range(steps):
        x = tl.load(y + step.to(tl.int64) * stride + place, mask=inside, other=0.0)
        h = v + (x - v) / tau
        tl.store(potentials + step.to(tl.int64) * count + place, h, mask=inside)
        v = h * (1.0 - (h > threshold).to(x.dtype))
    pull = tl.load(to_last + place, mask=inside, other=0.0)
    for back in range(steps):
        row = (steps - 1 - back).to(tl.int64) * count
        h = tl.load(potentials + row + place, mask=inside, other=0.0)
        u = h - threshold
        if kind == 0:
            slope = 1.5707963267948966 * width * u
            derivative = (width / 2.0) / (1.0 + slope * slope)
        elif kind == 1:
            p = 1.0 / (1.0 + tl.exp(-width * u))
            derivative = width * p * (1.0 - p)
        else:
            derivative = (tl.abs(u) < width / 2.0).to(h.dtype) / width
        g = tl.load(to_spikes + row + place, mask=inside, other=0.0) * derivative
        g += pull * (1.0 - (h > threshold).to(h.dtype))
        # Over the potentials, which are read no more: one buffer less.
        tl.store(to_y + row + place, g / tau, mask=inside)
        pull = g - g / tau
    tl.store(to_v0 + place, pull, mask=inside)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, v0: Tensor, scan: Scan) -> tuple[Tensor, Tensor]:
        spikes, last = y.new_empty(scan.steps, *y.shape[1:]), torch.empty_like(v0)
        count = v0.numel()
        stride = count if len(y) > 1 else 0
        neuron = scan.neuron
        _forward[(triton.cdiv(count, _BLOCK),)](
            y, v0, spikes, last, count, scan.steps, stride, neuron.tau, neuron.threshold, BLOCK=_BLOCK
        )
        ctx.save_for_backward(y, v0)
        ctx.scan = scan
        return spikes, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        y, v0 = ctx.saved_tensors
        scan: Scan = ctx.scan
        neuron, count = scan.neuron, v0.numel()
        to_y, to_v0 = y.new_empty(scan.steps, *y.shape[1:]), torch.empty_like(v0)
        _backward[(triton.cdiv(count, _BLOCK),)](
            y, v0, gradients[0].contiguous(), gradients[1].contiguous(), to_y, to_y, to_v0, count, scan.steps,
            count if len(y) > 1 else 0, neuron.tau, neuron.threshold, neuron.width,
            SURROGATES.index(neuron.surrogate), BLOCK=_BLOCK,
        )  # fmt: skip
        return (to_y if len(y) > 1 else to_y.sum(dim=0, keepdim=True)), to_v0, None


def scan_layer(x: Tensor, norm: Norm | None, state: Tensor | None, scan: Scan) -> ScanResult:
    """Run one layer of neurons over a sequence; see `sgad.snn.kernels.scan_layer`."""
    y, mean, var = (x, None, None) if norm is None else normalise(x, norm)
    v0 = torch.zeros_like(y[0]) if state is None else state.contiguous()
    spikes, last = _Scan.apply(y.contiguous(), v0, scan)
    if scan.weights is not None:
        spikes = torch.tensordot(constant(scan.weights, spikes.dtype, spikes.device), spikes, dims=1).unsqueeze(0)
    spikes = average_pool(spikes.flatten(0, 1), scan.pool).unflatten(0, spikes.shape[:2])
    return ScanResult(spikes, last if scan.keep_state else None, mean, var)
