"""The neuron scan in plain torch: readable, on every device, differentiable twice."""

import torch
from torch import Tensor
from torch.nn import functional

from sgad.snn.kernels.interface import Norm, Scan, ScanResult
from sgad.snn.neurons import lif_steps


def normalise(x: Tensor, norm: Norm) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Normalised currents, and mean and biased variance (T, C) where they are the batch's own."""
    if norm.mean is not None and norm.var is not None:
        scale = norm.weight * torch.rsqrt(norm.var + norm.eps)
        return x * scale + (norm.bias - norm.mean * scale), None, None
    # Statistics per step: folding T into B is another network.
    var, mean = torch.var_mean(x, dim=(1, 2, 3), correction=0, keepdim=True)
    scale = norm.weight * torch.rsqrt(var + norm.eps)
    y = x * scale + (norm.bias - mean * scale)
    return y, mean.detach().flatten(1), var.detach().flatten(1)


def average_pool(spikes: Tensor, pool: int) -> Tensor:
    """Average (B, H, W, C) over pool x pool neighbours; what is left at an odd edge is dropped."""
    if pool == 1:
        return spikes
    return functional.avg_pool2d(spikes.permute(0, 3, 1, 2), pool).permute(0, 2, 3, 1)


def scan_layer(x: Tensor, norm: Norm | None, state: Tensor | None, scan: Scan) -> ScanResult:
    """Run one layer of neurons over a sequence; see `sgad.snn.kernels.dispatch.scan_layer`."""
    y, mean, var = (x, None, None) if norm is None else normalise(x, norm)
    frames: list[Tensor] = []
    v = state
    for step, (_, spikes, potentials) in enumerate(lif_steps(y, scan.steps, scan.neuron, state)):
        v = potentials
        s = spikes if scan.weights is None else spikes * scan.weights[step]
        s = average_pool(s, scan.pool)
        if scan.weights is not None and frames:
            frames[0] = frames[0] + s
        else:
            frames.append(s)
    return ScanResult(torch.stack(frames), v if scan.keep_state else None, mean, var)
