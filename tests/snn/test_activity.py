"""Recorded activity is what the spikes say."""

import pytest
import torch
from torch import nn

from sgad.snn.activity import firing_rates, record_activity, window_shares
from sgad.snn.layers import Spiking
from sgad.snn.neurons import Neuron


def sample(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 + 0.5


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
