"""Generators: latent z to images or event frames, through layers of spiking neurons (architectures of arXiv:2305.10246)."""

import inspect
import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.models.decoding import decode, scoring_layers
from sgad.snn.batch_norm import StepBatchNorm, commit_statistics
from sgad.snn.convolutions import upconvolve
from sgad.snn.encoders import encode
from sgad.snn.kernels import Scan, is_periodic
from sgad.snn.layers import Spiking
from sgad.snn.neurons import Neuron, leaky_step, readout_weights
from sgad.snn.segments import States, run_in_segments

Shape = tuple[int, int, int]
HIDDEN = 1024
BASE_CHANNELS = 128
#: Images at least this large get a third deconvolution.
LARGE = 64


@dataclass(frozen=True)
class Generated:
    """What a generator makes of z.

    Attributes
    ----------
    frames
        What the critic sees: (T, B, C, H, W), or (B, C, H, W) for an image that is shown at every step.
    shown
        What people see: (B, C, H, W); event data (T, B, C, H, W). In [0, 1], or [-1, 1] with `pixel_range: symmetric`.
    extra_loss
        A term for the generator's loss (InfoNCE, weighted), or None.
    steps
        The decoded images of all steps (T, B, C, H, W), if asked for.
    shares
        The weights b[t] of the new frames in attention scoring decoding (T, B), with the steps.
    """

    frames: Tensor
    shown: Tensor
    extra_loss: Tensor | None = None
    steps: Tensor | None = None
    shares: Tensor | None = None


def can_keep_steps(generator: nn.Module) -> bool:
    """Return whether a generator can be asked for the image of every step; a class of one's own may not know how."""
    return "keep_steps" in inspect.signature(generator.forward).parameters


def neuron_of(config: RunConfig) -> Neuron:
    """Return the neurons that a configuration asks for."""
    return Neuron(config.neuron, config.tau, config.threshold, config.surrogate, config.surrogate_width)


