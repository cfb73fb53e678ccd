"""The networks that train_step and sample compare: the package's, the plain definition, the dense floor, the authors'."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sgad.config.run import RunConfig
from sgad.models.discriminators import AnalogDiscriminator, Discriminator
from sgad.models.generators import Generator, SgadGenerator, SwganGenerator
from sgad.models.registry import build_discriminator, build_generator
from sgad.training.loop import make_networks, pairs_of
from tests.plain import PlainCritic, PlainGenerator, plain_update_pair

SHAPES = {
    "mnist": (1, 28, 28),
    "digits": (1, 28, 28),
    "fashion_mnist": (1, 28, 28),
    "nmnist": (2, 28, 28),
    "celeba": (3, 64, 64),
    "cifar10": (3, 32, 32),
}
Run = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """One line of a benchmark."""

    model: str
    dataset: str
    time_steps: int
    batch_size: int
    device: str = "cpu"
    memory: str = "normal"
    engine: str = "auto"
    precision: str = "float32"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of an image, (C, H, W)."""
        return SHAPES[self.dataset]

    def config(self) -> RunConfig:
        """The paper's configuration of this model and data set, at this T and batch size."""
        is_grey = self.shape[0] == 1
        values = {
            "dataset": self.dataset,
            "model": self.model,
            "generator": "sgad" if self.model == "hybrid" else self.model,
            "discriminator": {"sgan": "sgan", "hybrid": "analog"}.get(self.model, "em"),
            "objective": "bce" if self.model in ("sgan", "hybrid") else "earth_mover",
            "scoring_mode": "AttentionScoring_1" if is_grey else "AttentionScoring_RGB",
            "latent_dim": 100 if self.model == "sgan" else (20 if self.shape[0] == 3 else 10),
            "time_steps": self.time_steps,
            "batch_size": self.batch_size,
            "quirks": "paper",
            "engine": self.engine,
            "memory": self.memory,
            "precision": self.precision,
        }
        return RunConfig.model_validate(values)

    def inputs(self) -> tuple[Tensor, Tensor]:
        """Real batch and z, from a fixed seed."""
        random = torch.Generator().manual_seed(0)
        frames = (self.time_steps,) if self.shape[0] == 2 else ()
        real = torch.rand(*frames, self.batch_size, *self.shape, generator=random)
        z = torch.randn(self.batch_size, self.config().latent_dim, generator=random)
        return real.to(self.device), z.to(self.device)


def engine_step(case: Case) -> Run:
    """One update pair of the package."""
    config = case.config()
    generator = build_generator(config, case.shape).to(case.device)
    discriminator = build_discriminator(config, case.shape).to(case.device)
    pairs = pairs_of(config, make_networks(config, generator, discriminator), torch.device(case.device), print)
    real, z = case.inputs()
    random = torch.Generator(case.device).manual_seed(0)
    return lambda: pairs(real, z, step=0, random=random)


def plain_step(case: Case) -> Run:
    """One update pair of the plain definition, in float32."""
    config = case.config()
    generator = PlainGenerator(
        config.generator, case.shape, config.latent_dim, case.time_steps, config.scoring_mode
    ).to(case.device)
    critic = PlainCritic(config.discriminator, case.shape, case.time_steps).to(case.device)
    optimisers = (
        torch.optim.RMSprop(generator.parameters(), lr=2e-4),
        torch.optim.RMSprop(critic.parameters(), lr=2e-4),
    )
    real, z = case.inputs()
    objective = "bce" if config.objective == "bce" else "em"
    return lambda: plain_update_pair(generator, critic, *optimisers, real, z, objective)


def dense_step(case: Case) -> Run:
    """Convolutions and matrix products that one update pair needs at least, forward and backward, alone.

    Each is called once over all steps, in channels last, torch's fastest layout; what is constant over time only once.
    """
    config = case.config()
    generator = build_generator(config, case.shape).to(case.device)
    discriminator = build_discriminator(config, case.shape).to(case.device)
    assert isinstance(generator, Generator)
    calls = [*_generator_calls(generator, case), *_critic_calls(discriminator, case)]

    def run() -> None:
        for call in calls:
            call()

    return run


def _call(layer: nn.Module, shape: tuple[int, ...], to_x: bool, to_weight: bool, device: str) -> Run:
    """One forward and backward call of a layer on spikes of `shape`, channels first."""
    assert isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    x = (torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.2).float().to(device)
    weight = layer.weight.detach()
    if len(shape) == 4:
        x, weight = (value.contiguous(memory_format=torch.channels_last) for value in (x, weight))
    x, weight = x.requires_grad_(to_x), weight.clone().requires_grad_(to_weight)

    def forward() -> Tensor:
        if isinstance(layer, nn.Linear):
            return functional.linear(x, weight)
        if isinstance(layer, nn.Conv2d):
            return functional.conv2d(x, weight)
        return functional.conv_transpose2d(x, weight, stride=2, padding=1)

    gradient = torch.rand_like(forward())
    wanted = [value for value in (x, weight) if value.requires_grad]
    return lambda: torch.autograd.grad(forward(), wanted, gradient)


def _generator_calls(generator: Generator, case: Case) -> list[Run]:
    batch, all_steps, device = case.batch_size, case.batch_size * case.time_steps, case.device
    calls = [_call(generator.linear1, (batch, generator.linear1.in_features), False, True, device)]
    calls.append(_call(generator.linear2, (all_steps, generator.linear2.in_features), True, True, device))
    height, width = generator.base
    for layer in (block.synapse for block in generator.blocks()):
        if not isinstance(layer, nn.ConvTranspose2d):
            continue
        # SWGAN's static image needs the weighted sum over time alone.
        is_collapsed = (
            isinstance(generator, SwganGenerator) and not generator.is_events and layer is generator.last_deconv
        )
        count = batch if is_collapsed else all_steps
        calls.append(_call(layer, (count, layer.in_channels, height, width), True, True, device))
        height, width = 2 * height, 2 * width
    if isinstance(generator, SgadGenerator):
        size = math.prod(case.shape)
        names = [name for name in generator.scoring_names if generator.get_submodule(name).in_features == size]
        calls += [_call(generator.get_submodule(name), (all_steps, size), True, True, device) for name in names]
    return calls


def _critic_calls(critic: nn.Module, case: Case) -> list[Run]:
    channels, height, width = case.shape
    is_analog = isinstance(critic, AnalogDiscriminator)
    fake_is_static = channels != 2 and case.model != "sgan"
    real_is_static = channels != 2
    steps = 1 if is_analog and real_is_static else case.time_steps
    calls = []
    # The critic's update on real and fake, then the generator's, which needs no gradient of the critic's weights.
    passes = ((real_is_static, False, True), (fake_is_static, False, True), (fake_is_static, True, False))
    for is_static, to_first, to_weight in passes:
        first = case.batch_size * (1 if is_static else case.time_steps)
        count = case.batch_size * steps
        if isinstance(critic, Discriminator):
            calls += [
                _call(critic.conv1, (first, channels, height, width), to_first, to_weight, case.device),
                _call(critic.conv2, (count, 32, (height - 4) // 2, (width - 4) // 2), True, to_weight, case.device),
                _call(critic.linear1, (count, critic.linear1.in_features), True, to_weight, case.device),
            ]
        else:
            calls.append(
                _call(critic.get_submodule("linear1"), (first, math.prod(case.shape)), to_first, to_weight, case.device)
            )
    return calls
