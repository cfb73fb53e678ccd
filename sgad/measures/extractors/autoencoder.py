"""Frechet autoencoder distance: the FSVAE paper's encoder (published weights), and one of our own.

Kamata, Mukuta and Harada 2022, "Fully Spiking Variational Autoencoder" (AAAI); code
kamata1729/FullySpikingVAE, commit ffadb3d. Its protocol leaves batch norm in training mode, so that each
batch of 256 is normalised by itself: shifts that a whole batch shares vanish. `fad_fsvae` is that, for
comparison with papers; `fad_eval` the same network in evaluation mode.

Watanabe, Mukuta and Harada 2023, "Fully Spiking Denoising Diffusion Implicit Models" (arXiv:2312.01742); code
mil-tokyo/FSDDIM, commit 277cd7c, takes 10,000 generated images in batches of 250 and the FSVAE authors' statistics of the
test split, which are of batches of 256: `fad_fsddim`.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from sgad.errors import InputError
from sgad.machine.files import atomic_write, sha256_of
from sgad.machine.progress import Progress
from sgad.measures.extractors.building import empty_network, initialise, read_state
from sgad.measures.extractors.features import Extractor, Floats, as_numpy, short_hash
from sgad.measures.images import EVENT_VIEWS, Bytes, EventView
from sgad.measures.readers import open_split

#: Images a batch of the published protocols: of the reference and FSVAE's generated images, and of FSDDIM's.
BATCH, FSDDIM_BATCH = 256, 250
#: Start and end of the SHA-256 of released checkpoints.
PUBLISHED_PTH = {"fashion_64.pth": ("234f4335d9da", "89e8")}
OWN = "autoencoder.safetensors"
OWN_IMAGES_SEEN = 40_000
OWN_TRAINING_IMAGES = 20_000
OWN_LARGEST_EPOCHS = 20
OWN_LATENT = 64
#: Channels of the last convolution of our own encoder; each one before has half of the next. Small enough to be shipped.
OWN_WIDTH = 128


class Encoder(nn.Module):
    """Images (B, C, S, S) in [-1, 1] to latents: [conv 3x3 / 2, batch norm, LeakyReLU 0.01] x depth, linear.

    The first convolution has `width` channels, each further one twice as many.
    """

    def __init__(self, channels: int, depth: int, latent: int, width: int = 32) -> None:
        super().__init__()
        widths = [channels, *(width * 2**level for level in range(depth))]
        self.encoder = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(low, high, 3, stride=2, padding=1), nn.BatchNorm2d(high), nn.LeakyReLU(0.01))
                for low, high in pairwise(widths)
            )
        )
        self.latent_layer = nn.Linear(widths[-1] * 4, latent)

    def forward(self, images: Tensor) -> Tensor:
        """The latents (B, latent)."""
        latents: Tensor = self.latent_layer(self.encoder(images).flatten(1))
        return latents


class Autoencoder(nn.Module):
    """Our own: the same encoder, with a decoder that mirrors it at half the width."""

    def __init__(self, channels: int, depth: int, latent: int) -> None:
        super().__init__()
        self.body = Encoder(channels, depth, latent, OWN_WIDTH >> (depth - 1))
        widths = [16 * 2**level for level in reversed(range(depth))]
        self.spread = nn.Linear(latent, widths[0] * 4)
        self.decoder = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Upsample(scale_factor=2),
                    nn.Conv2d(low, high, 3, padding=1),
                    nn.BatchNorm2d(high),
                    nn.LeakyReLU(0.01),
                )
                for low, high in zip(widths, [*widths[1:], 16], strict=True)
            )
        )
        self.pixels = nn.Conv2d(16, channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """The reconstruction, of the same shape, in [-1, 1]."""
        spread = self.spread(self.body(images)).reshape(len(images), -1, 2, 2)
        return torch.tanh(self.pixels(self.decoder(spread)))


def scaled(images: Bytes, size: int) -> Tensor:
    """Float32 (B, C, size, size) in [-1, 1]: Pillow's bilinear filter on bytes, then 2x - 1."""
    if images.shape[2:] != (size, size):
        # On bytes, not floats: Pillow rounds after each of its two passes, and so do the released statistics.
        flat = images.reshape(-1, *images.shape[2:])
        small = [
            np.asarray(Image.fromarray(channel).resize((size, size), Image.Resampling.BILINEAR)) for channel in flat
        ]
        images = np.stack(small).reshape(*images.shape[:2], size, size)
    return torch.from_numpy(images).float() / 255 * 2 - 1


def load_fsddim(path: Path | str, device: str = "cpu") -> Extractor:
    """The published encoder as FSDDIM's authors use it: generated images in batches of 250, the reference in those of 256."""
    reference = load_published(path, train_mode=True, device=device)
    generated = load_published(path, train_mode=True, device=device, batch=FSDDIM_BATCH)
    protocol = f"{generated.protocol} (reference: of {BATCH})"
    return replace(generated, key="fad_fsddim", protocol=protocol, reference=reference)


