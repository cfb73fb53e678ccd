"""Compiled loops of the CPU kernel: batch moments, the neuron scan forward and backward, batch norm's gradient.

Arrays are channels last: (T, B, H, W, C). Each loop works on a range of items, so that threads share the work by
index; sums go to one slot a thread and are added in the order of the slots, so results do not depend on timing.
Scalars come in arrays of the data's type, because numba would compute float32 with Python floats in float64.
"""

import math
from typing import Any

import numpy as np
from numba import njit

#: Neurons scanned together: their potentials stay in the first-level cache for all steps.
BLOCK = 64
_jit: Any = njit(nogil=True, cache=True, error_model="numpy")


def neuron_constants(tau: float, threshold: float, width: float, pool: int, dtype: np.dtype[Any]) -> Any:
    """Return the scalars of the loops as an array of `dtype`."""
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
def _surrogate(potentials, slopes, n, surrogate, constants):  # type: ignore[no-untyped-def]
    """Write the surrogate derivative of n potentials to `slopes`."""
    threshold, one, zero = constants[1], constants[2], constants[3]
    half, steepness, width, inverse = constants[5], constants[6], constants[7], constants[8]
    if surrogate == 0:
        for k in range(n):
            u = steepness * (potentials[k] - threshold)
            slopes[k] = half / (one + u * u)
    elif surrogate == 1:
        for k in range(n):
            p = one / (one + np.exp(-width * (potentials[k] - threshold)))
            slopes[k] = width * p * (one - p)
    else:
        for k in range(n):
            slopes[k] = inverse if abs(potentials[k] - threshold) < half else zero


@_jit
def scan_backward(  # type: ignore[no-untyped-def]
    start, stop, slot, x, scale, shift, mean, v0, weights, constants, surrogate, steps, pool, gradient, gradient_last,
    to_x, to_v0, sums, products,
):
    """Take the gradient of the pooled or weighted spikes back to the normalised currents.

    The potentials are computed again instead of stored. `sums` and `products` (slots, T, C) collect the gradient and
    its product with x - mean, which batch norm's own gradient needs.
    """
    tau, threshold, one, zero, share = constants[0], constants[1], constants[2], constants[3], constants[4]
    batch, rows, columns, channels = gradient.shape[1], gradient.shape[2], gradient.shape[3], gradient.shape[4]
    constant_x, constant_scale = x.shape[0] == 1, scale.shape[0] == 1
    weighted = weights.size > 0
    potentials = np.empty((steps, BLOCK), dtype=x.dtype)
    slopes = np.empty(BLOCK, dtype=x.dtype)
    v = np.empty(BLOCK, dtype=x.dtype)
    pull = np.empty(BLOCK, dtype=x.dtype)
    collected = np.empty(BLOCK, dtype=x.dtype)
    for item in range(start, stop):
        b = item % batch
        c0 = (item // batch) * BLOCK
        c1 = min(c0 + BLOCK, channels)
        n = c1 - c0
        for i in range(rows):
            for j in range(columns):
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
                        kept = potentials[t]
                        for k in range(n):
                            y = current[k] * factor[k] + offset[k]
                            potential = v[k] + (y - v[k]) / tau
                            s = one if potential > threshold else zero
                            kept[k] = potential
                            v[k] = potential * (one - s)
                    if gradient_last.size > 0:
                        pull[:n] = gradient_last[b, h, w, c0:c1]
                    else:
                        pull[:n] = zero
                    collected[:n] = zero
                    for back in range(steps):
                        t = steps - 1 - back
                        kept = potentials[t]
                        _surrogate(kept, slopes, n, surrogate, constants)
                        weight = weights[t] * share if weighted else share
                        source = gradient[0 if weighted else t, b, i, j, c0:c1]
                        target = collected if constant_x else to_x[t, b, h, w, c0:c1]
                        for k in range(n):
                            s = one if kept[k] > threshold else zero
                            g = source[k] * weight * slopes[k] + pull[k] * (one - s)
                            to_current = g / tau
                            pull[k] = g - to_current
                            if constant_x:
                                target[k] += to_current
                            else:
                                target[k] = to_current
                        if not constant_x and sums.size > 0:
                            _collect(target, x[t, b, h, w, c0:c1], mean[t, c0:c1], sums[slot, t, c0:c1],
                                     products[slot, t, c0:c1], n)
                    if constant_x:
                        to_x[0, b, h, w, c0:c1] = collected[:n]
                        if sums.size > 0:
                            _collect(collected, x[0, b, h, w, c0:c1], mean[0, c0:c1], sums[slot, 0, c0:c1],
                                     products[slot, 0, c0:c1], n)
                    if to_v0.size > 0:
                        to_v0[b, h, w, c0:c1] = pull[:n]


@_jit
def _collect(gradient, x, mean, sums, products, n):  # type: ignore[no-untyped-def]
    for k in range(n):
        sums[k] += gradient[k]
        products[k] += gradient[k] * (x[k] - mean[k])


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
