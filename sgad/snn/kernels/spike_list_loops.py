"""Compiled loops for generators that only sample: an image's spikes stay in the cache, as lists of the channels that fire.

The spikes of a layer are `offsets` (P, T + 1) and `channels` (P, T * C): at pixel p, step t, those listed from offsets[p, t]
to offsets[p, t + 1]. Layers are small enough for the second-level cache; none is ever written out.
"""

import numpy as np

from sgad.machine.compiled import jit
from sgad.snn.kernels.periodic_loops import TILE, add
from sgad.snn.kernels.sparse_loops import add_rows

#: With so few output channels, the 16 * O weights of a spike are a short row, added as O rows of 16.
FEW = 3
_jit = jit(error_model="numpy")


@_jit
def _add_four(target, one, two, three, four):  # type: ignore[no-untyped-def]
    for k in range(target.shape[0]):
        target[k] += (one[k] + two[k]) + (three[k] + four[k])


@_jit
def _add_long_rows(target, weights, found, start, stop):  # type: ignore[no-untyped-def]
    """Add the rows of `weights` (C, n) that found[start:stop] names to target (n,): `add_rows` for long ones."""
    index = start
    while index + 4 <= stop:
        one, two = weights[found[index]], weights[found[index + 1]]
        _add_four(target, one, two, weights[found[index + 2]], weights[found[index + 3]])
        index += 4
    for rest in range(index, stop):
        add(target, weights[found[rest]])


@_jit
def _fire(current, v, spikes, tau, threshold, one, zero):  # type: ignore[no-untyped-def]
    """Advance neurons by one step and say which of them fire."""
    for k in range(v.shape[0]):
        potential = v[k] + (current[k] - v[k]) / tau
        spikes[k] = potential > threshold
        v[k] = potential * (one if potential <= threshold else zero)


@_jit
def sort_by_period(counts, entries, offsets, channels):  # type: ignore[no-untyped-def]
    """List the neurons of each image by period; entries (B, C) as in `periodic_loops`, offsets (B, T + 1), channels (B, C)."""
    for b in range(len(counts)):
        count = 0
        offsets[b, 0] = 0
        for period in range(1, offsets.shape[1]):
            for index in range(counts[b]):
                if entries[b, index] % 256 == period:
                    channels[b, count] = entries[b, index] // 256
                    count += 1
            offsets[b, period] = count


@_jit
def linear_spikes(start, stop, offsets, channels, weight, bias, starts, flat, constants, spikes):  # type: ignore[no-untyped-def]
    """Neurons behind a linear layer on spikes that repeat, tiles start..stop of the outputs.

    Lists by period from `sort_by_period`, divisors `starts` and `flat`; weight (C, O), spikes (B, T, O) of bytes.
    """
    tau, threshold, one, zero = constants[0], constants[1], constants[2], constants[3]
    batch, steps, outputs = spikes.shape
    # As in `periodic_loops.linear_forward`, loops run over whole tiles.
    tile, tile_bias = np.zeros((weight.shape[0], 1, TILE), dtype=weight.dtype), np.zeros(TILE, dtype=weight.dtype)
    z = np.empty((steps, 1, TILE), dtype=weight.dtype)
    current, v = np.empty(TILE, dtype=weight.dtype), np.empty(TILE, dtype=weight.dtype)
    fired = np.empty(TILE, dtype=np.uint8)
    for part in range(start, stop):
        first = part * TILE
        n = min(TILE, outputs - first)
        tile[:, 0, :n] = weight[:, first : first + n]
        tile_bias[:n] = bias[first : first + n]
        for b in range(batch):
            for p in range(steps):
                for k in range(TILE):
                    z[p, 0, k] = zero
                add_rows(z[p], tile, channels[b], offsets[b, p], offsets[b, p + 1], TILE)
            for k in range(TILE):
                v[k] = zero
            for t in range(steps):
                for k in range(TILE):
                    current[k] = tile_bias[k]
                for index in range(starts[t], starts[t + 1]):
                    period = z[flat[index], 0]
                    for k in range(TILE):
                        current[k] += period[k]
                _fire(current, v, fired, tau, threshold, one, zero)
                found = spikes[b, t, first : first + n]
                for k in range(n):
                    found[k] = fired[k]


