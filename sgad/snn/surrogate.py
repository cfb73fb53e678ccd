"""The spike function and the derivatives that stand in for its own, which is zero almost everywhere."""

import math
from typing import Any

import torch
from torch import Tensor

#: Names of the surrogate derivatives; the position is the number that compiled kernels take.
SURROGATES = ("arctan", "sigmoid", "rectangle")


def surrogate_derivative(distance: Tensor, name: str, width: float) -> Tensor:
    """The derivative used for a spike, at a potential `distance` above the threshold.

    With a = `width` (sharpness) and u = `distance`:

    * arctan: (a / 2) / (1 + (pi / 2 * a * u)^2) (Fang et al. 2021, arXiv:2007.05785; the paper's, with a = 2)
    * sigmoid: a * p * (1 - p) with p = 1 / (1 + exp(-a u))
    * rectangle: 1 / a where |u| < a / 2, else 0 (Wu et al. 2018, arXiv:1706.02609)
    """
    if name == "arctan":
        slope = (math.pi / 2 * width) * distance
        return (width / 2) / (1 + slope * slope)
    if name == "sigmoid":
        probability = torch.sigmoid(width * distance)
        return width * probability * (1 - probability)
    if name == "rectangle":
        return (distance.abs() < width / 2).to(distance.dtype) / width
    raise ValueError(f"surrogate must be one of {', '.join(SURROGATES)}, got {name!r}")


class _Spike(torch.autograd.Function):
    # The backward pass is made of differentiable operations, so that gradient penalties can be differentiated.
    @staticmethod
    def forward(ctx: Any, potential: Tensor, threshold: float, name: str, width: float) -> Tensor:
        ctx.save_for_backward(potential)
        ctx.settings = threshold, name, width
        return (potential > threshold).to(potential.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (potential,) = ctx.saved_tensors
        threshold, name, width = ctx.settings
        return gradients[0] * surrogate_derivative(potential - threshold, name, width), None, None, None


def spike(potential: Tensor, threshold: float = 1.0, name: str = "arctan", width: float = 2.0) -> Tensor:
    """Spikes: 1 where `potential` > `threshold` (strictly), else 0, with the named surrogate derivative."""
    result: Tensor = _Spike.apply(potential, threshold, name, width)
    return result
