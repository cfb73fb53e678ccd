"""Sampling without batch norm: in evaluation mode it is affine, and disappears in the layer before it."""

import copy

import torch
from torch import nn

from sgad.models.generators import Generator


@torch.no_grad()
def fold_batch_norm(generator: nn.Module) -> nn.Module:
    """Copy of a generator in evaluation mode, whose batch norms are folded into the weights before them.

    The images are those of `generator.eval()` up to rounding. A user's own generator is only put into evaluation mode.
    """
    if not isinstance(generator, Generator):
        return generator.eval()
    folded = copy.deepcopy(generator).eval()
    layers = [folded.linear1, *(block.synapse for block in folded.blocks())]
    for index, (block, layer) in enumerate(zip(folded.blocks(), layers, strict=False), start=1):
        norm = block.step_norm
        if norm is None or layer is None or layer.bias is None:
            continue
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        # Transposed convolutions have their outputs on the second axis.
        outputs = (1, -1, 1, 1) if isinstance(layer, nn.ConvTranspose2d) else (-1, 1)
        layer.weight.mul_(scale.reshape(outputs))
        layer.bias.copy_((layer.bias - norm.running_mean) * scale + norm.bias)
        setattr(folded, f"norm{index}", nn.Identity())
    return folded
