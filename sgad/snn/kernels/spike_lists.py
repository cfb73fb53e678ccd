"""A generator's trunk on a CPU where no gradient is wanted and batch norm is folded: spike by spike, image by image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from sgad.snn.kernels import numba_scan as scans
from sgad.snn.kernels import periodic_loops
from sgad.snn.kernels import spike_list_loops as loops
from sgad.snn.kernels.interface import Scan
from sgad.snn.kernels.periodic import list_periods

#: Above this share of ones behind the first linear layer, dense products are faster.
DENSE = 0.3


def sample_pixels(
    x: Tensor, linear: nn.Linear, deconvolutions: Sequence[nn.ConvTranspose2d], base: tuple[int, int], scan: Scan
) -> Tensor | None:
    """Currents (T, B, H, W, C) of the last deconvolution, for constant currents x (1, B, N) of the first neurons.

    Neurons are before each layer; between `linear` and the first deconvolution, features become images of `base` (H, W).
    With `scan.weights`, their weighted sum over time, (1, B, H, W, C). None if too many neurons fire for this to be fast.
    """
    spikes = _hidden_spikes(x, linear, scan)
    if spikes.mean(dtype=np.float64) > DENSE:
        return None
    batch, steps, _ = spikes.shape
    spikes = spikes.reshape(batch, steps, -1, base[0] * base[1])
    weights, constants = scans.scan_arrays(x, scan)
    taps = [_taps(layer) for layer in deconvolutions]
    biases = [_bias(layer) for layer in deconvolutions]
    # A bias at every step, weighted and added up, is the bias times the weights' sum.
    biases[-1] = biases[-1] * (weights.sum() if scan.weights else 1)
    height, width = (size * 2 ** len(taps) for size in base)
    out = x.new_empty(batch, 1 if scan.weights else steps, height, width, deconvolutions[-1].out_channels)
    pixels = out.numpy()

    def work(start: int, stop: int, slot: int) -> None:
        layers = range(len(taps))
        lists = [_empty_lists(base, layer, steps, len(taps[layer])) for layer in layers]
        currents = [_empty_currents(base, layer, steps, biases[layer]) for layer in layers]
        currents[-1] = currents[-1][: pixels.shape[1]]
        for image in range(start, stop):
            loops.list_channels(spikes[image], *lists[0])
            for layer in layers[:-1]:
                loops.upconvolve_spikes(*lists[layer], taps[layer], biases[layer], weights[:0], currents[layer])
                loops.fire(currents[layer], len(biases[layer]), constants, *lists[layer + 1])
            loops.upconvolve_spikes(*lists[-1], taps[-1], biases[-1], weights, currents[-1])
            pixels[image] = currents[-1].reshape(-1, height + 2, width + 2, pixels.shape[-1])[:, 1:-1, 1:-1]

    scans.share_work(work, batch)
    return out.transpose(0, 1)


def _hidden_spikes(x: Tensor, linear: nn.Linear, scan: Scan) -> Any:
    """Spikes (B, T, features) of the neurons behind the linear layer, as bytes."""
    one, zero = x.new_ones(1, x.shape[-1]), x.new_zeros(1, x.shape[-1])
    counts, entries = list_periods(x[:, :, None, None, :], one, zero, scan)
    _, constants = scans.scan_arrays(x, scan)
    batch = x.shape[1]
    spikes = np.empty((batch, scan.steps, linear.out_features), dtype=np.uint8)
    offsets, channels = np.empty((batch, scan.steps + 1), np.int32), np.empty((batch, x.shape[-1]), np.uint32)
    loops.sort_by_period(counts.reshape(-1), entries.reshape(batch, -1), offsets, channels)
    fixed = (
        offsets, channels, linear.weight.detach().t().contiguous().numpy(), _bias(linear),
        *periodic_loops.divisors(scan.steps), constants, spikes,
    )  # fmt: skip
    tiles = -(-linear.out_features // periodic_loops.TILE)
    scans.share_work(lambda start, stop, slot: loops.linear_spikes(start, stop, *fixed), tiles)
    return spikes


def _taps(layer: nn.ConvTranspose2d) -> Any:
    return layer.weight.detach().permute(0, 2, 3, 1).reshape(layer.in_channels, -1).contiguous().numpy()


def _bias(layer: nn.Linear | nn.ConvTranspose2d) -> Any:
    assert isinstance(layer.bias, Tensor)
    return layer.bias.detach().numpy()


def _empty_lists(base: tuple[int, int], layer: int, steps: int, channels: int) -> tuple[Any, Any]:
    """Room for the spikes before deconvolution number `layer`."""
    pixels = base[0] * base[1] * 4**layer
    # One word of eight more: the loops write before they know whether it counts.
    return np.empty((pixels, steps + 1), dtype=np.int32), np.empty((pixels, steps * channels + 8), dtype=np.uint16)


def _empty_currents(base: tuple[int, int], layer: int, steps: int, bias: Any) -> Any:
    """Room for what deconvolution number `layer` makes, with a border of one pixel."""
    height, width = (size * 2 ** (layer + 1) + 2 for size in base)
    return np.empty((steps, height, width * len(bias)), dtype=bias.dtype)
