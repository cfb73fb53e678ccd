"""Compiled loops for spikes that repeat: what follows a layer of neurons whose current is the same at every step.

Such a neuron starts each period at exactly 0, so it fires at steps p, 2p, 3p, ... of one period p, or never. Its T spikes
are one number, and of T products of weights and spikes only one is left: y[t] is the sum over all p that divide t of z[p],
where z[p] adds up the weights of the neurons with period p.

Neurons that fire are listed by cell (what is pooled together): entry = channel * 256 + period, at most 255.
"""

from typing import Any

import numpy as np

from sgad.machine.compiled import jit

#: Output features of a linear layer worked on together, so that their weights stay in the second-level cache.
TILE = 128
_jit = jit(error_model="numpy")


def divisors(steps: int) -> tuple[Any, Any]:
    """Divisors as (starts, flat list): flat[starts[t] : starts[t + 1]] are the p - 1 for all p that divide t + 1."""
    lists = [[p - 1 for p in range(1, t + 2) if (t + 1) % p == 0] for t in range(steps)]
    starts = np.cumsum([0, *(len(found) for found in lists)])
    return starts, np.array([p for found in lists for p in found], dtype=np.int64)


@_jit
def add(target, row):  # type: ignore[no-untyped-def]
    """target += row."""
    for k in range(target.shape[0]):
        target[k] += row[k]


@_jit
def add_scaled(target, row, factor):  # type: ignore[no-untyped-def]
    """target += factor * row."""
    for k in range(target.shape[0]):
        target[k] += factor * row[k]


@_jit
def _advance(current, factor, offset, v, period, t, tau, threshold, one, zero):  # type: ignore[no-untyped-def]
    for k in range(v.shape[0]):
        y = current[k] * factor[k] + offset[k]
        potential = v[k] + (y - v[k]) / tau
        if potential > threshold and period[k] == 0:
            period[k] = t
        v[k] = potential * (one if potential <= threshold else zero)


