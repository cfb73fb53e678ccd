"""The Inception network behind FID, IS and KID (Szegedy et al. 2015; the TTUR export), in three protocols.

The graphs are torch-fidelity's and, for the protocol `pytorch-fid`, that package's own. Both get weights that were read
without running code, and images that were resized here: one channel of grey images instead of three, in channels-last order.
On the same input and memory layout the features equal those of the packages' own calls bit for bit (tests/measures).
"""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from sgad.errors import InputError
from sgad.machine.files import sha256_of
from sgad.measures.extractors.building import as_safe_pickle, read_state
from sgad.measures.extractors.features import Extractor, Floats, as_numpy, short_hash
from sgad.measures.images import Bytes, to_uint8_rgb

SIZE = 299
#: Names in torch-fidelity's network; what comes before, in order, makes the features.
LAYERS_AFTER_POOLING = ("fc",)
#: A third of the time of the default order; the convolutions round otherwise (4e-5 of the largest feature of a random network).
LAYOUT = torch.channels_last
#: Measured peak of a forward pass per image at 299 x 299, float32.
BYTES_PER_IMAGE = 40_000_000


def resize_tf1(images: Tensor, size: int = SIZE) -> Tensor:
    """(B, C, size, size) by TensorFlow 1's bilinear rule: output pixel i reads at i * in / size.

    Lines first, then columns: the same products in the same order as torch-fidelity's, from far fewer source
    pixels.
    """
    for dimension in (3, 2):
        length = images.shape[dimension]
        position = torch.arange(size, dtype=torch.float32) * torch.tensor(length / size, dtype=torch.float32)
        low = position.long()
        high = (low + 1).clamp_max(length - 1)
        weight = (position - low.float()).reshape([-1 if axis == dimension else 1 for axis in range(4)])
        low, high, weight = low.to(images.device), high.to(images.device), weight.to(images.device)
        start = images.index_select(dimension, low)
        images = start + (images.index_select(dimension, high) - start) * weight
    return images


def resize_pillow_bicubic(images: Bytes, size: int = SIZE) -> Floats:
    """Float32 (B, C, size, size) in 0..255: clean-fid's antialiased bicubic by channel, not rounded."""
    flat = images.reshape(-1, *images.shape[2:]).astype(np.float32)
    result = np.empty((len(flat), size, size), np.float32)
    for index, channel in enumerate(flat):
        result[index] = np.asarray(Image.fromarray(channel).resize((size, size), Image.Resampling.BICUBIC))
    return result.reshape(*images.shape[:2], size, size).clip(0, 255)


def _input_tf1(images: Bytes, device: str) -> Tensor:
    return (resize_tf1(torch.from_numpy(images).to(device).float()) - 128) / 128


def _input_torch(images: Bytes, device: str) -> Tensor:
    unit = torch.from_numpy(images).to(device).float() / 255
    return 2 * functional.interpolate(unit, size=(SIZE, SIZE), mode="bilinear", align_corners=False) - 1


def _input_clean(images: Bytes, device: str) -> Tensor:
    return (torch.from_numpy(resize_pillow_bicubic(images)).to(device) - 128) / 128


#: Suffix of the metric key -> what becomes of the bytes before the network, and its name in the protocol.
INPUTS: dict[str, tuple[Callable[[Bytes, str], Tensor], str]] = {
    "tf1": (_input_tf1, "TF1 bilinear to 299, (x-128)/128"),
    "torch": (_input_torch, "torch bilinear to 299, 2x/255-1"),
    "clean": (_input_clean, "Pillow bicubic antialiased to 299, (x-128)/128"),
}


def prepare_input(images: Bytes, suffix: str, device: str = "cpu") -> Tensor:
    """What the network sees (B, 3, 299, 299) of uint8 images (B, 1 | 2 | 3, H, W) under a protocol."""
    to_input, _ = INPUTS[suffix]
    # torch's interpolation rounds one channel and three differently; the other two do not.
    if images.shape[1] == 1 and suffix != "torch":
        # One channel is resized once and shown three times.
        return to_input(images, device).expand(-1, 3, -1, -1)
    return to_input(to_uint8_rgb(images), device)


def load_inception(path: Path | str, suffix: str, *, device: str = "cpu", half: bool = False) -> Extractor:
    """The extractor of one protocol with the weights of a file.

    Raises
    ------
    InputError
        If the file is not a state dict of this network.
    """
    path = Path(path)
    digest = sha256_of(path) if path.is_file() else ""
    network = _network(path, suffix, device)
    dtype = torch.float16 if device.startswith("cuda") else torch.bfloat16

    @torch.no_grad()
    def compute(images: Bytes) -> tuple[Floats, Floats | None]:
        pixels = prepare_input(images, suffix, device).contiguous(memory_format=LAYOUT)
        with torch.autocast(device.split(":")[0], dtype=dtype, enabled=half):
            features, logits = network(pixels)
        return as_numpy(features), as_numpy(logits)

    precision = f", half precision ({str(dtype).removeprefix('torch.')})" if half else ""
    return Extractor(
        key=f"inception_{suffix}",
        protocol=f"FID Inception {short_hash(digest)}, {INPUTS[suffix][1]}{precision}",
        sha256=digest,
        compute=compute,
        bytes_per_image=BYTES_PER_IMAGE,
        largest_batch=256 if device.startswith("cuda") else 32,
        is_slow=True,
    )


def _network(path: Path, suffix: str, device: str) -> nn.Module:
    state = read_state(path)
    build = _of_pytorch_fid if suffix == "torch" else _of_torch_fidelity
    try:
        # Both packages draw weights before they load some.
        with torch.random.fork_rng(devices=[]):
            network = build(state)
    except (RuntimeError, LookupError) as error:
        line = (str(error).splitlines() or [""])[-1].strip()
        raise InputError(f"{path} does not hold the FID Inception ({line}); give the published file") from error
    network = network.eval().requires_grad_(False).to(device)
    return network.to(memory_format=LAYOUT)


class _Pooled(nn.Module):
    """Images (B, 3, 299, 299), scaled to about [-1, 1], to features (B, 2048) and unbiased logits (B, 1008)."""

    def __init__(self, layers: nn.Sequential, class_weight: Tensor) -> None:
        super().__init__()
        self.layers = layers
        self.register_buffer("class_weight", class_weight)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and unbiased logits."""
        features = self.layers(images).flatten(1)
        return features, features.mm(self.get_buffer("class_weight").T)


def _of_torch_fidelity(state: dict[str, Tensor]) -> nn.Module:
    """torch-fidelity's layers, from what follows its resize to its average pool."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    network = FeatureExtractorInceptionV3("sgad", ["2048"], feature_extractor_weights_path=as_safe_pickle(state))
    layers = [layer for name, layer in network.named_children() if name not in LAYERS_AFTER_POOLING]
    return _Pooled(nn.Sequential(*layers), network.fc.weight.detach())


def _of_pytorch_fid(state: dict[str, Tensor]) -> nn.Module:
    """pytorch-fid's blocks; it has no classes, the published file has."""
    from pytorch_fid import inception

    # The package has no argument for a weights file: it loads what this name returns.
    with patch.object(inception, "load_state_dict_from_url", lambda *_, **__: state):
        network = inception.InceptionV3([inception.InceptionV3.DEFAULT_BLOCK_INDEX])
    return _Pooled(nn.Sequential(*network.blocks), state["fc.weight"])
