"""Compiled loops for a transposed convolution of spikes: few are 1, and adding their weights beats a dense product."""

from numba.misc.special import literally

from sgad.machine.compiled import jit
from sgad.snn.kernels.periodic_loops import add

#: Output channels worked on together; numbers of channels that are no multiple of it take the dense product.
LANES = 32
_jit = jit(error_model="numpy")


@_jit
def list_spikes(start, stop, spikes, counts, listed):  # type: ignore[no-untyped-def]
    """List the channels that fire at each pixel of images start..stop; spikes (N, P, C), counts (N, P), listed (N, P, C)."""
    for n in range(start, stop):
        for p in range(spikes.shape[1]):
            found = listed[n, p]
            count = 0
            for c in range(spikes.shape[2]):
                # Written always, counted if it fires: no branch to guess wrong.
                found[count] = c
                count += 1 if spikes[n, p, c] != 0 else 0
            counts[n, p] = count


@_jit
def add_rows(target, weights, found, start, stop, lanes):  # type: ignore[no-untyped-def]
    """Add the rows of `weights` (C, n, lanes) that found[start:stop] names to target (n, lanes)."""
    # Compiled for this number of lanes: where rows are short, a third of the time of loops that look for their end.
    literally(lanes)
    index = start
    while index + 4 <= stop:
        one, two = weights[found[index]], weights[found[index + 1]]
        three, four = weights[found[index + 2]], weights[found[index + 3]]
        for j in range(target.shape[0]):
            for k in range(lanes):
                target[j, k] += (one[j, k] + two[j, k]) + (three[j, k] + four[j, k])
        index += 4
    for rest in range(index, stop):
        one = weights[found[rest]]
        for j in range(target.shape[0]):
            for k in range(lanes):
                target[j, k] += one[j, k]


@_jit
def upconvolution_forward(start, stop, counts, listed, taps, bias, width, out):  # type: ignore[no-untyped-def]
    """4x4, stride 2, padding 1: images start..stop; input pixel p = row * W + column.

    The output channels come as (O / LANES, LANES): taps (16, C, ...), bias (...), out (N, 2H, 2W, ...).
    """
    height = counts.shape[1] // width
    for n in range(start, stop):
        for y in range(2 * height):
            for x in range(2 * width):
                target = out[n, y, x]
                for group in range(bias.shape[0]):
                    for k in range(LANES):
                        target[group, k] = bias[group, k]
                # Pixel (2i + kh - 1, 2j + kw - 1) collects input (i, j) times tap (kh, kw).
                for half in range(4):
                    kh, kw = (y + 1) % 2 + 2 * (half // 2), (x + 1) % 2 + 2 * (half % 2)
                    i, j = (y + 1 - kh) // 2, (x + 1 - kw) // 2
                    if 0 <= i < height and 0 <= j < width:
                        p = i * width + j
                        add_rows(target, taps[kh * 4 + kw], listed[n, p], 0, counts[n, p], LANES)


@_jit
def upconvolution_weight_gradient(start, stop, counts, listed, gradient, width, to_taps):  # type: ignore[no-untyped-def]
    """Gradient of taps start..stop; gradient (N, 2H, 2W, O), to_taps (16, C, O)."""
    height = counts.shape[1] // width
    for tap in range(start, stop):
        kh, kw = tap // 4, tap % 4
        weights = to_taps[tap]
        for n in range(counts.shape[0]):
            for p in range(counts.shape[1]):
                y, x = 2 * (p // width) + kh - 1, 2 * (p % width) + kw - 1
                if 0 <= y < 2 * height and 0 <= x < 2 * width:
                    source = gradient[n, y, x]
                    found = listed[n, p]
                    for index in range(counts[n, p]):
                        add(weights[found[index]], source)
