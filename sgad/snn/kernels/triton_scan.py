"""The neuron layer on CUDA by Triton: batch norm, scan, pooling and weighting over time in one pass over memory.

Forward: the batch's moments, then one pass that reads currents and writes pooled spikes. Backward: one pass that computes the
potentials again (in registers, up to UNROLLED steps), writes the gradient of the normalised currents and sums it a channel;
then one more through the batch's statistics. Bits equal those of `torch_scan` where tau is a power of two and there is
no batch norm; elsewhere division and sums may round otherwise.
"""

from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable

from sgad.snn.constants import constant
from sgad.snn.kernels import triton_loops as loops
from sgad.snn.kernels.interface import Norm, Scan, ScanResult
from sgad.snn.surrogate import SURROGATES

#: Up to so many steps, the backward pass keeps potentials in registers.
UNROLLED = 16
#: Channels a program, at most: a row of 64 is two to four whole cache lines.
_CHANNELS = 64
#: Bytes of a program's tile: 16 a thread, four warps.
_TILE_BYTES = 2048
#: Rows are divided among so many programs, at most, whose moments are then put together.
_CHUNKS = 32


@dataclass(frozen=True)
class _Grid:
    """How programs share a layer; without pooling, images and pixels are one axis."""

    batch: int
    height: int
    width: int
    channels: int
    pool: int
    tile_pixels: int
    tile_channels: int

    @classmethod
    def of(cls, x: Tensor, pool: int) -> "_Grid":
        _, batch, height, width, channels = x.shape
        if pool == 1:
            batch, height, width = batch * height * width, 1, 1
        tile_channels = min(_CHANNELS, triton.next_power_of_2(channels))
        tile_pixels = max(1, _TILE_BYTES // (x.element_size() * tile_channels * pool * pool))
        return cls(batch, height, width, channels, pool, tile_pixels, tile_channels)

    @property
    def programs(self) -> tuple[int, int]:
        """Programs along pixels and along channels."""
        pixels = self.batch * -(-self.height // self.pool) * -(-self.width // self.pool)
        return -(-pixels // self.tile_pixels), -(-self.channels // self.tile_channels)

    @property
    def rows(self) -> int:
        """Currents a step and channel."""
        return self.batch * self.height * self.width

    def sizes(self) -> tuple[int, int, int, int]:
        """What the kernels take first of their numbers."""
        return self.batch, self.height, self.width, self.channels

    def shape(self) -> dict[str, int]:
        """What the kernels take as constants."""
        return {"POOL": self.pool, "PIXELS": self.tile_pixels, "CHANNELS": self.tile_channels}


@dataclass(frozen=True)
class _Moments:
    """Mean and biased variance (T or 1, C) and what batch norm makes of them."""

    mean: Tensor
    var: Tensor
    scale: Tensor
    shift: Tensor


def _batch_moments(x: Tensor, grid: _Grid, weight: Tensor, bias: Tensor, eps: float) -> _Moments:
    steps, rows, channels = len(x), grid.rows, grid.channels
    # Few programs would leave most of the device idle, many would leave nothing to do for each.
    chunk = max(16, triton.next_power_of_2(-(-rows // _CHUNKS)))
    chunks, blocks = -(-rows // chunk), -(-channels // grid.tile_channels)
    means, squares = x.new_empty(chunks, steps, channels), x.new_empty(chunks, steps, channels)
    tile_rows = min(chunk, max(1, _TILE_BYTES // (x.element_size() * grid.tile_channels)))
    loops.batch_moments[(chunks, blocks, steps)](
        x, means, squares, rows, channels, chunk, ROWS=tile_rows, CHANNELS=grid.tile_channels
    )
    found = _Moments(*(x.new_empty(steps, channels) for _ in range(4)))
    loops.join_moments[(blocks, steps)](
        means, squares, weight, bias, found.mean, found.var, found.scale, found.shift, rows, channels, chunk, chunks,
        eps=eps, CHUNKS=triton.next_power_of_2(chunks), CHANNELS=grid.tile_channels,
    )  # fmt: skip
    return found


def _fixed_moments(weight: Tensor, bias: Tensor, norm: Norm) -> _Moments:
    assert norm.mean is not None
    assert norm.var is not None
    scale = weight * torch.rsqrt(norm.var + norm.eps)
    mean, var = norm.mean.contiguous()[None], norm.var.contiguous()[None]
    return _Moments(mean, var, scale[None], (bias - norm.mean * scale)[None])


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        v0: Tensor | None,
        norm: Norm | None,
        scan: Scan,
    ) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
        ctx.set_materialize_grads(False)
        grid = _Grid.of(x, scan.pool)
        is_fixed = norm is not None and norm.mean is not None
        moments = None
        if norm is not None and weight is not None and bias is not None:
            weight, bias = weight.detach().contiguous(), bias.detach().contiguous()
            is_own = norm.mean is None
            moments = _batch_moments(x, grid, weight, bias, norm.eps) if is_own else _fixed_moments(weight, bias, norm)
        _, batch, height, width, channels = x.shape
        pooled = (batch, height // scan.pool, width // scan.pool, channels)
        spikes = x.new_empty(scan.steps if scan.weights is None else 1, *pooled)
        last = torch.empty_like(x[0]) if scan.keep_state else None
        neuron = scan.neuron
        loops.layer_forward[grid.programs](
            x, *_norm_arguments(moments, x)[:2], v0 if v0 is not None else x, _weights(x, scan), spikes,
            last if last is not None else x, *grid.sizes(), scan.steps, _stride(x), _norm_stride(moments),
            spikes[0].numel() if scan.weights is None else 0, tau=neuron.tau, threshold=neuron.threshold,
            NORMED=moments is not None, STATEFUL=v0 is not None, KEEP=scan.keep_state,
            WEIGHTED=scan.weights is not None, **grid.shape(),
        )  # fmt: skip
        ctx.save_for_backward(x, v0, *(() if moments is None else vars(moments).values()))
        ctx.scan, ctx.eps, ctx.is_fixed = scan, 0.0 if norm is None else norm.eps, is_fixed
        if moments is None or is_fixed:
            return spikes, last, None, None
        ctx.mark_non_differentiable(moments.mean, moments.var)
        return spikes, last, moments.mean, moments.var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        x, v0, *saved = ctx.saved_tensors
        scan: Scan = ctx.scan
        moments, grid = _Moments(*saved) if saved else None, _Grid.of(x, scan.pool)
        is_constant = len(x) == 1
        rows = len(x)
        to_x, to_v0 = torch.empty_like(x), None if v0 is None else torch.empty_like(v0)
        in_registers = scan.steps <= UNROLLED
        # Where the gradient has all steps, it takes the place of the potentials.
        has_room = in_registers or not is_constant
        potentials = to_x if has_room else x.new_empty(scan.steps, *x.shape[1:])
        sums = x.new_empty(grid.programs[0], 2, rows, grid.channels) if moments is not None else x
        to_spikes = _whole(gradients[0], x, scan)
        to_last = gradients[1]
        scale, shift, mean = _norm_arguments(moments, x)
        neuron = scan.neuron
        loops.layer_backward[grid.programs](
            x, scale, shift, mean, v0 if v0 is not None else x, _weights(x, scan), to_spikes,
            to_last.contiguous() if to_last is not None else x, potentials, to_x, to_v0 if to_v0 is not None else x, sums,
            *grid.sizes(), scan.steps, x[0].numel(), _stride(x), _stride(to_x), _norm_stride(moments), _norm_stride(moments),
            to_spikes[0].numel() if scan.weights is None else 0, tau=neuron.tau, threshold=neuron.threshold,
            surrogate_width=neuron.width, KIND=SURROGATES.index(neuron.surrogate), NORMED=moments is not None,
            FIXED=ctx.is_fixed, STATEFUL=v0 is not None, KEEP=to_last is not None, WEIGHTED=scan.weights is not None,
            CONSTANT=is_constant, UNROLLED=scan.steps if in_registers else 0, **grid.shape(),
        )  # fmt: skip
        if moments is None:
            return to_x, None, None, to_v0, None, None
        to_weight, to_bias = _through_statistics(
            to_x, x, moments, sums.sum(dim=0), grid, ctx.eps, is_fixed=ctx.is_fixed
        )
        return to_x, to_weight, to_bias, to_v0, None, None


def _through_statistics(
    to_x: Tensor, x: Tensor, moments: _Moments, sums: Tensor, grid: _Grid, eps: float, *, is_fixed: bool
) -> tuple[Tensor, Tensor]:
    """Gradients of batch norm's weight and bias; those of the currents go through the batch's statistics, in place."""
    rows, channels, blocks = len(x), grid.channels, grid.programs[1]
    to_weight, to_bias = x.new_empty(channels), x.new_empty(channels)
    offset, slope = x.new_empty(rows, channels), x.new_empty(rows, channels)
    loops.norm_coefficients[(blocks,)](
        sums, moments.var, to_weight, to_bias, offset, slope, rows, channels, grid.rows, _stride(moments.var),
        eps=eps, CHANNELS=grid.tile_channels,
    )  # fmt: skip
    if not is_fixed:
        tile_rows = max(1, _TILE_BYTES // (x.element_size() * grid.tile_channels))
        loops.norm_backward[(-(-grid.rows // tile_rows), blocks, rows)](
            to_x, x, moments.mean, moments.scale, offset, slope, grid.rows, channels,
            ROWS=tile_rows, CHANNELS=grid.tile_channels,
        )  # fmt: skip
    return to_weight, to_bias


def _whole(gradient: Tensor | None, x: Tensor, scan: Scan) -> Tensor:
    """The spikes' gradient in one piece; zeros where only the last potentials are asked about."""
    if gradient is not None:
        return gradient.contiguous()
    _, batch, height, width, channels = x.shape
    steps = scan.steps if scan.weights is None else 1
    return x.new_zeros(steps, batch, height // scan.pool, width // scan.pool, channels)


def _stride(rows: Tensor) -> int:
    """Elements from one step to the next; 0 if all steps are the same."""
    return rows[0].numel() if len(rows) > 1 else 0


def _norm_stride(moments: _Moments | None) -> int:
    return 0 if moments is None else _stride(moments.scale)


def _norm_arguments(moments: _Moments | None, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scale, shift and mean; without batch norm no kernel reads them, and `x` fills their places."""
    return (x, x, x) if moments is None else (moments.scale, moments.shift, moments.mean)


def _weights(x: Tensor, scan: Scan) -> Tensor:
    return x if scan.weights is None else constant(scan.weights, x.dtype, x.device)


def scan_layer(x: Tensor, norm: Norm | None, state: Tensor | None, scan: Scan) -> ScanResult:
    """Run one layer of neurons over a sequence; see `sgad.snn.kernels.dispatch.scan_layer`."""
    weight, bias = (None, None) if norm is None else (norm.weight, norm.bias)
    v0 = None if state is None else state.contiguous()
    spikes, last, mean, var = _Layer.apply(x.contiguous(), weight, bias, v0, norm, scan)
    return ScanResult(spikes, last, mean, var)
