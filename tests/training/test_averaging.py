"""The moving average of a generator's weights."""

import torch
from torch import nn

from sgad.training.averaging import averaged_copy, update_average


def test_two_steps_by_hand():
    network = nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        network.weight.fill_(1.0)
    average = averaged_copy(network)
    # (step + 1) / (step + 10): 2 / 11, then 3 / 12; the decay itself only from where that exceeds it.
    expected = 1.0
    for step, value, decay in ((1, 2.0, 2 / 11), (2, 4.0, 3 / 12), (1000, 5.0, 0.9)):
        with torch.no_grad():
            network.weight.fill_(value)
        update_average(average, network, 0.9, step)
        expected = decay * expected + (1 - decay) * value
        assert abs(average.weight.item() - expected) < 1e-14
    assert not average.weight.requires_grad


def test_buffers_are_copied():
    network = nn.BatchNorm1d(2)
    average = averaged_copy(network)
    network(torch.randn(8, 2))
    update_average(average, network, 0.9, 1)
    assert torch.equal(average.running_mean, network.running_mean)


def test_all_weights_move_by_the_same_factor_and_to_the_bit_as_one_by_one():
    network = nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 7))
    average = averaged_copy(network)
    before = [value.clone() for value in average.parameters()]
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn(value.shape, generator=torch.Generator().manual_seed(0)))
    update_average(average, network, 0.9, 1)
    for mean, start, value in zip(average.parameters(), before, network.parameters(), strict=True):
        assert torch.equal(mean, start.lerp(value, 1 - 2 / 11))
