"""Objectives: closed forms, signs, and refusals."""

import math

import pytest
import torch

from sgad.errors import InputError
from sgad.training.objectives import OBJECTIVES, critic_gap, discriminator_loss, generator_loss

REAL, FAKE = torch.tensor([0.5, 2.0], dtype=torch.float64), torch.tensor([-0.25, 1.5], dtype=torch.float64)


def softplus(x):
    return math.log1p(math.exp(x))


EXPECTED = {
    "earth_mover": (1.25 - 0.625, 0.625),
    "hinge": ((0.5 + 0) / 2 + (0.75 + 2.5) / 2, -0.625),
    "least_squares": (((0.25 + 1) / 2 + (0.0625 + 2.25) / 2) / 2, (1.5625 + 0.25) / 2),
    "non_saturating": (
        (softplus(-0.5) + softplus(-2)) / 2 + (softplus(-0.25) + softplus(1.5)) / 2,
        (softplus(0.25) + softplus(-1.5)) / 2,
    ),
    "bce": (
        (softplus(-0.5) + softplus(-2) + softplus(-0.25) + softplus(1.5)) / 2,
        softplus(0.25) + softplus(-1.5),
    ),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_their_formulas(name):
    expected = EXPECTED[name]
    assert discriminator_loss(name, REAL, FAKE).item() == pytest.approx(expected[0], rel=1e-14)
    assert generator_loss(name, FAKE).item() == pytest.approx(expected[1], rel=1e-14)


def test_cross_entropy_of_probabilities_is_that_of_their_logits():
    ours = discriminator_loss("bce", torch.sigmoid(REAL), torch.sigmoid(FAKE), is_probability=True)
    assert ours.item() == pytest.approx(EXPECTED["bce"][0], rel=1e-13)
    assert generator_loss("bce", torch.sigmoid(FAKE), is_probability=True).item() == pytest.approx(EXPECTED["bce"][1])


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name != "earth_mover"])
def test_a_better_critic_has_a_smaller_loss(name):
    assert discriminator_loss(name, REAL.new_tensor([1.0]), REAL.new_tensor([-1.0])) < discriminator_loss(
        name, REAL.new_tensor([-1.0]), REAL.new_tensor([1.0])
    )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_gap_grows_as_the_critics_loss_falls(name):
    good, bad = REAL.new_tensor([1.0, 0.5]), REAL.new_tensor([-1.0, -0.5])
    real, fake = (bad, good) if name == "earth_mover" else (good, bad)
    assert critic_gap(name, real, fake).item() == pytest.approx(1.5)
    assert critic_gap(name, fake, real).item() == pytest.approx(-1.5)
    assert discriminator_loss(name, real, fake) < discriminator_loss(name, fake, real)


def test_an_unknown_objective_and_probabilities_out_of_place_are_refused():
    with pytest.raises(InputError, match="objective must be one of"):
        generator_loss("wasserstein", FAKE)
    with pytest.raises(ValueError, match="raw scores"):
        generator_loss("hinge", FAKE, is_probability=True)
