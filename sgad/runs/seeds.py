"""Seeds derived from named axes, so that only what should change a draw changes it."""

import hashlib
import json
from dataclasses import dataclass

from sgad.config.run import RunConfig


def stream_seed(*axes: str | int) -> int:
    """Derive a 32-bit seed from the named axes alone, the same in every process and on every machine.

    >>> stream_seed("mnist", 0, "order", 0)
    895881803
    """
    # hash() differs between processes; SHA-256 does not.
    return int.from_bytes(hashlib.sha256(json.dumps(axes).encode()).digest()[:4], "big")


@dataclass(frozen=True)
class Streams:
    """The streams of random numbers of one run, each by the seed that it starts from.

    Neither model nor variant is an axis but of the initial weights: all models meet the same data, z and noise at the
    same step. A seed for each step means that a resumed training needs no state of a generator.
    """

    dataset: str
    seed: int
    model: str = ""

    @classmethod
    def of(cls, config: RunConfig) -> "Streams":
        """Streams of the run that `config` describes."""
        return cls(config.dataset, config.seed, config.model)

    def _seed(self, *axes: str | int) -> int:
        return stream_seed(self.dataset, self.seed, *axes)

    def order(self, epoch: int) -> int:
        """Order of the training images in an epoch."""
        return self._seed("order", epoch)

    def flip(self, step: int) -> int:
        """Which images of a batch are flipped."""
        return self._seed("flip", step)

    def z(self, step: int) -> int:
        """Latents of an update pair."""
        return self._seed("z", step)

    def step(self, step: int) -> int:
        """Everything else that an update pair draws: augmentation, noise, penalties, rate encoding, further z."""
        return self._seed("step", step)

    def initial(self, part: str) -> int:
        """Initial weights of "generator" or "discriminator". The variant is no axis: recipes start from the same point."""
        return stream_seed(self.dataset, self.model, self.seed, "initial", part)

    def grid(self) -> int:
        """Latents of the grids drawn while training."""
        return self._seed("grid")

    def samples(self, sample_seed: int) -> int:
        """Latents of samples.npz."""
        return self._seed("sample", sample_seed)

    def sample_encoding(self) -> int:
        """Noise of samples with rate encoding."""
        return self._seed("sample encoding")

    def recalibration(self) -> int:
        """Latents that batch norm's averages are estimated with anew."""
        return self._seed("recalibration")

    def named(self) -> dict[str, int]:
        """Seeds for run.json: of weights and grids, and of each stream's first step or epoch."""
        seeds = {
            "order": self.order(0),
            "flip": self.flip(0),
            "z": self.z(0),
            "step": self.step(0),
            "grid": self.grid(),
        }
        return seeds | {f"initial {part}": self.initial(part) for part in ("generator", "discriminator")}
