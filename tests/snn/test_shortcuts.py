"""What the CPU engine does for spikes that repeat or are few equals what it stands for."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional

from sgad.snn.batch_norm import StepBatchNorm
from sgad.snn.kernels.dispatch import convolve, scan_into, upconvolve
from sgad.snn.kernels.interface import Scan
from sgad.snn.kernels.periodic_loops import divisors
from sgad.snn.kernels.sparse import DENSE, is_sparse
from sgad.snn.kernels.sparse_loops import LANES
from sgad.snn.layers import Spiking
from sgad.snn.neurons import Neuron


def sample(shape, seed=0, dtype=torch.float64, spread=2.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * spread + 0.7


def gradients(module, out, x):
    pull = sample(out.shape, 5, out.dtype)
    parameters = [p for p in module.parameters() if p.requires_grad]
    return torch.autograd.grad((out * pull).sum(), [x, *parameters], allow_unused=True)


@pytest.mark.parametrize("steps", [1, 2, 16, 64, 255])
@pytest.mark.parametrize("tau", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("training", [True, False])
def test_a_constant_current_into_a_linear_layer(steps, tau, training):
    norm, synapse = StepBatchNorm(37).double().train(training), nn.Linear(37, 133).double()
    nn.init.uniform_(norm.weight, 0.5, 2.0)
    holder = nn.ModuleList([norm, synapse])
    x = sample((1, 5, 37)).requires_grad_()
    fast, slow = Spiking(Neuron(tau=tau), "numba"), Spiking(Neuron(tau=tau), "torch")
    ours, _ = fast.into(x, steps, norm, synapse)
    norm._pending.clear()
    expected, _ = slow.into(x, steps, norm, synapse)
    assert torch.allclose(ours, expected, rtol=1e-11, atol=1e-12)
    for one, other in zip(gradients(holder, ours, x), gradients(holder, expected, x), strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("height", "width", "channels"), [(12, 12, 3), (13, 12, 32), (14, 19, 70)])
@pytest.mark.parametrize("normed", [True, False])
def test_a_constant_current_into_a_convolution(height, width, channels, normed):
    norm, synapse = StepBatchNorm(channels).double(), nn.Conv2d(channels, 8, 5).double()
    holder = nn.ModuleList([norm, synapse] if normed else [synapse])
    x = sample((1, 3, height, width, channels)).requires_grad_()
    results = []
    for engine in ("numba", "torch"):
        out, _ = Spiking(Neuron(), engine, pool=2).into(x, 7, norm if normed else None, synapse)
        results.append((out, gradients(holder, out, x)))
    assert torch.allclose(results[0][0], results[1][0], rtol=1e-11, atol=1e-12)
    for one, other in zip(results[0][1], results[1][1], strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-11)


def test_a_tie_at_the_threshold_repeats_as_it_should():
    # 2 reaches exactly 1 at its first step and fires at the second; 1 never gets beyond its threshold.
    x = torch.tensor([2.0, 1.0, 2.000001, -3.0], dtype=torch.float64).reshape(1, 1, 4)
    synapse = nn.Linear(4, 4, bias=True).double()
    with torch.no_grad():
        synapse.weight.copy_(torch.eye(4))
        synapse.bias.zero_()
    out, _ = Spiking(Neuron(), "numba").into(x, 6, None, synapse)
    assert out[:, 0].t().tolist() == [[0, 1, 0, 1, 0, 1], [0] * 6, [1] * 6, [0] * 6]


@pytest.mark.parametrize(
    ("steps_of_x", "scan", "engine", "expected"),
    [
        (1, Scan(4, Neuron()), "numba", True),
        (1, Scan(255, Neuron()), "numba", True),
        (1, Scan(256, Neuron()), "numba", False),
        (1, Scan(4, Neuron(), keep_state=True), "numba", False),
        (1, Scan(4, Neuron(), weights=(0.25,) * 4), "numba", False),
        (1, Scan(4, Neuron()), "torch", False),
        (4, Scan(4, Neuron()), "numba", False),
    ],
)
def test_when_spikes_repeat(steps_of_x, scan, engine, expected):
    fed = scan_into(torch.zeros(steps_of_x, 2, 3), None, None, scan, nn.Linear(3, 4), engine)
    assert (fed is not None) == expected


def test_potentials_that_are_not_zero_do_not_repeat():
    x, state = torch.zeros(1, 2, 3), torch.ones(2, 3)
    assert scan_into(x, None, state, Scan(4, Neuron()), nn.Linear(3, 4), "numba") is None


def test_divisors():
    starts, flat = divisors(6)
    assert [(flat[a:b] + 1).tolist() for a, b in itertools.pairwise(starts)] == [
        [1], [1, 2], [1, 3], [1, 2, 4], [1, 5], [1, 2, 3, 6],
    ]  # fmt: skip


@pytest.mark.parametrize("channels_first", [True, False])
@pytest.mark.parametrize("outputs", [32, 64])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.28])
def test_a_transposed_convolution_of_few_spikes(channels_first, outputs, share):
    random = torch.Generator().manual_seed(3)
    spikes = (torch.rand(2, 3, 4, 5, 40, generator=random) < share).double()
    x = spikes.permute(0, 1, 4, 2, 3).contiguous().permute(0, 1, 3, 4, 2) if channels_first else spikes
    x.requires_grad_()
    layer = nn.ConvTranspose2d(40, outputs, 4, 2, 1).double()
    assert is_sparse(x, outputs)
    expected = functional.conv_transpose2d(x.flatten(0, 1).permute(0, 3, 1, 2), layer.weight, layer.bias, 2, 1)
    expected = expected.permute(0, 2, 3, 1).unflatten(0, (2, 3))
    ours = upconvolve(x, layer, engine="numba")
    assert torch.allclose(ours, expected, rtol=1e-12, atol=1e-13)
    for one, other in zip(gradients(layer, ours, x), gradients(layer, expected, x), strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-12)


def test_many_spikes_take_the_dense_way():
    assert not is_sparse(torch.ones(2, 3, 3, 4), 64)
    assert not is_sparse((torch.arange(100) < 100 * DENSE).float().reshape(1, 10, 1, 10), 64)


def test_channels_that_do_not_fill_whole_lanes_take_the_dense_way():
    assert is_sparse(torch.zeros(2, 3, 3, 4), LANES)
    assert not is_sparse(torch.zeros(2, 3, 3, 4), LANES + 1)
    x, layer = (torch.rand(2, 3, 4, 5, 8) < 0.1).double(), nn.ConvTranspose2d(8, LANES + 1, 4, 2, 1).double()
    expected = functional.conv_transpose2d(x.flatten(0, 1).permute(0, 3, 1, 2), layer.weight, layer.bias, 2, 1)
    ours = upconvolve(x, layer, engine="numba")
    assert torch.allclose(ours, expected.permute(0, 2, 3, 1).unflatten(0, (2, 3)), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("outputs", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_transposed_convolutions_of_all_widths(outputs, factor):
    x = sample((2, 3, 4, 5, 7)).requires_grad_()
    layer = nn.ConvTranspose2d(7, outputs, 4, 2, 1).double()
    images = x.flatten(0, 1).permute(0, 3, 1, 2)
    expected = functional.conv_transpose2d(images, layer.weight, layer.bias * factor, 2, 1)
    expected = expected.permute(0, 2, 3, 1).unflatten(0, (2, 3))
    ours = upconvolve(x, layer, factor)
    assert torch.allclose(ours, expected, rtol=1e-12, atol=1e-13)
    for one, other in zip(gradients(layer, ours, x), gradients(layer, expected, x), strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("training", [True, False, None])
@pytest.mark.parametrize("constant", [True, False])
def test_neurons_that_make_pixels(outputs, training, constant, monkeypatch):
    # Two images a part, so that the last part is a shorter one.
    monkeypatch.setattr("sgad.snn.kernels.pixels.PART", 2 * 4 * 3 * 5 * 7 * 8)
    norm, synapse = StepBatchNorm(7).double().train(bool(training)), nn.ConvTranspose2d(7, outputs, 4, 2, 1).double()
    nn.init.uniform_(norm.weight, 0.5, 2.0)
    holder = nn.ModuleList([synapse] if training is None else [norm, synapse])
    x = sample((1 if constant else 4, 5, 3, 5, 7)).requires_grad_()
    results = []
    for engine in ("numba", "torch"):
        out, _ = Spiking(Neuron(), engine).into(x, 4, None if training is None else norm, synapse)
        results.append((out, gradients(holder, out, x), [m.clone() for part in norm._pending for m in part[:2]]))
        norm._pending.clear()
    assert results[0][0].shape == (4, 5, 6, 10, outputs)
    assert len(results[0][2]) == (2 if training else 0)
    for ours, expected in zip(*[(out, *grads, *moments) for out, grads, moments in results], strict=True):
        assert torch.allclose(ours, expected, rtol=1e-9, atol=1e-11)


def test_convolutions():
    x, layer = sample((2, 3, 9, 8, 4)), nn.Conv2d(4, 6, 5).double()
    expected = layer(x.flatten(0, 1).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).unflatten(0, (2, 3))
    assert torch.allclose(convolve(x, layer), expected, rtol=1e-12, atol=1e-13)
