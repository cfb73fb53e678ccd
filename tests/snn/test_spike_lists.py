"""Following single spikes when sampling equals the layers that it stands for."""

import pytest
import torch
from torch import nn

from sgad.config.run import RunConfig
from sgad.models.registry import build_generator, fold_batch_norm
from sgad.snn.activity import record_activity
from sgad.snn.batch_norm import StepBatchNorm
from sgad.snn.kernels.interface import Scan
from sgad.snn.kernels.periodic_loops import TILE
from sgad.snn.kernels.spike_lists import DENSE, sample_pixels
from sgad.snn.layers import use_engine
from sgad.snn.neurons import Neuron


def folded_generator(shape=(1, 28, 28), **changes):
    values = {
        "dataset": "digits",
        "model": "sgad",
        "generator": "sgad",
        "discriminator": "em",
        "objective": "earth_mover",
    }
    config = RunConfig.model_validate({**values, "latent_dim": 6, "time_steps": 5, **changes})
    torch.manual_seed(3)
    generator = build_generator(config, shape).double()
    with torch.no_grad():
        # Silent neurons would be no test.
        for norm in (part for part in generator.modules() if isinstance(part, StepBatchNorm)):
            norm.bias.fill_(0.4)
        for _ in range(6):
            generator(torch.randn(16, 6, dtype=torch.float64))
        generator.last_deconv.weight *= 20
        generator.last_deconv.bias.fill_(0.9)
    return fold_batch_norm(generator)


@pytest.mark.parametrize("generator", ["sgan", "swgan", "sgad"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (2, 28, 28), (3, 32, 32), (3, 64, 64), (1, 16, 24)])
def test_generators_sample_the_same_with_and_without_lists_of_spikes(generator, shape):
    folded = folded_generator(shape, generator=generator, scoring_mode="AttentionScoring_1")
    z = torch.randn(7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = folded(z)
        with use_engine(folded, "torch"):
            expected = folded(z)
    assert ours.shown.std() > 0
    assert torch.allclose(ours.frames, expected.frames, rtol=1e-10, atol=1e-12)
    assert torch.allclose(ours.shown, expected.shown, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 3, 64, 255])
@pytest.mark.parametrize("neuron", [Neuron(tau=1.0), Neuron(tau=1.5, threshold=0.7)])
@pytest.mark.parametrize("weighted", [False, True])
def test_layers_of_any_width_and_length(steps, neuron, weighted):
    random = torch.Generator().manual_seed(steps)
    # With these layers, some neurons of every case fire and most do not.
    torch.manual_seed(1)
    linear = nn.Linear(9, 5 * 6).double()
    deconvolutions = [nn.ConvTranspose2d(5, 3, 4, 2, 1).double(), nn.ConvTranspose2d(3, 2, 4, 2, 1).double()]
    weights = tuple(torch.rand(steps, generator=random).tolist()) if weighted else None
    with torch.no_grad():
        linear.weight *= 2
        x = torch.randn(1, 4, 9, dtype=torch.float64, generator=random) + 0.7
        ours = sample_pixels(x, linear, deconvolutions, (2, 3), Scan(steps, neuron, weights=weights))
        spikes = fire(linear(fire(x.expand(steps, -1, -1), neuron)), neuron)
        images = spikes.unflatten(2, (5, 2, 3))
        first = deconvolutions[0](images.flatten(0, 1)).unflatten(0, (steps, 4))
        expected = deconvolutions[1](fire(first, neuron).flatten(0, 1)).unflatten(0, (steps, 4)).permute(0, 1, 3, 4, 2)
        if weighted:
            expected = (expected * torch.tensor(weights, dtype=torch.float64).view(-1, 1, 1, 1, 1)).sum(
                dim=0, keepdim=True
            )
    assert ours is not None
    assert spikes.any()
    assert torch.allclose(ours, expected, rtol=1e-10, atol=1e-12)


def test_outputs_that_end_within_a_tile():
    """Of two tiles, the second is partly filled."""
    torch.manual_seed(2)
    linear, deconvolution = nn.Linear(9, 75 * 2).double(), nn.ConvTranspose2d(75, 1, 4, 2, 1).double()
    assert TILE < linear.out_features < 2 * TILE
    x = torch.randn(1, 3, 9, dtype=torch.float64) + 0.7
    with torch.no_grad():
        linear.bias += 0.6
        ours = sample_pixels(x, linear, [deconvolution], (1, 2), Scan(5, Neuron()))
        spikes = fire(linear(fire(x.expand(5, -1, -1), Neuron())), Neuron()).unflatten(2, (75, 1, 2))
        expected = deconvolution(spikes.flatten(0, 1)).unflatten(0, (5, 3)).permute(0, 1, 3, 4, 2)
    assert ours is not None
    assert spikes[..., TILE // 2 :, :, :].any()
    assert torch.allclose(ours, expected, rtol=1e-10, atol=1e-12)


def fire(currents, neuron):
    v, spikes = torch.zeros_like(currents[0]), []
    for current in currents:
        h = v + (current - v) / neuron.tau
        spikes.append((h > neuron.threshold).to(h.dtype))
        v = h * (1 - spikes[-1])
    return torch.stack(spikes)


def test_many_spikes_take_the_dense_way():
    linear, deconvolutions = nn.Linear(4, 12), [nn.ConvTranspose2d(3, 1, 4, 2, 1)]
    with torch.no_grad():
        linear.bias.fill_(100.0)
        assert sample_pixels(torch.zeros(1, 2, 4), linear, deconvolutions, (2, 2), Scan(4, Neuron())) is None
        linear.bias[int(12 * DENSE) :] = -100.0
        assert sample_pixels(torch.zeros(1, 2, 4), linear, deconvolutions, (2, 2), Scan(4, Neuron())) is not None


def test_recorded_activity_and_gradients_see_every_layer():
    folded = folded_generator()
    z = torch.randn(3, 6, dtype=torch.float64)
    with torch.no_grad(), record_activity(folded):
        folded(z)
    assert folded.neurons3.last_activity.spikes
    assert folded(z).shown.requires_grad
