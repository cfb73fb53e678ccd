"""Discriminators: images or event frames to one score each (architectures of arXiv:2305.10246)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.models.door import require_images
from sgad.models.generators import LARGE, Shape
from sgad.models.units import integrator_of, neurons_of
from sgad.snn.analog import Analog
from sgad.snn.batch_norm import StepBatchNorm, commit_statistics
from sgad.snn.encoders import encode
from sgad.snn.layers import Block, Neurons, convolve
from sgad.snn.segments import run_network

#: Potentials that one pass of the SGAN critic leaves to the next: those of its spiking layer and of its integrator.
CriticState = tuple[Tensor, Tensor]


class Discriminator(nn.Module):
    """The convolutional critic ("em"); its score is m[T] / T of a leaky integrator at the end.

        images -> conv1 -> norm1, neurons, pool -> conv2 -> norm2, neurons, pool -> linear1 -> neurons -> linear2

    Static images (B, C, H, W) are encoded to T steps, frames (T, B, C, H, W) enter as they are; a single frame
    (1, B, C, H, W) is shown at every step, as the release shows generated images, which it does not encode.
    """

    def __init__(self, config: RunConfig, shape: Shape) -> None:
        super().__init__()
        channels, height, width = shape
        self.shape, self.steps, self.encoder = shape, config.time_steps, config.encoder
        self.memory = config.memory
        self.integrator = integrator_of(config)
        #: Whether scores are probabilities; other objectives than cross-entropy take the raw score.
        self.is_probability = config.discriminator == "analog" and config.objective == "bce"
        rows, columns = (((size - 4) // 2 - 4) // 2 for size in (height, width))
        if min(rows, columns) < 1:
            raise InputError(f"images of {height}x{width} are too small for the discriminator; it needs 16x16")
        hidden = 2048 if height >= LARGE else 1024
        self.conv1 = nn.Conv2d(channels, 32, 5)
        self.norm1 = StepBatchNorm(32)
        self.conv2 = nn.Conv2d(32, 64, 5)
        self.norm2 = StepBatchNorm(64)
        self.linear1 = nn.Linear(64 * rows * columns, hidden)
        self.linear2 = nn.Linear(hidden, 1)
        self.neurons1 = self._neurons(config, pool=2)
        self.neurons2 = self._neurons(config, pool=2)
        self.neurons3 = self._neurons(config, pool=1)

    def _neurons(self, config: RunConfig, pool: int) -> Neurons:
        return neurons_of(config, pool)

    def forward(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Score images (B, C, H, W) or frames (T, B, C, H, W), (B,); `random` is for rate encoding."""
        # Its bias stands for the network: to look at a weight under spectral norm moves the norm on.
        require_images(x, self.shape, self.conv1.bias)
        frames = encode(x, self.encoder, self.steps, random) if x.ndim == 4 else x
        steps = _steps_of(x, self.steps)
        weights = self.integrator.weights(steps)
        spikes = run_network(self, self._first, self._blocks(), frames, steps, weights, memory=self.memory)
        commit_statistics(self)
        return _last_potential(spikes[0], self.linear2, weights)[:, 0] / self.steps

    def _first(self, frames: Tensor) -> Tensor:
        return convolve(frames.permute(0, 1, 3, 4, 2), self.conv1)

    def _blocks(self) -> list[Block]:
        return [
            Block(self.norm1, self.neurons1, self.conv2),
            Block(self.norm2, self.neurons2, self.linear1),
            Block(None, self.neurons3),
        ]


class AnalogDiscriminator(Discriminator):
    """The convolutional critic of analog units, without time: the hybrid's, and the analog control's.

    Each frame is scored on its own, and the score is the mean over frames; a static image is one frame, as in the release.
    """

    def _neurons(self, config: RunConfig, pool: int) -> Neurons:
        return Analog(pool)

    def forward(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Score images (B, C, H, W) or frames (T, B, C, H, W), (B,); nothing is drawn from `random`."""
        require_images(x, self.shape, self.conv1.bias)
        frames = x.unsqueeze(0) if x.ndim == 4 else x
        hidden = run_network(self, self._first, self._blocks(), frames, len(frames))
        commit_statistics(self)
        scores = self.linear2(hidden)[..., 0]
        mean: Tensor = (torch.sigmoid(scores) if self.is_probability else scores).mean(dim=0)
        return mean


class SganDiscriminator(nn.Module):
    """SGAN's small critic: sigmoid(m[T] / T) of a leaky integrator behind flattened steps -> linear1 -> neurons -> linear2."""

    def __init__(self, config: RunConfig, shape: Shape) -> None:
        super().__init__()
        self.shape, self.steps, self.encoder = shape, config.time_steps, config.encoder
        self.integrator = integrator_of(config)
        self.is_probability = config.objective == "bce"
        self.linear1 = nn.Linear(shape[0] * shape[1] * shape[2], 400)
        self.linear2 = nn.Linear(400, 1)
        self.neurons1 = neurons_of(config)

    def forward(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Score images (B, C, H, W) or frames (T, B, C, H, W), (B,); `random` is for rate encoding."""
        return self.score_from(x, None, random)[0]

    def score_from(
        self, x: Tensor, state: CriticState | None, random: torch.Generator | None = None
    ) -> tuple[Tensor, CriticState | None]:
        """Score `x` starting from the potentials that an earlier pass left; return them as they are then, too."""
        require_images(x, self.shape, self.linear1.bias)
        frames = (encode(x, self.encoder, self.steps, random) if x.ndim == 4 else x).flatten(2)
        steps = _steps_of(x, self.steps)
        weights = self.integrator.weights(steps)
        before, potential_before = (None, None) if state is None else state
        spikes, last = self.neurons1(self.linear1(frames), steps, None, before, weights, keep_state=True)
        potential = _last_potential(spikes[0], self.linear2, weights)
        if potential_before is not None:
            potential = potential + potential_before * self.integrator.keeps(steps)
        score = potential[:, 0] / self.steps
        after = None if last is None else (last, potential)
        return torch.sigmoid(score) if self.is_probability else score, after


def _steps_of(x: Tensor, steps: int) -> int:
    """Steps that `x` is seen over: images and a single frame over all, frames one each."""
    return steps if x.ndim == 4 or len(x) == 1 else len(x)


def _last_potential(spikes: Tensor, synapse: nn.Linear, weights: tuple[float, ...]) -> Tensor:
    """m[T] (B, 1) of the leaky integrator behind `synapse`, for the weighted sum of spikes (B, N) over time.

    The integrator is linear: a bias at every step, weighted and added up, is the bias times the weights' sum.
    """
    return functional.linear(spikes, synapse.weight, synapse.bias * sum(weights))
