"""Compiled loops of the CUDA kernel: batch moments, one layer of neurons forward and backward, batch norm's gradient.

Arrays are channels last and contiguous: currents (T, B, H, W, C). A program of `layer_forward` and `layer_backward` has one
tile of neurons, (cells of a pool, pixels after pooling, channels), for all steps; pointers move on by one step a round.
Sums go to one slot a program and are added in the order of the slots, so results do not depend on timing. The
neuron's constants are compiled in: as arguments they would be rounded to float32.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, assignment"

from typing import Any

import triton
import triton.language as tl

_jit: Any = triton.jit


@_jit
def batch_moments(x, means, squares, rows, channels, chunk, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Write mean and sum of squared deviations of each `chunk` of rows, for x (T, rows, C), to (chunks, T, C)."""
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    step, steps = tl.program_id(2), tl.num_programs(2)
    first = tl.program_id(0) * chunk
    last = tl.minimum(first + chunk, rows)
    x += step.to(tl.int64) * rows * channels
    mean = tl.zeros((CHANNELS,), x.dtype.element_ty)
    square = tl.zeros((CHANNELS,), x.dtype.element_ty)
    start = first
    while start < last:
        row = start + tl.arange(0, ROWS)
        inside = (row < last)[:, None] & (channel < channels)[None, :]
        values = tl.load(x + row.to(tl.int64)[:, None] * channels + channel[None, :], mask=inside, other=0.0)
        count = tl.minimum(last - start, ROWS).to(values.dtype)
        own = tl.sum(values, axis=0) / count
        away = tl.where(inside, values - own[None, :], 0.0)
        # Chan et al. 1983: moments of parts, put together without cancellation.
        before = (start - first).to(values.dtype)
        apart = own - mean
        mean += apart * (count / (before + count))
        square += tl.sum(away * away, axis=0) + apart * apart * (before * count / (before + count))
        start += ROWS
    place = (tl.program_id(0) * steps + step) * channels + channel
    tl.store(means + place, mean, mask=channel < channels)
    tl.store(squares + place, square, mask=channel < channels)


