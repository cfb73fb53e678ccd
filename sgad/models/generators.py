"""Generators: latent z to images or event frames, through layers of spiking neurons (architectures of arXiv:2305.10246)."""

import inspect
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.models.decoding import decode, scoring_layers
from sgad.models.door import require_latents
from sgad.models.units import integrator_of, neurons_of
from sgad.snn.batch_norm import StepBatchNorm, commit_statistics
from sgad.snn.encoders import encode
from sgad.snn.layers import Block
from sgad.snn.segments import run_network

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
    """Whether a generator can be asked for the image of every step; a class of one's own may not know how."""
    return "keep_steps" in inspect.signature(generator.forward).parameters


class Generator(nn.Module):
    """The layers that all families share; subclasses say how they are read out.

        z -> linear1 -> norm1, neurons -> linear2 -> norm2, neurons -> deconv1 -> norm3, neurons -> deconv2
        and for 64x64 and larger -> norm4, neurons -> deconv3

    Images are (C, H, W), with two channels for events. `deconv` doubles height and width (4x4, stride 2, padding 1).
    """

    def __init__(self, config: RunConfig, shape: Shape) -> None:
        super().__init__()
        channels, height, width = shape
        self.shape = shape
        self.is_events = channels == 2
        self.steps, self.encoder = config.time_steps, config.encoder
        self.pixel_range, self.memory = config.pixel_range, config.memory
        self.output_bias, self.output_gain = config.output_bias, config.output_gain
        #: How often running averages move in one pass: the release runs its generator twice on the same z.
        self.passes = 2 if config.quirks.generator_run_twice else 1
        is_large = height >= LARGE
        self.base = _base(height, width, 8 if is_large else 4)
        features = BASE_CHANNELS * self.base[0] * self.base[1]
        self.linear1 = nn.Linear(config.latent_dim, HIDDEN)
        self.norm1 = StepBatchNorm(HIDDEN)
        self.linear2 = nn.Linear(HIDDEN, features)
        self.norm2 = StepBatchNorm(features)
        self.deconv1 = _deconvolution(BASE_CHANNELS, 64)
        self.norm3 = StepBatchNorm(64)
        self.deconv2 = _deconvolution(64, 32 if is_large else channels)
        self.norm4 = StepBatchNorm(32) if is_large else None
        self.deconv3 = _deconvolution(32, channels) if is_large else None
        self.neurons1, self.neurons2, self.neurons3 = (neurons_of(config) for _ in range(3))
        self.neurons4 = neurons_of(config) if is_large else None

    def blocks(self) -> list[Block]:
        """The layers behind linear1, in order: batch norm and neurons, and what they feed."""
        table = [
            Block(self.norm1, self.neurons1, self.linear2),
            Block(self.norm2, self.neurons2, self.deconv1, base=self.base),
            Block(self.norm3, self.neurons3, self.deconv2),
        ]
        if self.neurons4 is not None:
            table.append(Block(self.norm4, self.neurons4, self.deconv3))
        return table

    @property
    def last_deconv(self) -> nn.ConvTranspose2d:
        """The layer that makes the pixels."""
        return self.deconv2 if self.deconv3 is None else self.deconv3

    def forward(self, z: Tensor, random: torch.Generator | None = None, *, keep_steps: bool = False) -> Generated:
        """Make frames of z (B, latent_dim); `random` is for rate encoding, `keep_steps` asks for every step."""
        require_latents(z, self.linear1)
        x = encode(z, self.encoder, self.steps, random)
        generated = self._read_out(x, keep_steps)
        commit_statistics(self, self.passes)
        return generated

    def _read_out(self, x: Tensor, keep_steps: bool) -> Generated:
        raise NotImplementedError

    def currents(self, x: Tensor, weights: tuple[float, ...] | None = None) -> Tensor:
        """The last deconvolution's output (T, B, C, H, W) for encoded z (T or 1, B, latent_dim).

        With `weights`, one a step, their weighted sum over time (1, B, C, H, W).
        """
        pixels = run_network(self, self.linear1, self.blocks(), x, self.steps, weights, memory=self.memory)
        return pixels.permute(0, 1, 4, 2, 3)

    def _pixels(self, values: Tensor) -> Tensor:
        """Move values in [0, 1] to the configured range of pixels."""
        return values * 2 - 1 if self.pixel_range == "symmetric" else values


