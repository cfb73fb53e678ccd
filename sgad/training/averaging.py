"""Moving average of the generator's weights, and batch norm statistics estimated anew for it."""

import copy

import torch
from torch import nn


def averaged_copy(generator: nn.Module) -> nn.Module:
    """A copy of the generator that takes no gradients, as the start of a moving average."""
    average = copy.deepcopy(generator)
    average.requires_grad_(False)
    return average


@torch.no_grad()
def update_average(average: nn.Module, generator: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the generator; early steps (counted from 1) count for more.

    The decay is min(decay, (step + 1) / (step + 10)), a warm-up as in TensorFlow's ExponentialMovingAverage; buffers
    are copied, so that samples need batch norm re-estimated (`sampling_statistics: recalibrated`).
    """
    factor = min(decay, (step + 1) / (step + 10))
    # One launch on a GPU instead of one a tensor.
    torch._foreach_lerp_(list(average.parameters()), list(generator.parameters()), 1 - factor)
    for kept, current in zip(average.buffers(), generator.buffers(), strict=True):
        kept.copy_(current)