@_jit
def join_moments(
    means, squares, weight, bias, mean, var, scale, shift, rows, channels, chunk, chunks,
    eps: tl.constexpr, CHUNKS: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """Put the chunks' moments (chunks, T, C) together: mean, biased variance, and batch norm's scale and shift (T, C)."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    step, steps = tl.program_id(1), tl.num_programs(1)
    number = tl.arange(0, CHUNKS)
    inside = (number < chunks)[:, None] & (channel < channels)[None, :]
    place = (number[:, None] * steps + step) * channels + channel[None, :]
    parts = tl.load(means + place, mask=inside, other=0.0)
    counts = tl.where(number < chunks, tl.minimum(rows - number * chunk, chunk), 0).to(parts.dtype)
    total = tl.sum(counts, axis=0)
    joint = tl.sum(parts * (counts / total)[:, None], axis=0)
    away = parts - joint[None, :]
    spread = tl.load(squares + place, mask=inside, other=0.0) + counts[:, None] * away * away
    own = tl.sum(spread, axis=0) / total
    known = channel < channels
    factor = tl.load(weight + channel, mask=known, other=0.0) / tl.sqrt(own + eps)
    place = step * channels + channel
    tl.store(mean + place, joint, mask=known)
    tl.store(var + place, own, mask=known)
    tl.store(scale + place, factor, mask=known)
    tl.store(shift + place, tl.load(bias + channel, mask=known, other=0.0) - joint * factor, mask=known)


@_jit
def _tile(batch, height, width, channels, POOL: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr):
    """Places and masks of a program's neurons (cells, pixels, channels) and of what they are pooled to, and its channels."""
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    # Rounded up: what pooling drops at an odd edge are neurons all the same.
    down, across = (height + POOL - 1) // POOL, (width + POOL - 1) // POOL
    image, row, column = pixel // (down * across), (pixel // across) % down, pixel % across
    cell = tl.arange(0, POOL * POOL)[:, None]
    y, x = row[None, :] * POOL + cell // POOL, column[None, :] * POOL + cell % POOL
    exists = (image < batch)[None, :] & (y < height) & (x < width)
    start = ((image.to(tl.int64)[None, :] * height + y) * width + x) * channels
    place = start[:, :, None] + channel[None, None, :]
    inside = exists[:, :, None] & (channel < channels)[None, None, :]
    short, narrow = height // POOL, width // POOL
    is_pooled = ((image < batch) & (row < short) & (column < narrow))[:, None] & (channel < channels)[None, :]
    pooled = ((image.to(tl.int64) * short + row) * narrow + column)[:, None] * channels + channel[None, :]
    return place, inside, pooled, is_pooled, channel


@_jit
def _potential(x, scale, shift, v, place, inside, channel, channels, tau: tl.constexpr, NORMED: tl.constexpr):
    """Potentials before the reset, after one more step of currents."""
    y = tl.load(x + place, mask=inside, other=0.0)
    if NORMED:
        known = channel < channels
        factor = tl.load(scale + channel, mask=known, other=0.0)
        offset = tl.load(shift + channel, mask=known, other=0.0)
        y = y * factor[None, None, :] + offset[None, None, :]
    return v + (y - v) / tau


@_jit
def _fired(h, threshold: tl.constexpr):
    # A comparison with the threshold itself would round it to float32, whatever h is.
    return (h - threshold > 0.0).to(h.dtype)


@_jit
def _slope(u, width: tl.constexpr, KIND: tl.constexpr):
    """The surrogate derivative at a potential u above the threshold; KIND counts `sgad.snn.surrogate.SURROGATES`."""
    if KIND == 0:
        slope = u * (1.5707963267948966 * width)
        return (width / 2.0) / (1.0 + slope * slope)
    elif KIND == 1:
        p = 1.0 / (1.0 + tl.exp(-width * u))
        return p * (1.0 - p) * width
    else:
        return (tl.abs(u) - width / 2.0 < 0.0).to(u.dtype) / width


@_jit
def layer_forward(
    x, scale, shift, v0, weights, spikes, last, batch, height, width, channels, steps, x_stride, norm_stride, out_stride,
    tau: tl.constexpr, threshold: tl.constexpr, NORMED: tl.constexpr, STATEFUL: tl.constexpr, KEEP: tl.constexpr,
    WEIGHTED: tl.constexpr, POOL: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """Normalise, scan and pool: spikes (T, B, H / POOL, W / POOL, C), or their weighted sum over time."""
    place, inside, pooled, is_pooled, channel = _tile(batch, height, width, channels, POOL, PIXELS, CHANNELS)
    v = tl.zeros((POOL * POOL, PIXELS, CHANNELS), x.dtype.element_ty)
    if STATEFUL:
        v = tl.load(v0 + place, mask=inside, other=0.0)
    total = tl.zeros((PIXELS, CHANNELS), x.dtype.element_ty)
    for _ in range(steps):
        h = _potential(x, scale, shift, v, place, inside, channel, channels, tau, NORMED)
        s = _fired(h, threshold)
        v = h * (1.0 - s)
        share = tl.sum(s, axis=0) * (1.0 / (POOL * POOL))
        if WEIGHTED:
            total += share * tl.load(weights)
            weights += 1
        else:
            tl.store(spikes + pooled, share.to(spikes.dtype.element_ty), mask=is_pooled)
            spikes += out_stride
        x += x_stride
        scale += norm_stride
        shift += norm_stride
    if WEIGHTED:
        tl.store(spikes + pooled, total, mask=is_pooled)
    if KEEP:
        tl.store(last + place, v, mask=inside)


@_jit
def _gradient(
    h, pull, to_spikes, weights, pooled, is_pooled,
    threshold: tl.constexpr, width: tl.constexpr, KIND: tl.constexpr, WEIGHTED: tl.constexpr, POOL: tl.constexpr
):  # fmt: skip
    """The gradient with respect to the potentials h of one step; `pull` comes from the step after it."""
    g = tl.load(to_spikes + pooled, mask=is_pooled, other=0.0).to(h.dtype) * (1.0 / (POOL * POOL))
    if WEIGHTED:
        g *= tl.load(weights)
    return g[None, :, :] * _slope(h - threshold, width, KIND) + pull * (1.0 - _fired(h, threshold))


@_jit
def _give_back(
    to_y, x, scale, mean, to_x, sums, row, rows, place, inside, channel, channels,
    NORMED: tl.constexpr, FIXED: tl.constexpr
):  # fmt: skip
    """Write the gradient of one row of currents, and with batch norm its sums a channel; `sums` is (programs, 2, rows, C)."""
    if NORMED:
        known = channel < channels
        centre = tl.load(mean + channel, mask=known, other=0.0)
        away = tl.load(x + place, mask=inside, other=0.0) - centre[None, None, :]
        slot = (tl.program_id(0).to(tl.int64) * 2 * rows + row) * channels + channel
        # What is outside the array has no gradient: its potentials count for nothing.
        own = tl.where(inside, to_y, 0.0)
        tl.store(sums + slot, tl.sum(tl.sum(own, axis=0), axis=0), mask=known)
        products = tl.sum(tl.sum(own * away, axis=0), axis=0)
        tl.store(sums + slot + rows * channels, products, mask=known)
        if FIXED:
            to_y = to_y * tl.load(scale + channel, mask=known, other=0.0)[None, None, :]
    tl.store(to_x + place, to_y, mask=inside)


@_jit
def layer_backward(
    x, scale, shift, mean, v0, weights, to_spikes, to_last, potentials, to_x, to_v0, sums,
    batch, height, width, channels, steps, count, x_stride, to_x_stride, norm_stride, mean_stride, out_stride,
    tau: tl.constexpr, threshold: tl.constexpr, surrogate_width: tl.constexpr, KIND: tl.constexpr,
    NORMED: tl.constexpr, FIXED: tl.constexpr, STATEFUL: tl.constexpr, KEEP: tl.constexpr, WEIGHTED: tl.constexpr,
    CONSTANT: tl.constexpr, UNROLLED: tl.constexpr, POOL: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """Take gradients back to the normalised currents, or through fixed statistics to the currents, and sum them a channel.

    With UNROLLED steps (0: none) the potentials stay in registers; else `potentials` (T, B, H, W, C) holds them, which may
    be `to_x` where that has all steps. CONSTANT currents (1, B, H, W, C) get the sum of the gradients over time.
    """
    place, inside, pooled, is_pooled, channel = _tile(batch, height, width, channels, POOL, PIXELS, CHANNELS)
    v = tl.zeros((POOL * POOL, PIXELS, CHANNELS), x.dtype.element_ty)
    pull = tl.zeros((POOL * POOL, PIXELS, CHANNELS), x.dtype.element_ty)
    total = tl.zeros((POOL * POOL, PIXELS, CHANNELS), x.dtype.element_ty)
    if STATEFUL:
        v = tl.load(v0 + place, mask=inside, other=0.0)
    if KEEP:
        pull = tl.load(to_last + place, mask=inside, other=0.0)
    if UNROLLED > 0:
        held = ()
        for _ in tl.static_range(UNROLLED):
            h = _potential(x, scale, shift, v, place, inside, channel, channels, tau, NORMED)
            v = h * (1.0 - _fired(h, threshold))
            held = held + (h,)  # noqa: RUF005 (Triton knows no unpacking)
            x, scale, shift, mean = x + x_stride, scale + norm_stride, shift + norm_stride, mean + mean_stride
            to_x, to_spikes, weights = to_x + to_x_stride, to_spikes + out_stride, weights + 1
        for back in tl.static_range(UNROLLED):
            x, scale, mean = x - x_stride, scale - norm_stride, mean - mean_stride
            to_x, to_spikes, weights = to_x - to_x_stride, to_spikes - out_stride, weights - 1
            h = held[UNROLLED - 1 - back]
            g = _gradient(
                h, pull, to_spikes, weights, pooled, is_pooled, threshold, surrogate_width, KIND, WEIGHTED, POOL
            )
            pull = g - g / tau
            if CONSTANT:
                total += g / tau
            else:
                _give_back(
                    g / tau, x, scale, mean, to_x, sums, UNROLLED - 1 - back, UNROLLED, place, inside, channel,
                    channels, NORMED, FIXED,
                )  # fmt: skip
    else:
        for _ in range(steps):
            h = _potential(x, scale, shift, v, place, inside, channel, channels, tau, NORMED)
            v = h * (1.0 - _fired(h, threshold))
            tl.store(potentials + place, h, mask=inside)
            x, scale, shift, mean = x + x_stride, scale + norm_stride, shift + norm_stride, mean + mean_stride
            to_x, to_spikes, weights = to_x + to_x_stride, to_spikes + out_stride, weights + 1
            potentials += count
        # Loads need not be laid out over threads as the stores were: without this, some would come too soon.
        tl.debug_barrier()
        left = steps
        for _ in range(steps):
            x, scale, mean = x - x_stride, scale - norm_stride, mean - mean_stride
            to_x, to_spikes, weights = to_x - to_x_stride, to_spikes - out_stride, weights - 1
            potentials -= count
            left -= 1
            h = tl.load(potentials + place, mask=inside, other=0.0)
            # The gradient may take the potentials' place.
            tl.debug_barrier()
            g = _gradient(
                h, pull, to_spikes, weights, pooled, is_pooled, threshold, surrogate_width, KIND, WEIGHTED, POOL
            )
            pull = g - g / tau
            if CONSTANT:
                total += g / tau
            else:
                _give_back(
                    g / tau, x, scale, mean, to_x, sums, left, steps, place, inside, channel, channels, NORMED, FIXED
                )
    if CONSTANT:
        _give_back(total, x, scale, mean, to_x, sums, 0, 1, place, inside, channel, channels, NORMED, FIXED)
    if STATEFUL:
        tl.store(to_v0 + place, pull, mask=inside)


@_jit
def norm_coefficients(
    sums, var, to_weight, to_bias, offset, slope, rows, channels, count, stat_stride,
    eps: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """Gradients of batch norm's weight and bias (C,), and what `norm_backward` takes off, from sums (2, rows, C)."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    known = channel < channels
    weight = tl.zeros((CHANNELS,), var.dtype.element_ty)
    bias = tl.zeros((CHANNELS,), var.dtype.element_ty)
    for _ in range(rows):
        inverse = 1.0 / (tl.load(var + channel, mask=known, other=1.0) + eps)
        total = tl.load(sums + channel, mask=known, other=0.0)
        product = tl.load(sums + rows * channels + channel, mask=known, other=0.0)
        bias += total
        weight += product * tl.sqrt(inverse)
        tl.store(offset + channel, total / count, mask=known)
        tl.store(slope + channel, product * inverse / count, mask=known)
        var += stat_stride
        sums += channels
        offset += channels
        slope += channels
    tl.store(to_weight + channel, weight, mask=known)
    tl.store(to_bias + channel, bias, mask=known)


@_jit
def norm_backward(to_x, x, mean, scale, offset, slope, rows, channels, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Take gradients (T, rows, C) back through the batch's own statistics, in place."""
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    step = tl.program_id(2)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    known = channel < channels
    inside = (row < rows)[:, None] & known[None, :]
    place = (step.to(tl.int64) * rows + row)[:, None] * channels + channel[None, :]
    own = step * channels + channel
    away = tl.load(x + place, mask=inside, other=0.0) - tl.load(mean + own, mask=known, other=0.0)[None, :]
    g = tl.load(to_x + place, mask=inside, other=0.0) - tl.load(offset + own, mask=known, other=0.0)[None, :]
    g -= away * tl.load(slope + own, mask=known, other=0.0)[None, :]
    tl.store(to_x + place, g * tl.load(scale + own, mask=known, other=0.0)[None, :], mask=inside)
