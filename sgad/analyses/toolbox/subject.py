"""The run that is looked at: its networks, what the generator makes, and the data, as arrays."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sgad.measures.images import ImageSet as StoredImages
from sgad.measures.readers import open_split
from sgad.models.draw import draw, draw_all, latents
from sgad.models.generators import Generated, can_keep_steps
from sgad.models.registry import load_discriminator, load_generator
from sgad.runs.seeds import Streams
from sgad.sampling import Statistics, prepare_generator

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Made:
    """What a generator made of N latents, float32 in [0, 1].

    Attributes
    ----------
    critic
        (T, N, C, H, W), or (1, N, C, H, W) where the critic is shown the same image at every step.
    steps
        The image at every step (T, N, C, H, W).
    shown
        What a person is shown (N, C, H, W): the mean of spikes, the last image; of events the mean frame.
    shares
        The weights b of new frames in attention scoring decoding (T, N), or None.
    """

    critic: Floats
    steps: Floats
    shown: Floats
    shares: Floats | None


class Subject:
    """One trained run with its prepared data set; what several analyses share is computed once.

    `statistics` are those of batch norm, by default the ones that the run was configured with.
    """

    def __init__(
        self, folder: Path, data: Path, num: int, device: str = "cpu", statistics: Statistics | None = None
    ) -> None:
        self.folder, self.data, self.num = folder, data, num
        self.device = torch.device(device)
        trained, self.config, self.shape = load_generator(folder)
        self.dtype = getattr(torch, self.config.dtype)
        #: As trained, batch norm apart from the weights; `generator` is ready to sample.
        self.trained = trained.to(self.device, self.dtype)
        statistics = statistics or self.config.sampling_statistics
        self.generator = prepare_generator(self.trained, self.config, statistics)

    @property
    def is_events(self) -> bool:
        """Whether the run makes event frames."""
        return self.shape[0] == 2

    @cached_property
    def discriminator(self) -> nn.Module:
        """The trained critic."""
        return load_discriminator(self.folder).to(self.device, self.dtype)

    @cached_property
    def z(self) -> Tensor:
        """Latents (num, latent_dim), those of the run's samples.npz."""
        return latents(self.config, self.num, 0).to(self.device, self.dtype)

    @torch.no_grad()
    def run_generator(self, z: Tensor) -> Generated:
        """Run the generator once, on a batch of latents and with the noise that the run's samples begin with."""
        random = torch.Generator().manual_seed(Streams.of(self.config).sample_encoding())
        return draw(self.generator, z, self.config, random)

    def images_of(self, z: Tensor) -> Floats:
        """Images (N, C, H, W) that a person is shown for latents (N, latent_dim)."""
        return np.concatenate([_shown(self._unit(made.shown)) for made in draw_all(self.generator, z, self.config)])

    @cached_property
    def made(self) -> Made:
        """What the generator makes of the latents: the images of samples.npz, before they are rounded to bytes."""
        keeps = can_keep_steps(self.generator)
        parts = [self._part(made) for made in draw_all(self.generator, self.z, self.config, keep_steps=keeps)]
        critic, steps, shown = (
            np.concatenate([getattr(part, name) for part in parts], axis=axis)
            for name, axis in (("critic", 1), ("steps", 1), ("shown", 0))
        )
        shares = [part.shares for part in parts if part.shares is not None]
        return Made(critic, steps, shown, np.concatenate(shares, axis=1) if shares else None)

    def _part(self, made: Generated) -> Made:
        critic = self._unit(made.frames if made.frames.ndim == 5 else made.frames.unsqueeze(0))
        steps = self._unit(made.steps) if made.steps is not None else critic
        shares = None if made.shares is None else np.asarray(made.shares.cpu().numpy(), np.float32)
        return Made(critic, steps, _shown(self._unit(made.shown)), shares)

    def _unit(self, values: Tensor) -> Floats:
        array = np.asarray(values.detach().float().cpu().numpy(), np.float32)
        return (array + np.float32(1)) / np.float32(2) if self.config.pixel_range == "symmetric" else array

    def clips(self, split: str | None = None, count: int | None = None) -> Floats:
        """Real images (N, C, H, W) or event clips (N, T, C, H, W) in [0, 1], a fixed random subset."""
        stored = self.stored(split)
        chosen = stored.random_subset(count or self.num)
        return chosen.read(np.arange(len(chosen))).astype(np.float32) / np.float32(255)

    def stored(self, split: str | None = None) -> StoredImages:
        """A split of the data set, by default the one that samples are compared with."""
        return open_split(self.data, split)

    @cached_property
    def real(self) -> Floats:
        """Real images (N, C, H, W) as a person is shown them; of events the mean frame."""
        clips = self.clips()
        return np.asarray(clips.mean(axis=1), np.float32) if clips.ndim == 5 else clips


def _shown(images: Floats) -> Floats:
    return np.asarray(images.mean(axis=0), np.float32) if images.ndim == 5 else images
