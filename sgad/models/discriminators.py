"""Discriminators: images or event frames to one score each (architectures of arXiv:2305.10246)."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.models.generators import LARGE, Shape, neuron_of
from sgad.snn.batch_norm import StepBatchNorm, commit_statistics
from sgad.snn.convolutions import convolve
from sgad.snn.encoders import encode
from sgad.snn.layers import Spiking
from sgad.snn.neurons import NEGATIVE_SLOPE, readout_weights
from sgad.snn.segments import States, run_in_segments

#: Potentials that one pass of the SGAN critic leaves to the next: those of its spiking layer and of its integrator.
CriticState = tuple[Tensor, Tensor]


def _steps_of(x: Tensor, steps: int) -> int:
    """Return over how many steps `x` is seen: images and a single frame over all, frames one each."""
    return steps if x.ndim == 4 or len(x) == 1 else len(x)


class Discriminator(nn.Module):
    """The convolutional critic: spiking ("em"), or analog without time (the hybrid's).

    Static images (B, C, H, W) are encoded to T steps, frames (T, B, C, H, W) enter as they are; a single frame
    (1, B, C, H, W) is shown at every step, as the release shows generated images, which it does not encode.
    The spiking critic's score is m[T] / T. The analog one scores every frame on its own and returns the mean over
    frames, so that on static images it is the release's.
    """

    def __init__(self, config: RunConfig, shape: Shape) -> None:
        super().__init__()
        channels, height, width = shape
        self.shape, self.steps, self.encoder = shape, config.time_steps, config.encoder
        neuron = neuron_of(config)
        self.is_analog = config.discriminator == "analog" or neuron.kind == "leaky_relu"
        self.neuron = replace(neuron, kind="leaky_relu") if self.is_analog else neuron
        self.memory = config.memory
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
        self.neurons1 = Spiking(self.neuron, config.engine, pool=2)
        self.neurons2 = Spiking(self.neuron, config.engine, pool=2)
        self.neurons3 = Spiking(self.neuron, config.engine)

    def forward(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Return scores (B,) of images (B, C, H, W) or frames (T, B, C, H, W); `random` is for rate encoding."""
        if self.is_analog:
            # Without time, a static image is one frame.
            frames = x.unsqueeze(0) if x.ndim == 4 else x
            scores = self._analog_scores(frames)
        else:
            frames = encode(x, self.encoder, self.steps, random) if x.ndim == 4 else x
            scores = self._scores(frames, _steps_of(x, self.steps))
        commit_statistics(self)
        return scores

    def _scores(self, frames: Tensor, steps: int) -> Tensor:
        weights = tuple(readout_weights(steps, self.neuron.tau))

        def run(part: Tensor, first: int, count: int, states: States) -> tuple[Tensor, States]:
            return self._run(part, count, states, weights[first : first + count], keep_state=self.memory == "low")

        if self.memory == "low" and torch.is_grad_enabled() and steps > 1:
            spikes = run_in_segments(self, run, frames, steps, 3, is_sum=True)
        else:
            spikes = run(frames, 0, steps, [None] * 3)[0]
        # The integrator is linear: its last potential is linear2 of the weighted spikes.
        potential = functional.linear(spikes[0], self.linear2.weight, self.linear2.bias * sum(weights))
        return potential[:, 0] / self.steps

    def _analog_scores(self, frames: Tensor) -> Tensor:
        hidden, _ = self._run(frames, len(frames), [None] * 3, None, keep_state=False)
        scores = self.linear2(hidden)[..., 0]
        if self.is_probability:
            scores = torch.sigmoid(scores)
        mean: Tensor = scores.mean(dim=0)
        return mean

    def _run(
        self, x: Tensor, steps: int, states: States, weights: tuple[float, ...] | None, *, keep_state: bool
    ) -> tuple[Tensor, States]:
        x = x.permute(0, 1, 3, 4, 2)
        x = convolve(x, self.conv1)
        x, state1 = self.neurons1.into(x, steps, self.norm1, self.conv2, states[0], keep_state)
        x, state2 = self.neurons2(x, steps, self.norm2, states[1], None, keep_state)
        # linear1's weights are laid out channels first, as the release flattens.
        x = self.linear1(x.permute(0, 1, 4, 2, 3).flatten(2))
        x, state3 = self.neurons3(x, steps, None, states[2], weights, keep_state)
        return x, [state1, state2, state3]


class SganDiscriminator(nn.Module):
    """SGAN's small critic: flattened steps, one spiking layer, a leaky integrator; score sigmoid(m[T] / T)."""

    def __init__(self, config: RunConfig, shape: Shape) -> None:
        super().__init__()
        self.shape, self.steps, self.encoder = shape, config.time_steps, config.encoder
        self.neuron = neuron_of(config)
        self.is_probability = config.objective == "bce"
        self.linear1 = nn.Linear(shape[0] * shape[1] * shape[2], 400)
        self.linear2 = nn.Linear(400, 1)
        self.neurons1 = Spiking(self.neuron, config.engine)

    def forward(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Return scores (B,) of images (B, C, H, W) or frames (T, B, C, H, W); `random` is for rate encoding."""
        return self.score_from(x, None, random)[0]

    def score_from(
        self, x: Tensor, state: CriticState | None, random: torch.Generator | None = None
    ) -> tuple[Tensor, CriticState | None]:
        """Score `x` starting from the potentials that an earlier pass left; return them as they are then, too."""
        frames = (encode(x, self.encoder, self.steps, random) if x.ndim == 4 else x).flatten(2)
        steps = _steps_of(x, self.steps)
        currents = self.linear1(frames)
        if self.neuron.kind == "leaky_relu":
            potential, last = self.linear2(functional.leaky_relu(currents, NEGATIVE_SLOPE)).mean(dim=0), None
        else:
            weights = tuple(readout_weights(steps, self.neuron.tau))
            before = (None, None) if state is None else state
            spikes, last = self.neurons1(currents, steps, None, before[0], weights, keep_state=True)
            potential = functional.linear(spikes[0], self.linear2.weight, self.linear2.bias * sum(weights))
            if before[1] is not None:
                potential = potential + before[1] * (1 - 1 / self.neuron.tau) ** steps
        score = potential[:, 0] / self.steps
        return (
            torch.sigmoid(score) if self.is_probability else score,
            None if last is None else (last, potential),
        )
