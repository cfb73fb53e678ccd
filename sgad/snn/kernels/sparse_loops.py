"""Compiled loops for a transposed convolution of spikes: few are 1, and adding their weights beats a dense product."""

from typing import Any

from numba import njit

from sgad.snn.kernels.periodic_loops import add

_jit: Any = njit(nogil=True, cache=True, error_model="numpy")


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
def _add_four(target, one, two, three, four):  # type: ignore[no-untyped-def]
    for k in range(target.shape[0]):
        target[k] += (one[k] + two[k]) + (three[k] + four[k])


@_jit
def add_listed(target, weights, found, count):  # type: ignore[no-untyped-def]
    """Add the first `count` rows of `weights` that `found` names to target."""
    index = 0
    while index + 4 <= count:
        _add_four(
            target,
            weights[found[index]],
            weights[found[index + 1]],
            weights[found[index + 2]],
            weights[found[index + 3]],
        )
        index += 4
    for rest in range(index, count):
        add(target, weights[found[rest]])


@_jit
def upconvolution_forward(start, stop, counts, listed, taps, bias, width, out):  # type: ignore[no-untyped-def]
    """4x4, stride 2, padding 1: images start..stop; taps (16, C, O), out (N, 2H, 2W, O), input pixel p = row * W + column."""
    height = counts.shape[1] // width
    for n in range(start, stop):
        for y in range(2 * height):
            for x in range(2 * width):
                target = out[n, y, x]
                target[:] = bias
                # Pixel (2i + kh - 1, 2j + kw - 1) collects input (i, j) times tap (kh, kw).
                for half in range(4):
                    kh, kw = (y + 1) % 2 + 2 * (half // 2), (x + 1) % 2 + 2 * (half % 2)
                    i, j = (y + 1 - kh) // 2, (x + 1 - kw) // 2
                    if 0 <= i < height and 0 <= j < width:
                        p = i * width + j
                        add_listed(target, taps[kh * 4 + kw], listed[n, p], counts[n, p])


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