def load_published(path: Path | str, *, train_mode: bool, device: str = "cpu", batch: int = BATCH) -> Extractor:
    """The published encoder from the authors' .pth (loaded as weights only) or from .safetensors.

    `train_mode` as published: batches normalised by their own statistics.
    """
    path = Path(path)
    state, digest = read_state(path), sha256_of(path)
    _require_published(path, digest)
    network, shape = _encoder_of(state, path)
    network = network.to(device)
    channels, size = shape

    @torch.no_grad()
    def compute(images: Bytes) -> tuple[Floats, Floats | None]:
        if images.shape[1] != channels:
            raise InputError(f"{path} takes images of {channels} channel(s), got {images.shape[1]}")
        # The mode decides only which statistics are used: momentum 0 keeps the stored ones as they are.
        network.train(train_mode)
        return as_numpy(network(scaled(images, size).to(device))), None

    mode = f"training mode, batches of {batch}" if train_mode else "evaluation mode"
    return Extractor(
        key="fad_fsvae" if train_mode else "fad_eval",
        protocol=f"FSVAE autoencoder {path.name} {short_hash(digest)}, Pillow bilinear to {size}, {mode}",
        sha256=digest,
        compute=compute,
        bytes_per_image=1 << 20,
        largest_batch=batch,
        fixed_batch=batch if train_mode else None,
    )


def _encoder_of(state: Mapping[str, Tensor], path: Path) -> tuple[nn.Module, tuple[int, int]]:
    """Build the encoder that a state dict describes; return it with (channels, image size)."""
    wanted = {
        key.removeprefix("module."): value
        for key, value in state.items()
        if key.removeprefix("module.").startswith(("encoder.", "latent_layer."))
    }
    first, last = wanted.get("encoder.0.0.weight"), wanted.get("latent_layer.weight")
    if first is None or last is None:
        raise InputError(f"{path} does not hold the FSVAE autoencoder (no encoder.0.0 and latent_layer)")
    depth = 1 + max(int(key.split(".")[1]) for key in wanted if key.startswith("encoder."))
    network = empty_network(Encoder, int(first.shape[1]), depth, int(last.shape[0]), int(first.shape[0]))
    try:
        network.load_state_dict(wanted)
    except RuntimeError as error:
        raise InputError(f"{path} does not hold the FSVAE autoencoder: {str(error).splitlines()[0]}") from error
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    return network, (int(first.shape[1]), 2 ** (depth + 1))


def _require_published(path: Path, digest: str) -> None:
    """Refuse another file under the name of a released checkpoint whose hash is known."""
    start, end = PUBLISHED_PTH.get(path.name, ("", ""))
    if not (digest.startswith(start) and digest.endswith(end)):
        raise InputError(
            f"{path} is not the released file (SHA-256 {digest[:12]}..., not {start}...{end}); fetch it again"
        )


def train_autoencoder(
    data_folder: Path | str,
    out_folder: Path | str,
    *,
    seed: int = 0,
    event_view: EventView = "mean",
    epochs: int | None = None,
) -> dict[str, Any]:
    """Train our own autoencoder on the train split; write autoencoder.safetensors and return its record.

    Mean squared error, AdamW 1e-3, batches of 100; measured in evaluation mode. The global random state is
    left alone.
    """
    images = open_split(Path(data_folder), "train").viewed(event_view).random_subset(OWN_TRAINING_IMAGES)
    size = 32 if max(images.shape[1:]) <= 32 else 64
    depth = 4 if size == 32 else 5
    pixels = torch.cat([scaled(block, size) for block in images.batches(500)])
    epochs = epochs or max(1, min(OWN_LARGEST_EPOCHS, round(OWN_IMAGES_SEEN / len(pixels))))
    generator = torch.Generator().manual_seed(seed)
    network = empty_network(Autoencoder, pixels.shape[1], depth, OWN_LATENT)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    initialise(network, generator)
    loss = _fit(network, pixels, epochs, generator)
    path = Path(out_folder) / OWN
    encoder: nn.Module = network.get_submodule("body")
    with atomic_write(path) as temporary:
        save_file({key: value.contiguous() for key, value in encoder.state_dict().items()}, temporary)
    return {
        "sha256": sha256_of(path),
        "size": size,
        "latent": OWN_LATENT,
        "epochs": epochs,
        "loss": loss,
        "seed": seed,
    }


def _fit(network: nn.Module, pixels: Tensor, epochs: int, generator: torch.Generator) -> float:
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    network.train()
    total = 0.0
    with Progress(epochs, title="autoencoder", unit="epochs") as progress:
        for _ in range(epochs):
            total = 0.0
            batches = torch.randperm(len(pixels), generator=generator).split(100)
            for batch in batches:
                optimizer.zero_grad(set_to_none=True)
                loss = functional.mse_loss(network(pixels[batch]), pixels[batch])
                loss.backward()
                optimizer.step()
                total += loss.item() / len(batches)
            progress.update(1, f"loss {total:.4f}")
    return total


def load_own(path: Path | str, event_view: str | None = None, device: str = "cpu") -> Extractor:
    """Our own autoencoder's encoder, in evaluation mode."""
    published = load_published(path, train_mode=False, device=device)
    view = f", {EVENT_VIEWS[event_view]}" if event_view else ""
    protocol = published.protocol.replace("FSVAE autoencoder", "own autoencoder")
    return replace(published, key="fad_own", protocol=protocol + view)
