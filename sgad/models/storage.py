"""Weights for sharing: the largest matrices in a few bits, large ones in sixteen, everything else as it is.

A row w of a matrix becomes q = round(w / s) with s = max |w| / (2^(bits - 1) - 1) (weight-only quantisation), or numbers and
scales that `sgad.models.rounding` chose for the inputs that the matrix meets; networks compute in float32, on q s. Where weights
are rounded, neurons close to the threshold fire or do not: what that does to images is measured at each export. Four
bits keep the paper's 28x28 generator (7 million weights) below 5 MB.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from sgad.models.rounding import Rounded, largest

BITS = 10
#: Matrices from this many values on are stored in BITS bits, and from the second number on in float16.
LARGEST, LARGE = 1_000_000, 100_000
SCALE = ".scale"


def pack(tensors: Mapping[str, Tensor], rounded: Mapping[str, Rounded] | None = None) -> dict[str, Tensor]:
    """Tensors as they are stored; a quantised one has a companion NAME.scale, float32, one value a row.

    `rounded` has those that were rounded before; of the others, the largest are rounded to BITS bits.
    """
    packed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        found = (rounded or {}).get(name) or _rounded(tensor)
        if found is not None:
            packed[name] = _to_bit_planes(found.numbers, found.bits)
            packed[name + SCALE] = found.scale
        elif tensor.ndim in (2, 4) and tensor.is_floating_point() and tensor.numel() >= LARGE:
            packed[name] = tensor.half()
        else:
            packed[name] = tensor.clone()
    return packed


def _rounded(tensor: Tensor) -> Rounded | None:
    """Round the largest matrices, each weight on its own."""
    if tensor.ndim != 2 or tensor.numel() < LARGEST or tensor.shape[1] % 8 or not tensor.is_floating_point():
        return None
    scale = tensor.float().abs().amax(dim=1).clamp(min=1e-12) / largest(BITS)
    return Rounded(torch.round(tensor.float() / scale[:, None]).int(), scale, BITS)


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors that `pack` was given, up to its rounding; others pass unchanged."""
    tensors = {name: tensor for name, tensor in packed.items() if not name.endswith(SCALE)}
    for name, tensor in tensors.items():
        scale = packed.get(name + SCALE)
        if scale is not None:
            tensors[name] = _from_bit_planes(tensor).float() * scale[:, None]
    return tensors


def _to_bit_planes(values: Tensor, bits: int) -> Tensor:
    """uint8 (bits, rows, columns / 8) of integers (rows, columns) within +- largest(bits)."""
    unsigned = values.numpy() + largest(bits)
    planes = [np.packbits((unsigned >> bit & 1).astype(np.uint8), axis=1) for bit in range(bits)]
    return torch.from_numpy(np.stack(planes))


def _from_bit_planes(planes: Tensor) -> Tensor:
    bits = (np.unpackbits(plane, axis=1).astype(np.int32) << bit for bit, plane in enumerate(planes.numpy()))
    return torch.from_numpy(sum(bits) - largest(len(planes)))
