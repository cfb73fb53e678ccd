"""Sampling without batch norm: in evaluation mode it is affine, and disappears in the layer before it."""

import copy

import torch
from torch import nn

from sgad.models.generators import Generator
from sgad.snn.batch_norm import StepBatchNorm


@torch.no_grad()
def fold_batch_norm(generator: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode whose batch norms are folded into the weights before them.

    The images are those of `generator.eval()` up to rounding. A user's own generator is only put into evaluation mode.
    """
    if not isinstance(generator, Generator):
        return generator.eval()
    folded = copy.deepcopy(generator).eval()
    for index in range(1, folded.num_layers + 1):
        norm = folded.get_submodule(f"norm{index}")
        layer = (folded.linear1, folded.linear2)[index - 1] if index <= 2 else folded.deconv(index - 2)
        if not isinstance(norm, StepBatchNorm) or layer.bias is None:
            continue
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        # Transposed convolutions have their outputs on the second axis.
        outputs = (1, -1, 1, 1) if isinstance(layer, nn.ConvTranspose2d) else (-1, 1)
        layer.weight.mul_(scale.reshape(outputs))
        layer.bias.copy_((layer.bias - norm.running_mean) * scale + norm.bias)
        setattr(folded, f"norm{index}", nn.Identity())
    return folded
