"""Analog units: the control that knows no time. A layer of them is called as one of spiking neurons is."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from sgad.snn.batch_norm import StepBatchNorm
from sgad.snn.kernels import dispatch
from sgad.snn.kernels.interface import Synapse
from sgad.snn.kernels.torch_scan import average_pool, normalise
from sgad.snn.layers import Neurons

#: Slope for negative inputs (the release's LeakyReLU).
NEGATIVE_SLOPE = 0.2


def _leaky_relu(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, NEGATIVE_SLOPE)


_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {"leaky_relu": _leaky_relu, "sigmoid": torch.sigmoid}


class Analog(Neurons):
    """A layer of units without state: y = f(x) at every step, f = "leaky_relu" or "sigmoid".

    >>> Analog()(torch.tensor([[[-1.0, 2.0]]]), steps=1)[0].tolist()
    [[[-0.20000000298023224, 2.0]]]
    """

    def __init__(self, pool: int = 1, function: Literal["leaky_relu", "sigmoid"] = "leaky_relu") -> None:
        super().__init__(pool)
        self.function = function

    def forward(  # noqa: D102 - as in Neurons
        self,
        x: Tensor,
        steps: int,
        norm: StepBatchNorm | None = None,
        state: Tensor | None = None,
        weights: tuple[float, ...] | None = None,
        keep_state: bool = False,
    ) -> tuple[Tensor, None]:
        y = x if norm is None else _normalised(x, norm, steps)
        y = _FUNCTIONS[self.function](y)
        if self.watcher is not None:
            self.watcher.see_analog(dispatch.as_images(y.detach(), norm, self.pool))
        if self.pool > 1:
            y = average_pool(y.flatten(0, 1), self.pool).unflatten(0, x.shape[:2])
        if weights is not None:
            y = torch.stack([weight * frame for weight, frame in zip(weights, y, strict=True)]).sum(dim=0, keepdim=True)
        return y, None

    def into(  # noqa: D102 - as in Neurons
        self,
        x: Tensor,
        steps: int,
        norm: StepBatchNorm | None,
        synapse: Synapse,
        state: Tensor | None = None,
        keep_state: bool = False,
        weights: tuple[float, ...] | None = None,
        base: tuple[int, int] | None = None,
    ) -> tuple[Tensor, None]:
        y, _ = self(x, steps, norm, None, weights)
        # No spikes: nothing is gained by kernels that list them.
        return dispatch.feed(y, synapse, "torch", weights, base), None


def _normalised(x: Tensor, norm: StepBatchNorm, steps: int) -> Tensor:
    if norm.is_together:
        return norm.normalise_together(x)
    images = x[:, :, None, None, :] if x.ndim == 3 else x
    y, mean, var = normalise(images, norm.norm())
    if mean is not None and var is not None:
        norm.record(mean, var, images[0].numel() // images.shape[-1], steps)
    return y.reshape(x.shape)
