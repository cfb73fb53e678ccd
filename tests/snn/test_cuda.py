"""The CUDA kernel against the torch kernel; needs a device."""

import pytest
import torch

from sgad.config.run import RunConfig
from sgad.models.registry import build_discriminator, build_generator
from sgad.snn.kernels.dispatch import scan_layer
from sgad.snn.kernels.interface import Norm, Scan
from sgad.snn.neurons import Neuron
from sgad.training.optimisers import build_optimisers
from sgad.training.step import update_pair

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("shape", [(5, 3, 4, 6, 7), (1, 3, 4, 6, 7)])
@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("surrogate", ["arctan", "sigmoid", "rectangle"])
def test_the_cuda_kernel_equals_the_torch_kernel(shape, pool, weighted, surrogate):
    random = torch.Generator("cuda").manual_seed(0)
    x = torch.randn(shape, generator=random, device="cuda", dtype=torch.float64).mul(2).requires_grad_()
    norm = Norm(torch.ones(7, device="cuda", dtype=torch.float64), torch.zeros(7, device="cuda", dtype=torch.float64))
    scan = Scan(5, Neuron(surrogate=surrogate), pool, (0.1, 0.2, 0.3, 0.2, 0.2) if weighted else None, True)
    results = []
    for kernel in ("torch", "cuda"):
        out = scan_layer(x, norm, None, scan, kernel)
        pull = torch.arange(out.spikes.numel(), device="cuda", dtype=torch.float64).reshape(out.spikes.shape)
        (gradient,) = torch.autograd.grad((out.spikes * pull).sum() + out.state.sum(), x)
        results.append((out.spikes, out.state, gradient))
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-11)


def test_neighbours_that_16_does_not_divide_are_not_read_before_they_are_written():
    scan = Scan(20, Neuron())
    for trial in range(100):
        shape = (20, 1 + trial % 7, 41, 13, 7)
        x = torch.randn(shape, device="cuda", requires_grad=True)
        # Freed at once: later buffers are made of this memory, and what was not written yet shows.
        torch.full_like(x, float("nan"))
        one, other = (
            torch.autograd.grad(scan_layer(x, None, None, scan, kernel).spikes.sum(), x) for kernel in ("torch", "cuda")
        )
        assert torch.allclose(*one, *other, rtol=1e-3, atol=1e-4)


def test_an_update_pair_runs_on_the_device():
    config = RunConfig(dataset="mnist", model="sgad", time_steps=4)
    generator, discriminator = (build(config, (1, 28, 28)).cuda() for build in (build_generator, build_discriminator))
    optimisers = build_optimisers(config, generator, discriminator)
    real, z = torch.rand(8, 1, 28, 28, device="cuda"), torch.randn(8, 10, device="cuda")
    assert update_pair(generator, discriminator, *optimisers, real, z, config).is_finite
