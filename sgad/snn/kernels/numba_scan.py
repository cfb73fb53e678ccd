"""The neuron scan on a CPU: batch norm, scan, pooling or weighting in one pass over memory, forward and backward."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from sgad.snn.kernels import numba_loops as loops
from sgad.snn.kernels.interface import Norm, Scan, ScanResult
from sgad.snn.surrogate import SURROGATES


@cache
def _workers(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="sgad-scan")


def share_work(work: Callable[[int, int, int], None], items: int) -> None:
    """Call work(start, stop, slot) on as many threads as torch uses, each with its range of items."""
    threads = max(1, min(torch.get_num_threads(), items))
    bounds = [items * index // threads for index in range(threads + 1)]
    # The calling thread takes the last range itself.
    pending: list[Future[None]] = [
        _workers(threads).submit(work, bounds[slot], bounds[slot + 1], slot) for slot in range(threads - 1)
    ]
    work(bounds[threads - 1], bounds[threads], threads - 1)
    for future in pending:
        future.result()


def _slots() -> int:
    return max(1, torch.get_num_threads())


def batch_moments(x: Tensor) -> tuple[Any, Any]:
    """Mean and biased variance (T, C), float64, of (T, B, H, W, C)."""
    # torch refuses a single value with words of its own; `StepBatchNorm.record` has better ones.
    if x.dtype == torch.float64 and x[0].numel() > x.shape[-1]:
        return _moments_as_torch_rounds(x.detach())
    rows = x.detach().flatten(1, 3).numpy()
    shape = (_slots(), rows.shape[0], rows.shape[2])
    sums, squares = np.zeros(shape), np.zeros(shape)
    share_work(lambda start, stop, slot: loops.moment_sums(start, stop, slot, rows, sums, squares), rows.shape[1])
    mean = sums.sum(axis=0) / rows.shape[1]
    var = np.maximum(squares.sum(axis=0) / rows.shape[1] - mean * mean, 0.0)
    return rows[:, 0, :] + mean, var


def _moments_as_torch_rounds(x: Tensor) -> tuple[Any, Any]:
    """Moments that torch's batch norm computes, one step after the other.

    Double precision is there to be compared with the release. torch adds up in sequence, with an error of 1e-14 that a
    better sum does not have; two updates by RMSprop make 1e-9 of the difference.
    """
    count = x[0].numel() // x.shape[-1]
    means, variances = x.new_zeros(len(x), x.shape[-1]), x.new_zeros(len(x), x.shape[-1])
    for step, mean, var in zip(x, means, variances, strict=True):
        images = step[:, 0, 0] if step.shape[1:3] == (1, 1) else step.permute(0, 3, 1, 2).contiguous()
        # With momentum 1, the running averages become the batch's mean and unbiased variance.
        functional.batch_norm(images, mean, var, training=True, momentum=1.0)
    return means.numpy(), variances.numpy() * ((count - 1) / count)


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        state: Tensor | None,
        norm: Norm | None,
        scan: Scan,
    ) -> tuple[Tensor, ...]:
        moments = layer_moments(x, norm)
        scale, shift = layer_affine(x, norm, moments)
        out, last = layer_spikes(x, scale, shift, state, scan)
        ctx.save_for_backward(x, weight, state, scale, shift)
        mean, var = keep_moments(ctx, norm, scan, moments, x.dtype)
        return out, last, mean, var  # type: ignore[return-value]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        x, weight, state, scale, shift = ctx.saved_tensors
        scan: Scan = ctx.scan
        spikes = gradients[0]
        if spikes is None:
            spikes = x.new_zeros(_out_shape(x, scan))
        to_x, to_weight, to_bias, to_state = _all_gradients(
            x, weight, scale, shift, ctx.moments, ctx.own, ctx.eps, scan, spikes.contiguous(), state, gradients[1]
        )
        return to_x, to_weight, to_bias, to_state, None, None


def keep_moments(
    ctx: Any, norm: Norm | None, scan: Scan, moments: tuple[Any, Any], dtype: torch.dtype
) -> tuple[Tensor | None, Tensor | None]:
    """Keep what the way back needs of scan and batch norm; return mean and variance (T, C) if they are the batch's own."""
    own = norm is not None and norm.mean is None
    ctx.scan, ctx.moments, ctx.own, ctx.eps = scan, moments, own, norm.eps if norm else 0.0
    if not own:
        return None, None
    mean, var = (torch.from_numpy(array).to(dtype) for array in moments)
    ctx.mark_non_differentiable(mean, var)
    return mean, var


