"""The Inception network behind FID, IS and KID (Szegedy et al. 2015; the TTUR export), in three protocols.

The graph is torchvision's with four changes of the exported one: 1008 classes, average pools that leave out
padding, a maximum in the last pooling branch, no auxiliary head. It loads the published file of
torch-fidelity and pytorch-fid.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import inception as torchvision_inception

from sgad.errors import InputError
from sgad.machine.files import sha256_of
from sgad.measures.extractors.building import empty_network, read_state
from sgad.measures.extractors.features import Extractor, Floats, as_numpy, short_hash
from sgad.measures.images import Bytes, to_uint8_rgb

SIZE = 299
FEATURES = 2048
CLASSES = 1008
#: Measured peak of a forward pass per image at 299 x 299, float32.
BYTES_PER_IMAGE = 40_000_000


def _padding_left_out(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, kernel_size=3, stride=1, padding=1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, kernel_size=3, stride=1, padding=1)


class _BlockA(torchvision_inception.InceptionA):  # type: ignore[misc]
    def _forward(self, x: Tensor) -> list[Tensor]:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return [self.branch1x1(x), five, three, self.branch_pool(_padding_left_out(x))]


class _BlockC(torchvision_inception.InceptionC):  # type: ignore[misc]
    def _forward(self, x: Tensor) -> list[Tensor]:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return [self.branch1x1(x), seven, double, self.branch_pool(_padding_left_out(x))]


class _BlockE(torchvision_inception.InceptionE):  # type: ignore[misc]
    def __init__(self, channels: int, pool: Callable[[Tensor], Tensor]) -> None:
        super().__init__(channels)
        self._pool = pool

    def _forward(self, x: Tensor) -> list[Tensor]:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        return [
            self.branch1x1(x),
            torch.cat([self.branch3x3_2a(three), self.branch3x3_2b(three)], 1),
            torch.cat([self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)], 1),
            self.branch_pool(self._pool(x)),
        ]


class FidInception(nn.Module):
    """Images (B, 3, 299, 299), scaled to about [-1, 1], to features (B, 2048) and unbiased logits (B, 1008)."""

    def __init__(self) -> None:
        super().__init__()
        # Named as in the published state dict.
        source = torchvision_inception.Inception3(num_classes=CLASSES, aux_logits=False, init_weights=False)
        source.Mixed_5b = _BlockA(192, pool_features=32)
        source.Mixed_5c = _BlockA(256, pool_features=64)
        source.Mixed_5d = _BlockA(288, pool_features=64)
        for name, width in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
            setattr(source, f"Mixed_{name}", _BlockC(768, channels_7x7=width))
        source.Mixed_7b = _BlockE(1280, _padding_left_out)
        # A quirk of the exported network, not of the paper.
        source.Mixed_7c = _BlockE(2048, _maximum)
        self.source = source

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and unbiased logits."""
        x = images
        for name, block in self.source.named_children():
            if name in ("avgpool", "dropout", "fc"):
                break
            x = block(x)
        features = x.mean(dim=(2, 3))
        return features, features @ self.source.fc.weight.T


def resize_tf1(images: Tensor, size: int = SIZE) -> Tensor:
    """Return (B, C, size, size) by TensorFlow 1's bilinear rule: output pixel i reads at i * in / size.

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
    """Return float32 (B, C, size, size) in 0..255: clean-fid's antialiased bicubic by channel, not rounded."""
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


#: Suffix of the metric key -> what becomes of the bytes before the network, and how it is called.
INPUTS: dict[str, tuple[Callable[[Bytes, str], Tensor], str]] = {
    "tf1": (_input_tf1, "TF1 bilinear to 299, (x-128)/128"),
    "torch": (_input_torch, "torch bilinear to 299, 2x/255-1"),
    "clean": (_input_clean, "Pillow bicubic antialiased to 299, (x-128)/128"),
}


def prepare_input(images: Bytes, suffix: str, device: str = "cpu") -> Tensor:
    """Return what the network sees (B, 3, 299, 299) of uint8 images (B, 1 | 2 | 3, H, W) under a protocol."""
    to_input, _ = INPUTS[suffix]
    if images.shape[1] == 1:
        # One channel is resized once and shown three times.
        return to_input(images, device).expand(-1, 3, -1, -1)
    return to_input(to_uint8_rgb(images), device)


def load_inception(path: Path | str, suffix: str, *, device: str = "cpu", half: bool = False) -> Extractor:
    """Return the extractor of one protocol with the weights of a file.

    Raises
    ------
    InputError
        If the file is not a state dict of this network.
    """
    path = Path(path)
    digest = sha256_of(path) if path.is_file() else ""
    network = _network(path, device)
    dtype = torch.float16 if device.startswith("cuda") else torch.bfloat16

    @torch.no_grad()
    def compute(images: Bytes) -> tuple[Floats, Floats | None]:
        pixels = prepare_input(images, suffix, device).contiguous(memory_format=torch.channels_last)
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


def _network(path: Path, device: str) -> nn.Module:
    network = empty_network(FidInception)
    source: Any = network.get_submodule("source")
    try:
        source.load_state_dict(read_state(path))
    except RuntimeError as error:
        line = (str(error).splitlines() or [""])[-1].strip()
        raise InputError(f"{path} does not hold the FID Inception ({line}); give the published file") from error
    network = network.eval().requires_grad_(False).to(device)
    return network.to(memory_format=torch.channels_last)