@_jit
def list_periods(start, stop, x, scale, shift, constants, steps, pool, counts, entries):  # type: ignore[no-untyped-def]
    """List the firing neurons of images start..stop; x (B, H, W, C), counts (B, H/p, W/p), entries (B, H/p, W/p, p*p*C)."""
    tau, threshold, one, zero = constants[0], constants[1], constants[2], constants[3]
    channels = x.shape[3]
    v = np.empty(channels, dtype=x.dtype)
    period = np.empty(channels, dtype=np.int32)
    for b in range(start, stop):
        for i in range(counts.shape[1]):
            for j in range(counts.shape[2]):
                found = entries[b, i, j]
                count = 0
                for cell in range(pool * pool):
                    current = x[b, i * pool + cell // pool, j * pool + cell % pool]
                    v[:] = zero
                    period[:] = 0
                    for t in range(1, steps + 1):
                        _advance(current, scale, shift, v, period, t, tau, threshold, one, zero)
                    for k in range(channels):
                        if period[k] > 0:
                            found[count] = k * 256 + period[k]
                            count += 1
                counts[b, i, j] = count


@_jit
def _spread(z, starts, flat, bias, share, t, target):  # type: ignore[no-untyped-def]
    """target = bias + share * sum of z[p] over all p that divide t."""
    target[:] = bias
    for index in range(starts[t], starts[t + 1]):
        add_scaled(target, z[flat[index]], share)


@_jit
def linear_forward(start, stop, counts, entries, weight, bias, starts, flat, share, out):  # type: ignore[no-untyped-def]
    """Linear layer on listed spikes, tiles start..stop; counts (B,), entries (B, C), weight (O, C), out (T, B, O)."""
    steps, batch, outputs = out.shape
    # Loops run over whole tiles, whose length is known at compile time; what is beyond the outputs is not handed on.
    tile, tile_bias = np.zeros((weight.shape[1], TILE), dtype=out.dtype), np.zeros(TILE, dtype=out.dtype)
    z, total = np.empty((steps, TILE), dtype=out.dtype), np.empty(TILE, dtype=out.dtype)
    for part in range(start, stop):
        first = part * TILE
        n = min(TILE, outputs - first)
        for o in range(n):
            tile_bias[o] = bias[first + o]
            for c in range(weight.shape[1]):
                tile[c, o] = weight[first + o, c]
        for b in range(batch):
            for t in range(steps):
                for k in range(TILE):
                    z[t, k] = share - share
            for index in range(counts[b]):
                entry = entries[b, index]
                period, row = z[entry % 256 - 1], tile[entry // 256]
                for k in range(TILE):
                    period[k] += row[k]
            for t in range(steps):
                for k in range(TILE):
                    total[k] = tile_bias[k]
                for index in range(starts[t], starts[t + 1]):
                    period = z[flat[index]]
                    for k in range(TILE):
                        total[k] += share * period[k]
                target = out[t, b, first : first + n]
                for k in range(n):
                    target[k] = total[k]


@_jit
def linear_weight_gradient(start, stop, counts, entries, gradient, starts, flat, share, to_weight):  # type: ignore[no-untyped-def]
    """Gradient of `linear_forward`'s weight, tiles start..stop; gradient (T, B, O), to_weight (O, C)."""
    steps, batch, outputs = gradient.shape
    tile = np.empty((to_weight.shape[1], TILE), dtype=gradient.dtype)
    z = np.empty((steps, TILE), dtype=gradient.dtype)
    for part in range(start, stop):
        first = part * TILE
        n = min(TILE, outputs - first)
        tile[:] = share - share
        for b in range(batch):
            z[:] = share - share
            for t in range(steps):
                for index in range(starts[t], starts[t + 1]):
                    add_scaled(z[flat[index], :n], gradient[t, b, first : first + n], share)
            for index in range(counts[b]):
                entry = entries[b, index]
                row, period = tile[entry // 256], z[entry % 256 - 1]
                for k in range(TILE):
                    row[k] += period[k]
        for o in range(n):
            for c in range(to_weight.shape[1]):
                to_weight[first + o, c] = tile[c, o]


@_jit
def convolution_forward(start, stop, counts, entries, taps, kernel, bias, starts, flat, share, out):  # type: ignore[no-untyped-def]
    """Convolution of listed spikes, images start..stop; taps (kernel * kernel, C, O), out (T, B, H, W, O)."""
    steps, _, height, width, outputs = out.shape
    z = np.empty((steps, outputs), dtype=out.dtype)
    for b in range(start, stop):
        for i in range(height):
            for j in range(width):
                z[:] = share - share
                for tap in range(kernel * kernel):
                    weights = taps[tap]
                    h, w = i + tap // kernel, j + tap % kernel
                    found = entries[b, h, w]
                    for index in range(counts[b, h, w]):
                        entry = found[index]
                        add(z[entry % 256 - 1], weights[entry // 256])
                for t in range(steps):
                    _spread(z, starts, flat, bias, share, t, out[t, b, i, j])


@_jit
def convolution_weight_gradient(  # type: ignore[no-untyped-def]
    start, stop, counts, entries, gradient, kernel, starts, flat, share, to_taps
):
    """Gradient of `convolution_forward`'s taps start..stop; gradient (T, B, H, W, O), to_taps as taps."""
    steps, batch, height, width, outputs = gradient.shape
    z = np.empty((steps, outputs), dtype=gradient.dtype)
    for b in range(batch):
        for i in range(height):
            for j in range(width):
                z[:] = share - share
                for t in range(steps):
                    for index in range(starts[t], starts[t + 1]):
                        add_scaled(z[flat[index]], gradient[t, b, i, j], share)
                for tap in range(start, stop):
                    weights = to_taps[tap]
                    h, w = i + tap // kernel, j + tap % kernel
                    found = entries[b, h, w]
                    for index in range(counts[b, h, w]):
                        entry = found[index]
                        add(weights[entry // 256], z[entry % 256 - 1])
