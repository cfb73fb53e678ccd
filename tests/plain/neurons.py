"""One neuron at a time, one step at a time."""

import math

import torch


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, over):
        ctx.save_for_backward(over)
        return (over > 0).to(over.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (over,) = ctx.saved_tensors
        a = 2.0
        return gradient * (a / 2) / (1 + (math.pi / 2 * a * over) ** 2)


class PlainLif:
    """Leaky integrate and fire; remembers its potential between calls until `clear`."""

    def __init__(self, tau=2.0, threshold=1.0):
        self.tau, self.threshold, self.v = tau, threshold, 0.0

    def __call__(self, x):
        h = self.v + (x - self.v) / self.tau
        s = _Spike.apply(h - self.threshold)
        self.v = h * (1 - s.detach())
        return s

    def clear(self):
        self.v = 0.0


class PlainLeaky:
    """Leaky integrator."""

    def __init__(self, tau=2.0):
        self.tau, self.m = tau, 0.0

    def __call__(self, x):
        self.m = self.m + (x - self.m) / self.tau
        return self.m

    def clear(self):
        self.m = 0.0


def plain_encode(x, encoder, steps, random=None):
    """Encode (B, ...) to a list of T tensors."""
    frames = []
    for i in range(steps):
        if encoder == "direct":
            frames.append(x)
        elif encoder == "rate":
            frames.append((x > torch.rand(x.shape, generator=random, dtype=x.dtype)).to(x.dtype))
        else:
            fires = (x * steps <= steps - i) & (x * steps > steps - i - 1)
            frames.append(torch.where(fires, torch.full_like(x, 1 / (i + 1)), torch.zeros_like(x)))
    return frames
