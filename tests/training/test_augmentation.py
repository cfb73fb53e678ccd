"""Differentiable augmentation."""

import pytest
import torch

from sgad.config.run import RunConfig
from sgad.training.augmentation import AUGMENTATIONS, augment


def config_with(**values):
    return RunConfig.model_validate({"dataset": "mnist", "model": "sgad", **values})


def draw(x, names=(), noise=0.0, seed=0):
    return augment(x, config_with(augment=names, input_noise=noise), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_is_reproducible_differentiable_and_the_same_at_all_steps(name):
    x = torch.rand(6, 1, 28, 28, dtype=torch.float64).requires_grad_()
    before = torch.random.get_rng_state()
    frames = draw(x.expand(3, *x.shape), (name,))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(frames[0], frames[2])
    assert torch.equal(frames[0], draw(x, (name,)))
    assert not torch.equal(frames[0], draw(x, (name,), seed=1))
    frames.sum().backward()
    assert x.grad.abs().sum() > 0


def test_translation_moves_and_fills_with_zero():
    x = torch.zeros(200, 1, 28, 28)
    x[:, :, 14, 14] = 1
    moved = draw(x, ("translation",))
    places = moved.flatten(1).argmax(1)
    rows, columns = places // 28 - 14, places % 28 - 14
    assert (moved.flatten(1).sum(1) == 1).all()
    assert {-4, 4} <= set(rows.tolist()) <= set(range(-4, 5))
    assert {-4, 4} <= set(columns.tolist()) <= set(range(-4, 5))
    border = draw(torch.ones(200, 1, 28, 28), ("translation",))
    assert (border.mean((1, 2, 3)) <= 1).all()
    assert border.min() == 0


def test_cutout_hides_a_square():
    seen = draw(torch.ones(300, 1, 28, 28), ("cutout",)).mean((1, 2, 3))
    assert seen.min().item() == pytest.approx(0.75)
    assert seen.max() < 1


def test_brightness_shifts_a_whole_image():
    shifts = draw(torch.zeros(500, 1, 4, 4), ("brightness",))
    assert torch.allclose(shifts, shifts[:, :, :1, :1].expand_as(shifts))
    assert -0.5 <= shifts.min() < -0.45
    assert 0.45 < shifts.max() <= 0.5


def test_noise_is_the_same_at_all_steps():
    """Else it alone would tell spike trains from still images, which are shown at every step."""
    still = torch.rand(4, 1, 28, 28)
    frames = draw(still.expand(3, *still.shape), noise=0.1)
    assert torch.equal(frames[0], frames[2])
    assert torch.equal(frames[0], draw(still, noise=0.1))


def test_noise_and_nothing():
    x = torch.rand(4, 1, 28, 28)
    assert draw(x) is x
    assert (draw(x, noise=0.1) - x).std().item() == pytest.approx(0.1, rel=0.1)
