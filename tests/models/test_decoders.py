"""Decoders of one's own behind the shared trunk, and what networks refuse at the door."""

import pytest
import torch
from torch import Tensor, nn

from sgad.config.compose import resolve
from sgad.config.plugins import REGISTERED
from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.models import registry
from sgad.models.decoders import generator_with, integrator_of
from sgad.models.registry import build_discriminator, build_generator, register

SHAPE = (1, 28, 28)


class MeanPotential(nn.Module):
    def __init__(self, config: RunConfig, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.integrator = integrator_of(config)
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, currents: Tensor) -> Tensor:
        potentials = self.integrator(currents)
        steps = torch.arange(1, len(potentials) + 1).view(-1, 1, 1, 1, 1)
        return torch.sigmoid(self.gain * potentials.cumsum(dim=0) / steps)


class LastOnly(MeanPotential):
    def forward(self, currents: Tensor) -> Tensor:
        return super().forward(currents)[-1]


@pytest.fixture
def registered():
    register("generator", "mean_potential")(generator_with(MeanPotential))
    register("generator", "last_only")(generator_with(LastOnly))
    yield
    for name in ("mean_potential", "last_only"):
        registry.GENERATORS.pop(name)
        REGISTERED["generator"].discard(name)


def config_of(generator: str = "sgad", **settings: object) -> RunConfig:
    return resolve("digits", "sgad", "smoke", settings={"generator": generator, **settings}).config


@pytest.mark.usefixtures("registered")
def test_a_registered_decoder_reads_the_trunk_out_and_learns() -> None:
    config = config_of("mean_potential", time_steps=3)
    generator = build_generator(config, SHAPE)
    z = torch.randn(4, config.latent_dim, generator=torch.Generator().manual_seed(0))
    made = generator(z, keep_steps=True)
    assert made.shown.shape == (4, *SHAPE) and made.steps.shape == (3, 4, *SHAPE)
    assert torch.equal(made.steps[-1], made.shown)
    expected = MeanPotential(config, SHAPE)(generator.eval().currents(z.unsqueeze(0)))
    assert torch.equal(generator(z, keep_steps=True).steps, expected)
    generator(z).shown.sum().backward()
    assert generator.decoder.gain.grad is not None and generator.linear1.weight.grad is not None


@pytest.mark.usefixtures("registered")
def test_a_decoder_of_the_wrong_shape_is_told_the_right_one() -> None:
    config = config_of("last_only", time_steps=3)
    with pytest.raises(InputError, match=r"LastOnly gave \(2, 1, 28, 28\); it must .* \(3, 2, 1, 28, 28\)"):
        build_generator(config, SHAPE)(torch.zeros(2, config.latent_dim))


@pytest.mark.parametrize(
    ("z", "sentence"),
    [
        (torch.zeros(10), r"latents must be \(B, 10\), got \(10,\)"),
        (torch.zeros(2, 12), r"got \(2, 12\); latent_dim is 10"),
        (torch.zeros(2, 10, dtype=torch.int64), "must be floats"),
        (torch.zeros(2, 10, dtype=torch.float64), r"write latents\.to\(torch\.float32\)"),
        (torch.zeros(2, 10, device="meta"), r"latents are on meta and the network is on cpu"),
    ],
)
def test_latents_are_checked_at_the_door(z: Tensor, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        build_generator(config_of(latent_dim=10), SHAPE)(z)


@pytest.mark.parametrize("discriminator", ["em", "analog", "sgan"])
def test_images_are_checked_at_the_door(discriminator: str) -> None:
    critic = build_discriminator(config_of(discriminator=discriminator), SHAPE)
    for wrong in (torch.zeros(2, 784), torch.zeros(2, 3, 28, 28), torch.zeros(2, 1, 32, 32)):
        with pytest.raises(InputError, match=r"images must be \(B, 1, 28, 28\) or frames"):
            critic(wrong)
    with pytest.raises(InputError, match=r"of bytes, images\.float\(\) / 255"):
        critic(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))
