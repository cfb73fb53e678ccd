"""Compiled loops of the CPU kernel: batch moments, the neuron scan forward and backward, batch norm's gradient.

Arrays are channels last: (T, B, H, W, C). Each loop works on a range of items, so that threads share the work by
index; sums go to one slot a thread and are added in the order of the slots, so results do not depend on timing.
Scalars come in arrays of the data's type, because numba would compute float32 with Python floats in float64.
"""

import math
from typing import Any

import numpy as np

from sgad.machine.compiled import jit

#: Neurons scanned together: their potentials stay in the first-level cache for all steps.
BLOCK = 64
#: Neurons taken back together: enough for long vector loops, few enough for the second-level cache at T = 64.
CHUNK = 1024
_jit = jit(error_model="numpy")


def neuron_constants(tau: float, threshold: float, width: float, pool: int, dtype: np.dtype[Any]) -> Any:
    """Scalars of the loops as an array of `dtype`."""
    values = [tau, threshold, 1.0, 0.0, 1.0 / (pool * pool), width / 2, math.pi / 2 * width, width, 1 / width]
    return np.array(values, dtype=dtype)


@_jit
def moment_sums(start, stop, slot, x, sums, squares):  # type: ignore[no-untyped-def]
    """Add up x - x[first row] and its square per step and channel; x is (T, R, C), sums are (slots, T, C)."""
    channels = x.shape[2]
    for t in range(x.shape[0]):
        reference = x[t, 0]
        total = sums[slot, t]
        square = squares[slot, t]
        for r in range(start, stop):
            row = x[t, r]
            for k in range(channels):
                # Shifted by a sample: without it, a large mean would drown the variance.
                d = np.float64(row[k]) - np.float64(reference[k])
                total[k] += d
                square[k] += d * d


