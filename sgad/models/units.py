"""The neurons that a configuration asks for, and what reads them out."""

from typing import Literal

from sgad.config.run import RunConfig
from sgad.snn.analog import Analog
from sgad.snn.layers import Neurons, Spiking
from sgad.snn.neurons import Integrator, Neuron


def is_analog(config: RunConfig) -> bool:
    """Whether all units are analog: the control without spikes and time."""
    return config.neuron == "leaky_relu"


def neuron_of(config: RunConfig) -> Neuron:
    """Constants of the spiking neurons."""
    return Neuron(config.tau, config.threshold, config.surrogate, config.surrogate_width)


def neurons_of(
    config: RunConfig, pool: int = 1, analog_function: Literal["leaky_relu", "sigmoid"] = "leaky_relu"
) -> Neurons:
    """Make a layer of neurons: spiking ones, or their analog control with `analog_function`."""
    return Analog(pool, analog_function) if is_analog(config) else Spiking(neuron_of(config), config.engine, pool)


def integrator_of(config: RunConfig) -> Integrator:
    """Make the leaky integrator that reads a network out; that of the analog control keeps nothing."""
    return Integrator(1.0 if is_analog(config) else config.tau)
