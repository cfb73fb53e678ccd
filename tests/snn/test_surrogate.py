"""The spike function and its stand-in derivatives."""

import math

import pytest
import torch

from sgad.snn.surrogate import SURROGATES, spike, surrogate_derivative


def test_a_spike_needs_more_than_the_threshold():
    potential = torch.tensor([0.0, 1.0, math.nextafter(1.0, 2.0), math.inf, math.nan], dtype=torch.float64)
    assert spike(potential).tolist() == [0, 0, 1, 1, 0]


def test_the_papers_derivative_at_and_off_the_threshold():
    distance = torch.tensor([0.0, 0.5, -0.5], dtype=torch.float64)
    expected = [1.0, 1 / (1 + (math.pi / 2) ** 2), 1 / (1 + (math.pi / 2) ** 2)]
    assert surrogate_derivative(distance, "arctan", 2.0).tolist() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("name", SURROGATES)
def test_each_derivative_integrates_to_one(name):
    u = torch.linspace(-4000, 4000, 8_000_001, dtype=torch.float64)
    area = surrogate_derivative(u, name, 2.0).sum().item() * 1e-3
    assert area == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("name", SURROGATES)
def test_the_gradient_of_a_spike_is_the_named_derivative(name):
    potential = torch.tensor([0.2, 1.0, 1.7], dtype=torch.float64, requires_grad=True)
    spike(potential, 1.0, name, 2.0).sum().backward()
    assert torch.equal(potential.grad, surrogate_derivative(potential.detach() - 1.0, name, 2.0))


def test_the_gradient_can_be_differentiated_again():
    potential = torch.tensor([0.3, 0.9, 1.4], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(spike(potential).sum(), potential, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), potential)
    near = potential.detach() + 1e-6
    slope = (
        surrogate_derivative(near - 1, "arctan", 2.0) - surrogate_derivative(near - 2e-6 - 1, "arctan", 2.0)
    ) / 2e-6
    assert torch.allclose(second, slope, rtol=1e-6)


def test_an_unknown_name_is_refused_with_the_allowed_ones():
    with pytest.raises(ValueError, match="arctan, sigmoid, rectangle"):
        surrogate_derivative(torch.zeros(1), "boxcar", 1.0)
