"""Batch norm per step: the running averages move as torch's do, step by step."""

import pytest
import torch
from torch import nn

from sgad.errors import InputError
from sgad.snn.batch_norm import StepBatchNorm, commit_statistics, statistics_frozen
from sgad.snn.layers import Spiking
from sgad.snn.neurons import Neuron


def sample(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 + 0.5


def pair(channels, momentum=0.1):
    return StepBatchNorm(channels, momentum=momentum).double(), nn.BatchNorm1d(channels, momentum=momentum).double()


@pytest.mark.parametrize("momentum", [0.1, 0.5, None])
@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("constant", [True, False])
def test_running_averages_move_as_torchs_step_by_step(momentum, passes, constant):
    steps = 5
    ours, torchs = pair(3, momentum)
    spiking = Spiking(Neuron(), "torch")
    for seed in range(2):
        x = sample((1 if constant else steps, 6, 3), seed)
        spiking(x, steps, ours)
        ours.commit(passes)
        for _ in range(passes):
            for step in range(steps):
                torchs(x[0 if constant else step])
    assert torch.allclose(ours.running_mean, torchs.running_mean, rtol=1e-12)
    assert torch.allclose(ours.running_var, torchs.running_var, rtol=1e-12)
    assert ours.num_batches_tracked == torchs.num_batches_tracked
    assert list(ours.state_dict()) == list(torchs.state_dict())


def test_evaluation_mode_uses_and_keeps_the_running_averages():
    norm = StepBatchNorm(3).double().eval()
    before = norm.running_mean.clone()
    Spiking(Neuron(), "numba")(sample((4, 6, 3)), 4, norm)
    norm.commit()
    assert torch.equal(norm.running_mean, before)


def test_frozen_statistics_do_not_move():
    norm = StepBatchNorm(3).double()
    with statistics_frozen(norm):
        Spiking(Neuron(), "numba")(sample((4, 6, 3)), 4, norm)
    commit_statistics(norm)
    assert norm.num_batches_tracked == 0
    assert norm.is_recording


def test_a_batch_of_one_is_refused():
    with pytest.raises(InputError, match="at least 2 images"):
        Spiking(Neuron(), "numba")(sample((4, 1, 3)), 4, StepBatchNorm(3).double())
