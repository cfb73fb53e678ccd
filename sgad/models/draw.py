"""THE call of a generator, for training, sampling and analyses: its latents, its noise, its time steps.

    z = latents(config, 1000)                      the same on every machine, whatever draws them
    draw(generator, z, config, random)             one pass, with noise from `random`
    draw_all(generator, z, config)                 batch after batch, with the noise of the run's samples

Latents and the noise of samples come from generators of random numbers on the CPU, so that a GPU makes the same images.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.models.generators import Generated
from sgad.runs.seeds import Streams

#: Images generated at once where memory allows, and always where images of a batch share noise or statistics.
BATCH = 250
#: torch draws normal numbers sixteen at a time, and draws the last sixteen again where they are not whole.
_TOGETHER = 16


def normal(count: int, width: int, seed: int) -> Tensor:
    """Standard normal numbers (count, width), float32, of which fewer rows are always the first of more."""
    rows = -(-count // _TOGETHER) * _TOGETHER
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))[:count]


def latents(config: RunConfig, count: int, sample_seed: int = 0) -> Tensor:
    """Latents z (count, latent_dim) of a run's samples; other than its training's and its grids'."""
    return normal(count, config.latent_dim, Streams.of(config).samples(sample_seed))


def fixed_latents(config: RunConfig, count: int) -> Tensor:
    """Latents z (count, latent_dim) of the grids and of looks at a training: the same for every model, variant and step."""
    return normal(count, config.latent_dim, Streams.of(config).grid())


def training_latents(config: RunConfig, step: int, count: int, dtype: torch.dtype) -> Tensor:
    """Latents z (count, latent_dim) of an update pair, on the CPU: a GPU trains on the same."""
    random = torch.Generator().manual_seed(Streams.of(config).z(step))
    return torch.randn(count, config.latent_dim, generator=random, dtype=dtype)


def draw(
    generator: nn.Module,
    z: Tensor,
    config: RunConfig,
    random: torch.Generator | None = None,
    *,
    keep_steps: bool = False,
) -> Generated:
    """Run a generator once on z (B, latent_dim).

    A user's class is handed noise only with rate encoding, and asked for all time steps only if they are wanted: it need
    not know either.
    """
    noise = (random,) if config.encoder == "rate" else ()
    wishes = {"keep_steps": True} if keep_steps else {}
    made: Generated = generator(z, *noise, **wishes)
    return made


@torch.no_grad()
def draw_all(
    generator: nn.Module, z: Tensor, config: RunConfig, *, keep_steps: bool = False, batch: int = BATCH
) -> Iterator[Generated]:
    """Run a generator on z (N, latent_dim), any number of them, in batches; where it is, and in its precision.

    The noise of rate encoding is one stream, drawn for whole batches of BATCH: image n has the same noise whoever draws
    it, and however many images follow.
    """
    parameter = next(generator.parameters())
    random = torch.Generator().manual_seed(Streams.of(config).sample_encoding())
    shares_noise = config.encoder == "rate"
    for part in z.split(BATCH if shares_noise else batch):
        count = len(part)
        if shares_noise and not generator.training:
            part = torch.cat([part, part.new_zeros(BATCH - count, part.shape[1])])
        made = draw(generator, part.to(parameter.device, parameter.dtype), config, random, keep_steps=keep_steps)
        yield made if len(part) == count else _first(made, count)


def _first(made: Generated, count: int) -> Generated:
    """The first images of a batch."""

    def cut(values: Tensor | None) -> Tensor | None:
        return None if values is None else values[:, :count] if values.ndim in (2, 5) else values[:count]

    frames, shown = cut(made.frames), cut(made.shown)
    assert frames is not None
    assert shown is not None
    return Generated(frames, shown, made.extra_loss, cut(made.steps), cut(made.shares))
