"""Kernels are switched and put back."""

from torch import nn

from sgad.snn.layers import Spiking, use_engine
from sgad.snn.neurons import Neuron


def test_the_kernel_is_switched_and_put_back():
    layer = nn.Sequential(Spiking(Neuron(), "numba"))
    with use_engine(layer, "torch"):
        assert layer[0].engine == "torch"
    assert layer[0].engine == "numba"
