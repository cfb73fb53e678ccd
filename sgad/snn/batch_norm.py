"""Batch norm of every time step on its own, with running averages that move when told to."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sgad.errors import InputError
from sgad.snn.constants import constant
from sgad.snn.kernels.interface import Norm


class StepBatchNorm(nn.Module):
    """Batch norm of every time step on its own; parameters and buffers are named as torch's.

    The statistics of a pass are collected by `record` and move the running averages in `commit`, in closed form: after
    steps t = 1..T with momentum p, r' = (1-p)^T r + sum over t of p (1-p)^(T-t) x[t].
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))
        self.is_recording = True
        #: Whether training takes the statistics of all time steps together (Zheng et al. 2021, arXiv:2011.05280).
        self.is_shared = False
        self._pending: list[tuple[Tensor, Tensor, int]] = []

    def reset_running_stats(self) -> None:
        """Forget all statistics, as torch's batch norm does."""
        self.running_mean.zero_()
        self.running_var.fill_(1)
        self.num_batches_tracked.zero_()

    def norm(self) -> Norm:
        """What the kernels need: the batch's own statistics in training mode, else the running ones."""
        if self.training:
            return Norm(self.weight, self.bias, eps=self.eps)
        return Norm(self.weight, self.bias, self.running_mean, self.running_var, self.eps)

    @property
    def is_together(self) -> bool:
        """Whether this pass takes the statistics of all time steps together."""
        return self.is_shared and self.training

    def normalise_together(self, x: Tensor) -> Tensor:
        """Normalise (T, B, C) or (T, B, H, W, C) by the statistics of all steps together, and record them as one step."""
        images = x[:, :, None, None, :] if x.ndim == 3 else x
        mean, var = images.mean(dim=(0, 1, 2, 3)), images.var(dim=(0, 1, 2, 3), correction=0)
        self.record(mean[None], var[None], x.numel() // x.shape[-1], steps=1)
        normalised = (images - mean) * (self.weight * torch.rsqrt(var + self.eps)) + self.bias
        return normalised.reshape(x.shape)

    def record(self, mean: Tensor, var: Tensor, count: int, steps: int) -> None:
        """Keep mean and biased variance (T, C) of `steps` steps, or (1, C) if all are the same, for `commit`.

        Raises
        ------
        InputError
            If a statistic was taken over a single value.
        """
        if count < 2:
            raise InputError("batch norm needs at least 2 images a batch; use drop_last or another batch_size")
        if self.is_recording:
            self._pending.append((mean.detach(), var.detach() * (count / (count - 1)), steps))

    @torch.no_grad()
    def commit(self, passes: int = 1) -> None:
        """Move the running averages through all recorded steps in time order, `passes` times over."""
        if not self._pending:
            return
        expanded = [(m.expand(steps, -1), v.expand(steps, -1)) for m, v, steps in self._pending]
        means = torch.cat([mean for mean, _ in expanded])
        variances = torch.cat([var for _, var in expanded])
        for _ in range(passes):
            weights, keep = self._weights(len(means))
            self.running_mean.mul_(keep).add_(weights @ means)
            self.running_var.mul_(keep).add_(weights @ variances)
            self.num_batches_tracked += len(means)
        self._pending.clear()

    def _weights(self, steps: int) -> tuple[Tensor, float]:
        like = self.running_mean
        if self.momentum is None:
            # torch's convention: the plain mean over everything seen.
            seen = int(self.num_batches_tracked)
            return torch.full((steps,), 1 / (seen + steps), dtype=like.dtype, device=like.device), seen / (seen + steps)
        stay = 1 - self.momentum
        weights = tuple(self.momentum * stay ** (steps - 1 - step) for step in range(steps))
        return constant(weights, like.dtype, like.device), stay**steps

    def forget(self) -> None:
        """Drop what was recorded since the last `commit`."""
        self._pending.clear()


def commit_statistics(module: nn.Module, passes: int = 1) -> None:
    """Move the running averages of all batch norms below `module`; see `StepBatchNorm.commit`."""
    for part in module.modules():
        if isinstance(part, StepBatchNorm):
            part.commit(passes)


def forget_statistics(module: nn.Module) -> None:
    """Drop what the batch norms below `module` recorded of a pass that was broken off."""
    for part in module.modules():
        if isinstance(part, StepBatchNorm):
            part.forget()


@contextlib.contextmanager
def statistics_frozen(module: nn.Module) -> Iterator[None]:
    """Record no batch statistics below `module`: a pass that is computed again must not count twice."""
    norms = [part for part in module.modules() if isinstance(part, StepBatchNorm)]
    before = [norm.is_recording for norm in norms]
    for norm in norms:
        norm.is_recording = False
    try:
        yield
    finally:
        for norm, value in zip(norms, before, strict=True):
            norm.is_recording = value