@_jit
def scan_forward(  # type: ignore[no-untyped-def]
    start, stop, x, scale, shift, v0, weights, constants, steps, pool, out, last
):
    """Scan the neurons of items start..stop: item = (block of channels, image), images fastest."""
    tau, threshold, one, zero, share = constants[0], constants[1], constants[2], constants[3], constants[4]
    batch, rows, columns, channels = out.shape[1], out.shape[2], out.shape[3], out.shape[4]
    constant_x, constant_scale = x.shape[0] == 1, scale.shape[0] == 1
    weighted = weights.size > 0
    total = np.empty((steps, BLOCK), dtype=x.dtype)
    v = np.empty(BLOCK, dtype=x.dtype)
    for item in range(start, stop):
        b = item % batch
        c0 = (item // batch) * BLOCK
        c1 = min(c0 + BLOCK, channels)
        n = c1 - c0
        for i in range(rows):
            for j in range(columns):
                total[:] = zero
                for cell in range(pool * pool):
                    h, w = i * pool + cell // pool, j * pool + cell % pool
                    if v0.size > 0:
                        v[:n] = v0[b, h, w, c0:c1]
                    else:
                        v[:n] = zero
                    for t in range(steps):
                        current = x[0 if constant_x else t, b, h, w, c0:c1]
                        factor = scale[0 if constant_scale else t, c0:c1]
                        offset = shift[0 if constant_scale else t, c0:c1]
                        if weighted:
                            weight = weights[t]
                            row = total[0]
                        else:
                            weight = one
                            row = total[t]
                        for k in range(n):
                            y = current[k] * factor[k] + offset[k]
                            potential = v[k] + (y - v[k]) / tau
                            s = one if potential > threshold else zero
                            v[k] = potential * (one - s)
                            row[k] += s * weight
                    if last.size > 0:
                        last[b, h, w, c0:c1] = v[:n]
                for t in range(out.shape[0]):
                    target = out[t, b, i, j, c0:c1]
                    row = total[t]
                    for k in range(n):
                        target[k] = row[k] * share


@_jit
def _recompute(current, factor, offset, v, potentials, tau, threshold, one, zero):  # type: ignore[no-untyped-def]
    for k in range(v.shape[0]):
        y = current[k] * factor[k] + offset[k]
        potential = v[k] + (y - v[k]) / tau
        potentials[k] = potential
        v[k] = potential * (one - (one if potential > threshold else zero))


@_jit
def _slopes(potentials, slopes, surrogate, constants):  # type: ignore[no-untyped-def]
    """Write the surrogate derivatives of potentials to `slopes`."""
    threshold, one, zero = constants[1], constants[2], constants[3]
    half, steepness, width, inverse = constants[5], constants[6], constants[7], constants[8]
    if surrogate == 0:
        for k in range(potentials.shape[0]):
            u = steepness * (potentials[k] - threshold)
            slopes[k] = half / (one + u * u)
    elif surrogate == 1:
        for k in range(potentials.shape[0]):
            p = one / (one + np.exp(-width * (potentials[k] - threshold)))
            slopes[k] = width * p * (one - p)
    else:
        for k in range(potentials.shape[0]):
            slopes[k] = inverse if abs(potentials[k] - threshold) < half else zero


@_jit
def _pull_back(source, weight, slopes, potentials, pull, target, tau, threshold, one, zero):  # type: ignore[no-untyped-def]
    for k in range(pull.shape[0]):
        g = source[k] * weight * slopes[k] + pull[k] * (one - (one if potentials[k] > threshold else zero))
        to_current = g / tau
        target[k] = to_current
        pull[k] = g - to_current


@_jit
def _collect(gradient, x, mean, sums, products):  # type: ignore[no-untyped-def]
    for k in range(gradient.shape[0]):
        sums[k] += gradient[k]
        products[k] += gradient[k] * (x[k] - mean[k])


@_jit
def _tile(values, c0, width, tile):  # type: ignore[no-untyped-def]
    """Repeat channels c0 .. c0 + width of values (T, C) along the pixels of a chunk."""
    for t in range(values.shape[0]):
        for k in range(tile.shape[1]):
            tile[t, k] = values[t, c0 + k % width]


@_jit
def _fold(tiles, c0, width, target):  # type: ignore[no-untyped-def]
    """Add what a chunk's pixels collected to its channels, and begin anew."""
    for t in range(tiles.shape[0]):
        for k in range(tiles.shape[1]):
            target[t, c0 + k % width] += tiles[t, k]
            tiles[t, k] = 0.0


@_jit
def scan_backward(  # type: ignore[no-untyped-def]
    start,
    stop,
    slot,
    sizes,
    x,
    scale,
    shift,
    mean,
    v0,
    weights,
    constants,
    surrogate,
    steps,
    gradient,
    gradient_last,
    to_x,
    to_v0,
    sums,
    products,
):
    """Take the gradient of the pooled or weighted spikes back to the normalised currents.

    The potentials are computed again instead of stored. `sums` and `products` (slots, T, C) collect the gradient and
    its product with x - mean, which batch norm's own gradient needs. All sequences come flat, (T, B * H * W * C);
    `sizes` is (lines, height, pixels, channels, pool, pixels a chunk, channels a chunk): lines = B * H. Items are
    chunks of pixels x channels that lie side by side in memory, channels slowest.
    """
    lines, height, pixels, channels, pool, wide, deep = sizes
    tau, threshold, one, zero, share = constants[0], constants[1], constants[2], constants[3], constants[4]
    constant_x = x.shape[0] == 1
    used_pixels, used_height = pixels // pool * pool, height // pool * pool
    groups = (used_pixels + wide - 1) // wide
    size = wide * deep
    potentials, slopes = np.empty((steps, size), dtype=x.dtype), np.empty(size, dtype=x.dtype)
    v, pull, spread = np.empty(size, dtype=x.dtype), np.empty(size, dtype=x.dtype), np.empty(size, dtype=x.dtype)
    collected, scratch = np.empty(size, dtype=x.dtype), np.empty(size, dtype=x.dtype)
    factors, offsets = np.empty((len(scale), size), dtype=x.dtype), np.empty((len(scale), size), dtype=x.dtype)
    means = np.empty((len(mean), size), dtype=x.dtype)
    sum_tile, product_tile = np.zeros((len(mean), size)), np.zeros((len(mean), size))
    c0 = -1
    for item in range(start, stop):
        depth = item // (lines * groups)
        line = item // groups % lines
        w0 = item % groups * wide
        if depth * deep != c0:
            if c0 >= 0 and sums.size > 0:
                _fold(sum_tile, c0, deep, sums[slot])
                _fold(product_tile, c0, deep, products[slot])
            c0 = depth * deep
            _tile(scale, c0, deep, factors)
            _tile(shift, c0, deep, offsets)
            _tile(mean, c0, deep, means)
        if line % height >= used_height:
            continue
        n = min(wide, used_pixels - w0) * deep
        first = (line * pixels + w0) * channels + c0
        source_line = line // height * (height // pool) + line % height // pool
        source_first = (source_line * (pixels // pool) + w0 // pool) * channels + c0
        if v0.size > 0:
            v[:n] = v0[first : first + n]
        else:
            v[:n] = zero
        for t in range(steps):
            ts = t if len(scale) > 1 else 0
            _recompute(
                x[0 if constant_x else t, first : first + n],
                factors[ts],
                offsets[ts],
                v[:n],
                potentials[t],
                tau,
                threshold,
                one,
                zero,
            )
        if gradient_last.size > 0:
            pull[:n] = gradient_last[first : first + n]
        else:
            pull[:n] = zero
        collected[:n] = zero
        for back in range(steps):
            t = steps - 1 - back
            _slopes(potentials[t, :n], slopes, surrogate, constants)
            weight = weights[t] * share if weights.size > 0 else share
            source = gradient[0 if weights.size > 0 else t]
            if pool == 1:
                incoming = source[source_first : source_first + n]
            else:
                incoming = spread[:n]
                for p in range(n // deep):
                    place = source_first + p // pool * channels
                    incoming[p * deep : (p + 1) * deep] = source[place : place + deep]
            target = scratch[:n] if constant_x else to_x[t, first : first + n]
            _pull_back(incoming, weight, slopes, potentials[t], pull[:n], target, tau, threshold, one, zero)
            if constant_x:
                for k in range(n):
                    collected[k] += target[k]
            elif sums.size > 0:
                _collect(target, x[t, first : first + n], means[t], sum_tile[t], product_tile[t])
        if constant_x:
            to_x[0, first : first + n] = collected[:n]
            if sums.size > 0:
                _collect(collected[:n], x[0, first : first + n], means[0], sum_tile[0], product_tile[0])
        if to_v0.size > 0:
            to_v0[first : first + n] = pull[:n]
    if c0 >= 0 and sums.size > 0:
        _fold(sum_tile, c0, deep, sums[slot])
        _fold(product_tile, c0, deep, products[slot])


@_jit
def norm_backward(start, stop, gradient, x, mean, by_gradient, by_x, offset):  # type: ignore[no-untyped-def]
    """Turn the gradient of normalised currents into that of the currents, in place; arrays (T, R, C), rows start..stop."""
    for t in range(x.shape[0]):
        a, b, c, m = by_gradient[t], by_x[t], offset[t], mean[t]
        for r in range(start, stop):
            g = gradient[t, r]
            row = x[t, r]
            for k in range(x.shape[2]):
                g[k] = a[k] * g[k] + b[k] * (row[k] - m[k]) + c[k]