class Generator(nn.Module):
    """The trunk that all families share; subclasses say how it is read out.

    Shapes (C, H, W): 28x28 and 32x32 have two deconvolutions, 64x64 and larger three; two channels are events.
    """

    def __init__(self, config: RunConfig, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.is_events = shape[0] == 2
        self.steps, self.encoder, self.tau = config.time_steps, config.encoder, config.tau
        self.neuron = neuron_of(config)
        self.pixel_range, self.memory = config.pixel_range, config.memory
        self.output_bias, self.output_gain = config.output_bias, config.output_gain
        #: How often running averages move in one pass: the release runs its generator twice on the same z.
        self.passes = 2 if config.quirks.generator_run_twice else 1
        self._build_trunk(config)

    def _build_trunk(self, config: RunConfig) -> None:
        channels, height, width = self.shape
        widths = [BASE_CHANNELS, 64, 32, channels] if height >= LARGE else [BASE_CHANNELS, 64, channels]
        factor = 2 ** (len(widths) - 1)
        if min(height, width) < 16 or height % factor or width % factor:
            raise InputError(
                f"images of {height}x{width} do not fit the generators: height and width must be at least 16 and"
                f" multiples of {factor}; resize them in the data set's description"
            )
        self.base = (height // factor, width // factor)
        features = BASE_CHANNELS * self.base[0] * self.base[1]
        self.linear1 = nn.Linear(config.latent_dim, HIDDEN)
        self.norm1 = StepBatchNorm(HIDDEN)
        self.linear2 = nn.Linear(HIDDEN, features)
        self.norm2 = StepBatchNorm(features)
        self.num_deconvs = len(widths) - 1
        for index, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
            self.add_module(f"deconv{index}", nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1))
            if index < self.num_deconvs:
                self.add_module(f"norm{index + 2}", StepBatchNorm(outputs))
        self.num_layers = self.num_deconvs + 1
        for index in range(1, self.num_layers + 1):
            self.add_module(f"neurons{index}", Spiking(self.neuron, config.engine))

    @property
    def last_deconv(self) -> nn.ConvTranspose2d:
        """Return the layer that makes the pixels."""
        return self.deconv(self.num_deconvs)

    def forward(self, z: Tensor, random: torch.Generator | None = None, *, keep_steps: bool = False) -> Generated:
        """Make frames of z (B, latent_dim); `random` is for rate encoding, `keep_steps` asks for every step."""
        x = encode(z, self.encoder, self.steps, random)
        generated = self._read_out(x, keep_steps)
        commit_statistics(self, self.passes)
        return generated

    def _read_out(self, x: Tensor, keep_steps: bool) -> Generated:
        raise NotImplementedError

    def currents(self, x: Tensor, weights: tuple[float, ...] | None = None) -> Tensor:
        """Return the last deconvolution's output (T, B, C, H, W) for encoded z (T or 1, B, latent_dim).

        With `weights`, one a step, their weighted sum over time (1, B, C, H, W).
        """

        def run(part: Tensor, first: int, count: int, states: States) -> tuple[Tensor, States]:
            chosen = None if weights is None else weights[first : first + count]
            return self._run(part, count, states, chosen, keep_state=self.memory == "low")

        if self.memory == "low" and torch.is_grad_enabled() and self.steps > 1:
            out = run_in_segments(self, run, x, self.steps, self.num_layers, is_sum=weights is not None)
        else:
            out = run(x, 0, self.steps, [None] * self.num_layers)[0]
        return out.permute(0, 1, 4, 2, 3)

    def _run(
        self, x: Tensor, steps: int, states: States, weights: tuple[float, ...] | None, *, keep_state: bool
    ) -> tuple[Tensor, States]:
        after: States = []
        x = self.linear1(x)
        if self._only_samples(x, steps, keep_state):
            from sgad.snn.kernels.spike_lists import sample_pixels

            deconvolutions = [self.deconv(index) for index in range(1, self.num_deconvs + 1)]
            pixels = sample_pixels(
                x, self.linear2, deconvolutions, self.base, Scan(steps, self.neuron, weights=weights)
            )
            if pixels is not None:
                return pixels, after
        for index in range(1, self.num_layers + 1):
            neurons, found = self.get_submodule(f"neurons{index}"), self.get_submodule(f"norm{index}")
            assert isinstance(neurons, Spiking)
            # Folded into the weights, the batch norm is gone.
            norm = found if isinstance(found, StepBatchNorm) else None
            is_last = index == self.num_layers
            if index == 1:
                x, state = neurons.into(x, steps, norm, self.linear2, states[0], keep_state)
            elif is_last and weights is not None:
                x, state = neurons(x, steps, norm, states[index - 1], weights, keep_state)
                # A bias at every step, weighted and added up, is the bias times the weights' sum.
                x = upconvolve(x, self.deconv(index - 1), sum(weights))
            elif index == 2:
                x, state = neurons(x, steps, norm, states[1], None, keep_state)
                x = x.unflatten(2, (BASE_CHANNELS, *self.base)).permute(0, 1, 3, 4, 2)
                x = upconvolve(x, self.deconv(1), engine=neurons.kernel(x.device))
            else:
                x, state = neurons.into(x, steps, norm, self.deconv(index - 1), states[index - 1], keep_state)
            after.append(state)
        return x, after

    def _only_samples(self, x: Tensor, steps: int, keep_state: bool) -> bool:
        """Return whether spikes may be followed one by one: folded, on a CPU, nobody asks for gradients or activity."""
        layers = [layer for layer in self.children() if isinstance(layer, Spiking)]
        return (
            not torch.is_grad_enabled()
            and not any(isinstance(layer, StepBatchNorm) for layer in self.children())
            and all(layer.activity is None for layer in layers)
            and is_periodic(x, Scan(steps, self.neuron, keep_state=keep_state), layers[0].kernel(x.device))
        )

    def deconv(self, index: int) -> nn.ConvTranspose2d:
        """Return the transposed convolution number `index`, counted from 1."""
        layer = self.get_submodule(f"deconv{index}")
        assert isinstance(layer, nn.ConvTranspose2d)
        return layer

    def _pixels(self, values: Tensor) -> Tensor:
        """Move values in [0, 1] to the configured range of pixels."""
        return values * 2 - 1 if self.pixel_range == "symmetric" else values


class SganGenerator(Generator):
    """SGAN: spikes are the pixels; the shown image is their mean over time, events are the spikes themselves."""

    def __init__(self, config: RunConfig, shape: Shape) -> None:
        super().__init__(config, shape)
        self.neurons_out = Spiking(self.neuron, config.engine)

    def _read_out(self, x: Tensor, keep_steps: bool) -> Generated:
        currents = self.currents(x)
        if self.neuron.kind == "leaky_relu":
            frames = torch.sigmoid(currents)
        else:
            frames, _ = self.neurons_out(currents, self.steps)
        frames = self._pixels(frames)
        shown = frames if self.is_events else frames.mean(dim=0)
        return Generated(frames, shown, steps=frames if keep_steps else None)


class SwganGenerator(Generator):
    """SWGAN: a leaky integrator reads the last layer; images are sigmoid(m[T] / T), events sigmoid(m[t])."""

    def _read_out(self, x: Tensor, keep_steps: bool) -> Generated:
        if self.neuron.kind == "leaky_relu":
            return self._finish(self.currents(x), keep_steps)
        if self.is_events or keep_steps:
            return self._finish(self._integrate(self.currents(x)), keep_steps)
        weights = tuple(readout_weights(self.steps, self.tau))
        return self._finish(self.currents(x, weights), keep_steps)

    def _integrate(self, currents: Tensor) -> Tensor:
        m = torch.zeros_like(currents[0])
        potentials = []
        for current in currents:
            m = leaky_step(current, m, self.tau)
            potentials.append(m)
        return torch.stack(potentials)

    def _finish(self, potentials: Tensor, keep_steps: bool) -> Generated:
        """Take potentials of all steps, or of the last alone, to images."""
        if self.is_events:
            frames = self._pixels(torch.sigmoid(potentials))
            return Generated(frames, frames, steps=frames if keep_steps else None)
        images = self._pixels(torch.sigmoid(potentials / self.steps))
        return Generated(images[-1], images[-1], steps=images if keep_steps else None)


class SgadGenerator(Generator):
    """SGAD: a sigmoid at every step, then attention scoring decoding."""

    def __init__(self, config: RunConfig, shape: Shape) -> None:
        super().__init__(config, shape)
        self.scoring_mode, self.info_nce_weight = config.scoring_mode, config.info_nce_weight
        self.scoring_query = config.scoring_query
        layers = scoring_layers(config.scoring_mode, shape[0] * shape[1] * shape[2])
        self.scoring_names = tuple(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def _read_out(self, x: Tensor, keep_steps: bool) -> Generated:
        frames = torch.sigmoid(self.currents(x)).flatten(2)
        layers = {name: self.get_submodule(name) for name in self.scoring_names}
        keep = keep_steps or self.is_events
        decoded = decode(frames, self.scoring_mode, layers, keep_steps=keep, query=self.scoring_query)  # type: ignore[arg-type]
        extra_loss = None
        if decoded.extra_loss is not None and self.info_nce_weight > 0:
            extra_loss = self.info_nce_weight * decoded.extra_loss
        steps = None if decoded.steps is None else self._pixels(decoded.steps.unflatten(2, self.shape))
        if self.is_events:
            assert steps is not None
            return Generated(steps, steps, extra_loss, steps if keep_steps else None, decoded.shares)
        image = self._pixels(decoded.last.unflatten(1, self.shape))
        return Generated(image, image, extra_loss, steps, decoded.shares)
