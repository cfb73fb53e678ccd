"""A sampler as one file that needs no sgad: z in, images out, batch norm folded, all time steps unrolled (torch.export)."""

from pathlib import Path

import torch
from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.errors import InputError, RunFailure
from sgad.machine.files import atomic_write
from sgad.models.generators import Generated
from sgad.snn.layers import use_engine

#: Largest difference to sampling that is let pass, in units of a pixel's range.
TOLERANCE = 1e-5
CHECKED_IMAGES = 8


class _Shown(nn.Module):
    """A generator that gives out its images alone, (B, C, H, W), or frames (T, B, 2, H, W) of events."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor) -> Tensor:
        made: Generated = self.generator(z)
        return made.shown


def save_program(generator: nn.Module, config: RunConfig, path: Path) -> float:
    """Write a generator that is ready to sample as a program of `torch.export`; return its largest difference to sampling.

    `torch.export.load(path).module()(z)` makes images of z (B, latent_dim), B at least 2, in the range of the generator.

    Raises
    ------
    InputError
        If the file's name does not end in .pt2, or the generator draws random numbers.
    RunFailure
        If the program's images differ from the generator's by more than TOLERANCE.
    """
    if path.suffix != ".pt2":
        raise InputError(f"{path} must end in .pt2, as torch.export's files do")
    if config.encoder == "rate":
        raise InputError(
            "encoder rate draws random numbers in every pass, which a program does not hold; sample from Python"
        )
    sampler = _Shown(generator).eval()
    random = torch.Generator().manual_seed(0)
    z = torch.randn(CHECKED_IMAGES, config.latent_dim, generator=random, dtype=next(generator.parameters()).dtype)
    with torch.no_grad(), use_engine(generator, "torch"):
        batch = {"z": {0: torch.export.Dim("batch", min=2)}}
        program = torch.export.export(sampler, (z[: CHECKED_IMAGES // 2],), dynamic_shapes=batch, strict=False)
    with atomic_write(path) as temporary:
        torch.export.save(program, temporary)
    with torch.no_grad():
        difference = float((torch.export.load(path).module()(z) - sampler(z)).abs().max())
    if difference > TOLERANCE:
        raise RunFailure(f"{path}: its images differ from sampled ones by {difference:.2g}; report this model")
    return difference
