"""A sequence worked through in segments gives the values and gradients of the whole."""

import pytest
import torch
from torch import nn

from sgad.snn.layers import Spiking
from sgad.snn.neurons import Neuron
from sgad.snn.segments import run_in_segments


def sample(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 + 0.5


@pytest.mark.parametrize("steps", [1, 2, 7, 16])
@pytest.mark.parametrize("is_sum", [True, False])
def test_segments_give_the_same_values_and_gradients(steps, is_sum):
    spiking, synapse = Spiking(Neuron(), "numba"), nn.Linear(5, 5).double()
    x = sample((steps, 3, 5)).requires_grad_()

    def run(part, first, count, states):
        spikes, state = spiking(synapse(part), count, None, states[0], None, True)
        return (spikes.sum(0) if is_sum else spikes), [state]

    whole, _ = run(x, 0, steps, [None])
    parts = run_in_segments(synapse, run, x, steps, 1, is_sum=is_sum)
    assert torch.allclose(parts, whole, rtol=1e-14)
    pull = sample(whole.shape, 3)
    leaves = [x, *synapse.parameters()]
    for one, other in zip(
        torch.autograd.grad((whole * pull).sum(), leaves),
        torch.autograd.grad((parts * pull).sum(), leaves),
        strict=True,
    ):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-14)
