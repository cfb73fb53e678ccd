"""Samplers as programs of torch.export: the same images without this package."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sgad.config.compose import resolve
from sgad.errors import InputError
from sgad.models.registry import build_generator, fold_batch_norm
from sgad.zoo.program import save_program


@pytest.mark.slow  # torch.export takes half a minute
@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", ["sgad", "swgan", "sgan"])
def test_a_program_makes_the_same_images_elsewhere(tmp_path: Path, family: str) -> None:
    config = resolve("digits", family, "smoke", settings={"time_steps": 2, "threshold": 0.1}).config
    generator = fold_batch_norm(build_generator(config, (1, 28, 28)).eval())
    assert save_program(generator, config, tmp_path / "sampler.pt2") <= 1e-5
    z = torch.randn(5, config.latent_dim, generator=torch.Generator().manual_seed(1))
    np.save(tmp_path / "z.npy", z.numpy())
    code = (
        "import numpy, sys, torch; z = torch.from_numpy(numpy.load('z.npy'));"
        "made = torch.export.load('sampler.pt2').module()(z); numpy.save('made.npy', made.detach().numpy());"
        "assert 'sgad' not in sys.modules"
    )
    # Where no sgad can be imported.
    subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd=tmp_path)
    with torch.no_grad():
        expected = generator(z).shown.numpy()
    assert expected.std() > 0
    assert np.abs(np.load(tmp_path / "made.npy") - expected).max() <= 1e-5


def test_what_cannot_be_a_program_is_said(tmp_path: Path) -> None:
    config = resolve("digits", "swgan", "smoke", settings={"time_steps": 2}).config
    generator = fold_batch_norm(build_generator(config, (1, 28, 28)).eval())
    with pytest.raises(InputError, match=r"must end in \.pt2"):
        save_program(generator, config, tmp_path / "sampler.onnx")
    with pytest.raises(InputError, match="encoder rate draws random numbers"):
        save_program(generator, config.model_copy(update={"encoder": "rate"}), tmp_path / "sampler.pt2")
