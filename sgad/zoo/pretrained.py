"""A trained generator ready to draw images: what `sgad.load` returns."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.config.zoo import find_weights
from sgad.errors import InputError
from sgad.images import Bytes, to_bytes
from sgad.models.draw import draw_all, latents
from sgad.models.generators import Shape, can_keep_steps
from sgad.models.registry import load_generator
from sgad.sampling import prepare_generator
from sgad.snn.recording import Trace, record_traces


@dataclass(frozen=True)
class Pretrained:
    """A generator with batch norm folded into its weights, its configuration and the shape (C, H, W) it makes."""

    generator: nn.Module
    config: RunConfig
    shape: Shape

    def latents(self, num: int, seed: int = 0) -> Tensor:
        """Z (num, latent_dim): those that `sgad sample --seed SEED` starts from, too."""
        return latents(self.config, num, seed)

    def sample(self, num: int = 16, seed: int = 0) -> Bytes:
        """Uint8 images (num, C, H, W), or event frames (T, num, 2, H, W)."""
        return self.draw(self.latents(num, seed))

    def draw(self, z: Tensor) -> Bytes:
        """The images of given latents (N, latent_dim); see `sample`."""
        made = draw_all(self.generator, z, self.config)
        batches = [to_bytes(each.shown, self.config.pixel_range) for each in made]
        return np.concatenate(batches, axis=1 if self.shape[0] == 2 else 0)

    def watch(self, z: Tensor) -> tuple[Bytes, dict[str, Trace]]:
        """What is shown after each time step (T, N, C, H, W), and every spiking layer through time.

        Raises
        ------
        InputError
            If the generator is a class of a user's own that cannot show single steps.
        """
        if not can_keep_steps(self.generator):
            raise InputError(
                f"{self.config.generator} shows no single steps; let its forward take keep_steps and give `steps`"
            )
        shown, parts = [], []
        with record_traces(self.generator) as traces:
            for made in draw_all(self.generator, z, self.config, keep_steps=True):
                assert made.steps is not None
                shown.append(to_bytes(made.steps, self.config.pixel_range))
                # A pass overwrites the traces of the one before.
                parts.append(dict(traces))
        return np.concatenate(shown, axis=1), {name: _joined([part[name] for part in parts]) for name in traces}

    def save_program(self, path: Path | str) -> float:
        """Write the sampler as a program that runs without sgad; see `sgad.zoo.program.save_program`."""
        from sgad.zoo.program import save_program

        return save_program(self.generator, self.config, Path(path))


def _joined(traces: list[Trace]) -> Trace:
    """The trace of all images of several passes."""
    return Trace(
        torch.cat([trace.potentials for trace in traces], dim=1), torch.cat([trace.spikes for trace in traces], dim=1)
    )


def load(name_or_path: Path | str) -> Pretrained:
    """Load a generator: a model of the zoo by name, a zoo or run folder, or a generator.safetensors.

    Raises
    ------
    InputError
        If there is no whole generator, or the class of a user's own that it names is not found.
    """
    generator, config, shape = load_generator(find_weights(name_or_path))
    return Pretrained(prepare_generator(generator, config, config.sampling_statistics), config, shape)
