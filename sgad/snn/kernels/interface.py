"""What every kernel takes and returns."""

from dataclasses import dataclass

from torch import Tensor, nn

from sgad.snn.neurons import Neuron

#: What neurons feed.
Synapse = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


@dataclass(frozen=True)
class Norm:
    """Batch normalisation: weight and bias (C,); mean and var (C,), or None for each step's own statistics."""

    weight: Tensor
    bias: Tensor
    mean: Tensor | None = None
    var: Tensor | None = None
    eps: float = 1e-5


@dataclass(frozen=True)
class Scan:
    """How a layer of neurons runs over time.

    `pool` 2 averages spikes over 2x2 neighbours; `weights` (one a step) returns the weighted sum of the spikes over
    time instead of the spikes; `keep_state` asks for the last potentials. The CPU kernel leaves those of neurons that
    pooling drops at an odd edge undefined; nothing reads them.
    """

    steps: int
    neuron: Neuron
    pool: int = 1
    weights: tuple[float, ...] | None = None
    keep_state: bool = False


@dataclass(frozen=True)
class ScanResult:
    """What a layer of neurons gives.

    Attributes
    ----------
    spikes
        (T, B, H / pool, W / pool, C), or (1, B, ...) if weighted over time.
    state
        Last potentials (B, H, W, C), or None if not asked for.
    mean, var
        Batch statistics (T, C), or (1, C) if every step has the same; biased variance, no gradient. None without them.
    """

    spikes: Tensor
    state: Tensor | None
    mean: Tensor | None = None
    var: Tensor | None = None


@dataclass(frozen=True)
class Fed:
    """What a synapse makes of a layer's spikes.

    Attributes
    ----------
    currents
        (T, B, ...), channels last, or (1, B, ...) if weighted over time.
    state, mean, var
        As in `ScanResult`.
    """

    currents: Tensor
    state: Tensor | None
    mean: Tensor | None = None
    var: Tensor | None = None
