"""A random-weight file in the form of the published FID Inception: it costs and behaves the same, and is never called FID.

Plainly initialised, its activations die (features of 1e-8). So the batch-norm statistics are set by one pass in training mode
over some images, and the last layer is drawn from N(0, 0.2).

`python -m benchmarks.random_inception PATH [--seed N]`
"""

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


class _Fresh(FeatureExtractorInceptionV3):  # type: ignore[misc]
    """torch-fidelity's network as it is drawn, before any weights are loaded."""

    def load_state_dict(self, *_: Any, **__: Any) -> None:  # type: ignore[override]
        """Keep what was drawn."""


def write_random_inception(path: Path, images: NDArray[np.uint8], seed: int = 0) -> Path:
    """Write a state dict made from `seed` and some images (N, 1 | 3, H, W); return its path."""
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Fresh("random", ["2048"], feature_extractor_weights_path=nothing)
        nn.init.normal_(network.fc.weight, 0, 0.2)
        nn.init.normal_(network.fc.bias, 0, 0.2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # No momentum: the plain statistics of the one pass.
            module.momentum = None
    colour = np.repeat(images, 3, axis=1) if images.shape[1] == 1 else images
    with torch.no_grad():
        network.train()(torch.from_numpy(np.ascontiguousarray(colour)))
    torch.save(network.state_dict(), path)
    return path


def digits(num: int) -> NDArray[np.uint8]:
    """The first of scikit-learn's digits as uint8 (num, 1, 32, 32)."""
    from sklearn.datasets import load_digits

    small = np.rint(load_digits().images[:num] * 255 / 16).astype(np.uint8)
    return small.repeat(4, axis=1).repeat(4, axis=2)[:, None]


def main() -> None:
    """Write one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.path.parent.mkdir(parents=True, exist_ok=True)
    print(write_random_inception(options.path, digits(48), options.seed))


if __name__ == "__main__":
    main()