def _base(height: int, width: int, factor: int) -> tuple[int, int]:
    """Height and width of the first images, which deconvolutions enlarge by `factor`."""
    if min(height, width) < 16 or height % factor or width % factor:
        raise InputError(
            f"images of {height}x{width} do not fit the generators: height and width must be at least 16 and"
            f" multiples of {factor}; resize them in the data set's description"
        )
    return height // factor, width // factor


def _deconvolution(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)


class SganGenerator(Generator):
    """SGAN: spikes are the pixels; the shown image is their mean over time, events are the spikes themselves."""

    def __init__(self, config: RunConfig, shape: Shape) -> None:
        super().__init__(config, shape)
        self.neurons_out = neurons_of(config, analog_function="sigmoid")

    def _read_out(self, x: Tensor, keep_steps: bool) -> Generated:
        spikes, _ = self.neurons_out(self.currents(x), self.steps)
        frames = self._pixels(spikes)
        shown = frames if self.is_events else frames.mean(dim=0)
        return Generated(frames, shown, steps=frames if keep_steps else None)


class SwganGenerator(Generator):
    """SWGAN: a leaky integrator reads the last layer; images are sigmoid(m[T] / T), events sigmoid(m[t])."""

    def __init__(self, config: RunConfig, shape: Shape) -> None:
        super().__init__(config, shape)
        self.integrator = integrator_of(config)

    def _read_out(self, x: Tensor, keep_steps: bool) -> Generated:
        if self.is_events:
            frames = self._pixels(torch.sigmoid(self.integrator(self.currents(x))))
            return Generated(frames, frames, steps=frames if keep_steps else None)
        # m[T] alone is one weighted sum, of the spikes before the last layer.
        weights = None if keep_steps else self.integrator.weights(self.steps)
        potentials = self.currents(x, weights) if weights else self.integrator(self.currents(x))
        images = self._pixels(torch.sigmoid(potentials / self.steps))
        return Generated(images[-1], images[-1], steps=images if keep_steps else None)


class SgadGenerator(Generator):
    """SGAD: a sigmoid at every step, then attention scoring decoding."""

    def __init__(self, config: RunConfig, shape: Shape) -> None:
        super().__init__(config, shape)
        self.scoring_mode, self.info_nce_weight = config.scoring_mode, config.info_nce_weight
        self.scoring_query, self.engine = config.scoring_query, config.engine
        layers = scoring_layers(config.scoring_mode, shape[0] * shape[1] * shape[2])
        self.scoring_names = tuple(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def _read_out(self, x: Tensor, keep_steps: bool) -> Generated:
        frames = torch.sigmoid(self.currents(x)).flatten(2)
        layers = {name: self.get_submodule(name) for name in self.scoring_names}
        keep = keep_steps or self.is_events
        decoded = decode(
            frames,
            self.scoring_mode,
            layers,  # type: ignore[arg-type]
            keep_steps=keep,
            query=self.scoring_query,
            engine=self.engine,
        )
        extra_loss = None
        if decoded.extra_loss is not None and self.info_nce_weight > 0:
            extra_loss = self.info_nce_weight * decoded.extra_loss
        steps = None if decoded.steps is None else self._pixels(decoded.steps.unflatten(2, self.shape))
        if self.is_events:
            assert steps is not None
            return Generated(steps, steps, extra_loss, steps if keep_steps else None, decoded.shares)
        image = self._pixels(decoded.last.unflatten(1, self.shape))
        return Generated(image, image, extra_loss, steps, decoded.shares)
