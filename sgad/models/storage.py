"""Weights for sharing: ten bits for the largest matrices, sixteen for large ones, everything else as it is.

A row w of a matrix becomes q = round(w / s) with s = max |w| / 511 (weight-only quantisation); networks compute in float32
as before, on q s. Where weights are rounded, neurons close to the threshold fire or do not: what that does to images is
measured at each export. Ten bits are what keeps the paper's 28x28 generator (7 million weights) below 10 MB.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

BITS = 10
_MAXIMUM = 2 ** (BITS - 1) - 1
#: Matrices from this many values on are stored in BITS bits, and from the second number on in float16.
LARGEST, LARGE = 1_000_000, 100_000
SCALE = ".scale"


def pack(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors as they are stored; a quantised one has a companion NAME.scale, float32, one value a row."""
    packed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        is_matrix = tensor.ndim == 2 and tensor.is_floating_point()
        if is_matrix and tensor.numel() >= LARGEST and tensor.shape[1] % 8 == 0:
            scale = tensor.float().abs().amax(dim=1).clamp(min=1e-12) / _MAXIMUM
            packed[name] = _to_bit_planes(torch.round(tensor.float() / scale[:, None]).int())
            packed[name + SCALE] = scale
        elif is_matrix and tensor.numel() >= LARGE:
            packed[name] = tensor.half()
        else:
            packed[name] = tensor.clone()
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that `pack` was given, up to its rounding; others pass unchanged."""
    tensors = {name: tensor for name, tensor in packed.items() if not name.endswith(SCALE)}
    for name, tensor in tensors.items():
        scale = packed.get(name + SCALE)
        if scale is not None:
            tensors[name] = _from_bit_planes(tensor).float() * scale[:, None]
    return tensors


def _to_bit_planes(values: Tensor) -> Tensor:
    """Return uint8 (BITS, rows, columns / 8) of integers (rows, columns) within +- _MAXIMUM."""
    unsigned = values.numpy() + _MAXIMUM
    planes = [np.packbits((unsigned >> bit & 1).astype(np.uint8), axis=1) for bit in range(BITS)]
    return torch.from_numpy(np.stack(planes))


def _from_bit_planes(planes: Tensor) -> Tensor:
    bits = (np.unpackbits(plane, axis=1).astype(np.int32) << bit for bit, plane in enumerate(planes.numpy()))
    return torch.from_numpy(sum(bits) - _MAXIMUM)