@_jit
def list_channels(spikes, offsets, channels):  # type: ignore[no-untyped-def]
    """List the spikes (T, C, P) of one image by pixel and step."""
    for p in range(spikes.shape[2]):
        count = 0
        offsets[p, 0] = 0
        for t in range(spikes.shape[0]):
            for c in range(spikes.shape[1]):
                # Written always, counted if it fires: no branch to guess wrong.
                channels[p, count] = c
                count += spikes[t, c, p]
            offsets[p, t + 1] = count


@_jit
def upconvolve_spikes(offsets, channels, taps, bias, weights, currents):  # type: ignore[no-untyped-def]
    """Transposed convolution, 4x4, stride 2, padding 1, of one image's spikes; taps (C, 16 * O), a channel's all together.

    `currents` (T, 2H + 2, (2W + 2) * O) has one pixel of border. With `weights` (T,), not empty, it is their weighted sum
    over time, (1, ...).
    """
    outputs = bias.shape[0]
    columns = currents.shape[2] // outputs
    collected = np.empty(16 * outputs, dtype=bias.dtype)
    short, short_taps = collected.reshape(outputs, 16), taps.reshape(taps.shape[0], outputs, 16)
    zero = bias[0] - bias[0]
    for t in range(currents.shape[0]):
        for y in range(currents.shape[1]):
            for x in range(columns):
                pixel = currents[t, y, x * outputs : (x + 1) * outputs]
                for k in range(outputs):
                    pixel[k] = bias[k]
    width = columns // 2 - 1
    for p in range(offsets.shape[0]):
        # Input (i, j) reaches the four rows from 2i on, and there the four pixels from 2j on.
        row, left = 2 * (p // width), 2 * (p % width) * outputs
        for t in range(offsets.shape[1] - 1):
            start, stop = offsets[p, t], offsets[p, t + 1]
            if stop > start:
                for k in range(16 * outputs):
                    collected[k] = zero
                if outputs <= FEW:
                    add_rows(short, short_taps, channels[p], start, stop, 16)
                else:
                    _add_long_rows(collected, taps, channels[p], start, stop)
                if weights.size > 0:
                    for k in range(collected.shape[0]):
                        collected[k] *= weights[t]
                target = currents[0 if weights.size > 0 else t]
                for kh in range(4):
                    taps_of_row = collected[kh * 4 * outputs : (kh + 1) * 4 * outputs]
                    add(target[row + kh, left : left + 4 * outputs], taps_of_row)


@_jit
def fire(currents, outputs, constants, offsets, channels):  # type: ignore[no-untyped-def]
    """List the spikes of neurons with `currents` (T, H + 2, (W + 2) * O) whose border belongs to no neuron."""
    tau, threshold, one, zero = constants[0], constants[1], constants[2], constants[3]
    v = np.empty(outputs, dtype=currents.dtype)
    # Padded to whole words of eight: most are 0 and are skipped.
    spikes = np.zeros((outputs + 7) // 8 * 8, dtype=np.uint8)
    words = spikes.view(np.uint64)
    width = currents.shape[2] // outputs - 2
    for p in range(offsets.shape[0]):
        y, x = p // width + 1, (p % width + 1) * outputs
        v[:] = zero
        count = 0
        offsets[p, 0] = 0
        for t in range(currents.shape[0]):
            _fire(currents[t, y, x : x + outputs], v, spikes, tau, threshold, one, zero)
            for word in range(words.shape[0]):
                if words[word] != 0:
                    for k in range(8 * word, 8 * word + 8):
                        channels[p, count] = k
                        count += spikes[k]
            offsets[p, t + 1] = count
