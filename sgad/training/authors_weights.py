"""The release's names of weights, and ours for the same.

Its checkpoints also hold an epoch and two optimisers; a run that starts from one starts at step 0 with fresh ones.
"""

import re
from collections.abc import Mapping

from torch import Tensor

#: Patterns of the release's names -> ours, first match wins. Its blocks are (layer, batch norm, neurons or scoring).
_SCORING = (
    (r"conv\d\.2\.down_sample_net\.1\.", "embed."),
    (r"conv\d\.2\.scoring_function\.W_q\.", "query."),
    (r"conv\d\.2\.scoring_function\.W_k\.", "key."),
    (r"conv\d\.2\.scoring_function\.dense(\d)\.", r"score\1."),
)
_GENERATOR = (
    *_SCORING,
    (r"fc(\d)\.", r"linear\1."),
    (r"br(\d)\.0\.", r"norm\1."),
    (r"conv(\d)\.0\.", r"deconv\1."),
    (r"conv1\.1\.", "norm3."),
    (r"conv2\.1\.", "norm4."),
)
_DISCRIMINATOR = (
    (r"conv(\d)\.0\.", r"conv\1."),
    (r"conv(\d)\.1\.", r"norm\1."),
    (r"fc(\d)\.0\.", r"linear\1."),
    (r"net\.0\.", "linear1."),
    (r"net\.2\.", "linear2."),
)
_PATTERNS = {"generator": _GENERATOR, "discriminator": _DISCRIMINATOR}


def our_names(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """The release's state dict of `part` (generator or discriminator) under our names; others pass unchanged."""
    return {_our_name(name, part): tensor for name, tensor in tensors.items()}


def _our_name(name: str, part: str) -> str:
    for pattern, replacement in _PATTERNS[part]:
        renamed, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            return renamed
    return name