def layer_gradients(
    x: Tensor, weight: Tensor | None, scale: Tensor, shift: Tensor, moments: tuple[Any, Any], own: bool, eps: float,
    scan: Scan, gradient: Tensor,
) -> tuple[Tensor, Tensor | None, Tensor | None]:  # fmt: skip
    """Gradients of currents, batch norm's weight and bias, from that of the spikes."""
    return _all_gradients(x, weight, scale, shift, moments, own, eps, scan, gradient, None, None)[:3]


def _all_gradients(
    x: Tensor, weight: Tensor | None, scale: Tensor, shift: Tensor, moments: tuple[Any, Any], own: bool, eps: float,
    scan: Scan, gradient: Tensor, state: Tensor | None, gradient_last: Tensor | None,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:  # fmt: skip
    to_x, to_state, sums, products = scan_gradients(
        x, scale, shift, state, moments[0], scan, gradient, gradient_last, weight is not None
    )
    to_weight, to_bias = norm_gradients(to_x, x, weight, moments, own, eps, sums, products)
    return to_x, to_weight, to_bias, to_state


def norm_gradients(
    to_x: Tensor,
    x: Tensor,
    weight: Tensor | None,
    moments: tuple[Any, Any],
    own: bool,
    eps: float,
    sums: Any,
    products: Any,
) -> tuple[Tensor | None, Tensor | None]:
    """Take the gradient of normalised currents to that of the currents, in place; return those of batch norm's weight, bias.

    `sums` and `products` (T, C) are the gradient and its product with x - mean, summed over images and pixels.
    """
    if weight is None:
        return None, None
    invstd = 1.0 / np.sqrt(moments[1] + eps)
    factor = weight.detach().numpy() * invstd
    if own:
        count = x[0].numel() // x.shape[-1]
        by_x = -factor * invstd**2 * products / count
        _norm_backward(to_x, x, moments[0], factor, by_x, -factor * sums / count)
    else:
        to_x *= torch.from_numpy(factor).to(x.dtype)[:, None, None, None]
    to_weight = torch.from_numpy((products * invstd).sum(axis=0)).to(x.dtype)
    return to_weight, torch.from_numpy(sums.sum(axis=0)).to(x.dtype)


def layer_moments(x: Tensor, norm: Norm | None) -> tuple[Any, Any]:
    """Mean and variance (T, C) that a layer is normalised by; zeros and ones without batch norm."""
    if norm is None:
        return np.zeros((len(x), x.shape[-1])), np.ones((len(x), x.shape[-1]))
    if norm.mean is None or norm.var is None:
        return batch_moments(x)
    shape = (len(x), x.shape[-1])
    return tuple(np.broadcast_to(value.detach().double().numpy(), shape) for value in (norm.mean, norm.var))  # type: ignore[return-value]


def layer_affine(x: Tensor, norm: Norm | None, moments: tuple[Any, Any]) -> tuple[Tensor, Tensor]:
    """Scale and shift (T, C), or (1, C), that normalise the currents."""
    if norm is None:
        return x.new_ones(1, x.shape[-1]), x.new_zeros(1, x.shape[-1])
    scale = norm.weight.detach().double().numpy() / np.sqrt(moments[1] + norm.eps)
    shift = norm.bias.detach().double().numpy() - moments[0] * scale
    return torch.from_numpy(scale).to(x.dtype), torch.from_numpy(shift).to(x.dtype)


def _out_shape(x: Tensor, scan: Scan) -> tuple[int, ...]:
    _, batch, height, width, channels = x.shape
    return (1 if scan.weights else scan.steps, batch, height // scan.pool, width // scan.pool, channels)


def _items(shape: tuple[int, ...]) -> int:
    return shape[1] * -(-shape[4] // loops.BLOCK)


def scan_arrays(x: Tensor, scan: Scan) -> tuple[Any, Any]:
    """Weights over time (empty if there are none) and the scalars of the compiled loops."""
    neuron = scan.neuron
    array = x.detach().numpy()
    constants = loops.neuron_constants(neuron.tau, neuron.threshold, neuron.width, scan.pool, array.dtype)
    return np.array(scan.weights or (), dtype=array.dtype), constants


def _optional(value: Tensor | None, like: Tensor) -> Any:
    """An array (B, H, W, C); an absent one has no elements, because compiled loops know no None."""
    return like.new_empty(0, 0, 0, 0).numpy() if value is None else value.detach().contiguous().numpy()


def layer_spikes(
    x: Tensor, scale: Tensor, shift: Tensor, state: Tensor | None, scan: Scan
) -> tuple[Tensor, Tensor | None]:
    """Spikes of normalised currents, pooled or weighted over time, and the last potentials if asked for."""
    shape = _out_shape(x, scan)
    out = x.new_empty(shape)
    # At an odd edge, pooling leaves neurons out; nothing ever reads their potentials.
    last = x.new_zeros(x.shape[1:]) if scan.keep_state else None
    weights, constants = scan_arrays(x, scan)
    fixed = (
        x.detach().numpy(), scale.numpy(), shift.numpy(), _optional(state, x), weights, constants,
        scan.steps, scan.pool, out.numpy(), _optional(last, x),
    )  # fmt: skip
    share_work(lambda start, stop, slot: loops.scan_forward(start, stop, *fixed), _items(shape))
    return out, last


def _chunks(x: Tensor, pool: int) -> tuple[int, ...]:
    """Sizes that `loops.scan_backward` takes: about CHUNK neurons in a row are one chunk."""
    _, batch, height, width, channels = x.shape
    if pool == 1:
        # All images' pixels are one line.
        batch, height, width = 1, 1, batch * height * width
    if channels >= loops.CHUNK:
        deep = max(size for size in range(1, loops.CHUNK + 1) if channels % size == 0)
        return batch * height, height, width, channels, pool, pool, deep
    wide = max(loops.CHUNK // (channels * pool), 1) * pool
    return batch * height, height, width, channels, pool, min(wide, max(width // pool * pool, pool)), channels


def scan_gradients(
    x: Tensor, scale: Tensor, shift: Tensor, state: Tensor | None, mean: Any, scan: Scan, gradient: Tensor,
    gradient_last: Tensor | None, collect: bool,
) -> tuple[Tensor, Tensor | None, Any, Any]:  # fmt: skip
    """Gradients of normalised currents and of the state, and what `norm_gradients` needs if `collect`."""
    odd = x.shape[2] % scan.pool or x.shape[3] % scan.pool
    to_x = torch.zeros_like(x) if odd else torch.empty_like(x)
    to_state = None if state is None else x.new_zeros(state.shape)
    weights, constants = scan_arrays(x, scan)
    shape = (_slots(), len(x), x.shape[-1]) if collect else (0, 0, 0)
    sums, products = np.zeros(shape), np.zeros(shape)
    sizes = _chunks(x, scan.pool)
    lines, _, pixels, channels, pool, wide, deep = sizes
    items = lines * -(-(pixels // pool * pool) // wide) * (channels // deep)
    fixed = (
        sizes, x.detach().flatten(1).numpy(), scale.numpy(), shift.numpy(),
        np.ascontiguousarray(mean).astype(constants.dtype), _optional(state, x).reshape(-1), weights, constants,
        SURROGATES.index(scan.neuron.surrogate), scan.steps, gradient.flatten(1).numpy(),
        _optional(gradient_last, x).reshape(-1), to_x.flatten(1).numpy(), _optional(to_state, x).reshape(-1), sums, products,
    )  # fmt: skip
    share_work(lambda start, stop, slot: loops.scan_backward(start, stop, slot, *fixed), items)
    return to_x, to_state, sums.sum(axis=0), products.sum(axis=0)


def _norm_backward(gradient: Tensor, x: Tensor, mean: Any, by_gradient: Any, by_x: Any, offset: Any) -> None:
    rows, currents = gradient.flatten(1, 3).numpy(), x.detach().flatten(1, 3).numpy()
    factors = [np.ascontiguousarray(value, dtype=rows.dtype) for value in (mean, by_gradient, by_x, offset)]
    share_work(lambda start, stop, slot: loops.norm_backward(start, stop, rows, currents, *factors), rows.shape[1])


def scan_layer(x: Tensor, norm: Norm | None, state: Tensor | None, scan: Scan) -> ScanResult:
    """Run one layer of neurons over a sequence; see `sgad.snn.kernels.dispatch.scan_layer`."""
    weight, bias = (None, None) if norm is None else (norm.weight, norm.bias)
    out, last, mean, var = _Layer.apply(x.contiguous(), weight, bias, state, norm, scan)
    return ScanResult(out, last, mean, var)
