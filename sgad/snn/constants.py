"""Small tensors of fixed numbers, made once for each device.

A number that a step brings to a GPU stops it until the copy is done, and no CUDA graph may contain such a copy.
"""

from functools import cache

import torch
from torch import Tensor


@cache
def constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """`values` as a vector, the same tensor at every call: it must not be written to."""
    return torch.tensor(values, dtype=dtype, device=device)
