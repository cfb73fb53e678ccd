"""Batch norm per step with its running averages, recorded activity, switching kernels."""

import pytest
import torch
from torch import nn

from sgad.errors import InputError
from sgad.snn.layers import (
    Spiking,
    StepBatchNorm,
    commit_statistics,
    firing_rates,
    record_activity,
    statistics_frozen,
    use_engine,
    window_shares,
)
from sgad.snn.neurons import Neuron
from sgad.snn.segments import run_in_segments


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


@pytest.mark.parametrize("engine", ["torch", "numba"])
def test_recorded_activity_is_the_mean_of_the_spikes(engine):
    layers = nn.ModuleDict({"a": Spiking(Neuron(), engine), "b": Spiking(Neuron(), engine, pool=2)})
    x, images = sample((6, 5, 8)), sample((1, 3, 4, 4, 8), 1)
    with record_activity(layers):
        spikes, _ = layers["a"](x, 6)
        pooled, _ = layers["b"](images, 6)
    rates = firing_rates(layers)
    assert rates["a"] == pytest.approx(spikes.mean().item(), rel=1e-12)
    assert rates["b"] == pytest.approx(pooled.mean().item(), rel=1e-12)
    assert 0 < window_shares(layers)["a"] < 1
    layers["a"](x, 6)
    assert firing_rates(layers) == rates


def test_potentials_far_from_the_threshold_are_outside_the_window():
    layer = nn.Sequential(Spiking(Neuron(), "numba"))
    with record_activity(layer):
        layer[0](torch.full((1, 2, 3), -50.0), 4)
    assert window_shares(layer) == {"0": 0.0}
    assert firing_rates(layer) == {"0": 0.0}


def test_the_kernel_is_switched_and_put_back():
    layer = nn.Sequential(Spiking(Neuron(), "numba"))
    with use_engine(layer, "torch"):
        assert layer[0].engine == "torch"
    assert layer[0].engine == "numba"


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
