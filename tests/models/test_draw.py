"""Training, sampling and analyses draw images by one call, from streams that do not depend on the machine."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sgad.analyses.toolbox.subject import Subject
from sgad.config.compose import resolve
from sgad.models.draw import BATCH, draw, draw_all, latents, training_latents
from sgad.models.registry import build_generator, initialise
from sgad.runs.seeds import Streams
from sgad.sampling import SampleRequest, prepare_generator, sample_run
from sgad.training.run import TrainRequest, train_run
from sgad.zoo.pretrained import load

SETTINGS = {"epochs": 1, "max_steps": 2, "batch_size": 16, "time_steps": 3, "latent_dim": 10}


def config_with(encoder: str = "direct", **changes: object):
    return resolve("digits", "swgan", "paper", settings={**SETTINGS, "encoder": encoder, **changes}).config


@pytest.mark.parametrize("encoder", ["direct", "rate", "ttfs"])
def test_samples_and_analyses_look_at_the_same_images(encoder: str, tmp_path: Path, digits: Path) -> None:
    train_run(
        TrainRequest(
            config_with(encoder, sampling_statistics="recalibrated"), digits, tmp_path, device="cpu", threads=1
        ),
        lambda message: None,
    )
    path = sample_run(SampleRequest(tmp_path, num=BATCH + 20, device="cpu", threads=1))
    stored = np.load(path)["images"].astype(np.float32) / 255
    assert (stored.std(axis=0) > 0).any()
    subjects = [Subject(tmp_path, digits, num).made.shown for num in (BATCH + 20, BATCH + 7, 24)]
    for shown in [*subjects, load(tmp_path).sample(9) / np.float32(255)]:
        # Samples are rounded to bytes.
        assert np.abs(shown - stored[: len(shown)]).max() < 0.51 / 255


@pytest.mark.parametrize("latent_dim", [1, 6, 10, 100])
def test_fewer_latents_begin_more_of_them(latent_dim: int) -> None:
    config = config_with(latent_dim=latent_dim)
    many = latents(config, 500, 3)
    for count in (1, 2, 7, 16, 63, 499):
        assert torch.equal(latents(config, count, 3), many[:count])


def test_latents_of_whole_sixteens_are_what_they_were() -> None:
    config = config_with()
    plain = torch.randn(80, 10, generator=torch.Generator().manual_seed(Streams.of(config).samples(3)))
    assert torch.equal(latents(config, 80, 3), plain)


def test_noise_is_drawn_once_for_all_batches() -> None:
    config = config_with("rate")
    generator = build_generator(config, (1, 28, 28))
    initialise(generator, torch.Generator().manual_seed(0))
    generator = prepare_generator(generator, config, "recalibrated")
    with torch.no_grad():
        first, second = (made.shown for made in draw_all(generator, latents(config, 16).repeat(32, 1)[:500], config))
        again = draw(generator, latents(config, 16), config, torch.Generator().manual_seed(1)).shown
    assert first.shape == second.shape == (BATCH, 1, 28, 28)
    assert not torch.equal(first[:16], second[6:22])
    assert again.shape == (16, 1, 28, 28)


def test_a_trainings_z_depends_on_seed_and_step_alone() -> None:
    config = config_with()
    z = training_latents(config, 3, 4, torch.float32)
    assert z.device.type == "cpu"
    assert torch.equal(z, training_latents(config_with("rate", lr_generator=0.1), 3, 4, torch.float32))
    assert not torch.equal(z, training_latents(config, 4, 4, torch.float32))
