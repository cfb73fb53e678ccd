"""Operations of one image: multiply-accumulates, accumulates, and the energy of both.

Conventions, stated in every row that holds a count:

* A synaptic operation (accumulate, AC) is one spike at one connection that exists: borders of convolutions count exactly.
* Average pooling is part of the synapses behind it: each spike before the pooling counts on its own, its 1/4 belongs to the
  weight.
* A layer whose input is not binary takes one multiply-accumulate (MAC) a connection and step; an input that is the same at
  every step (direct encoding) is multiplied once.
* Updates of the neurons, their batch norm (which folds into the weights), the readout, and products of two activations are
  not counted.
* Energy: 4.6 pJ a MAC and 0.9 pJ an AC, 32-bit floating point at 45 nm (Horowitz 2014, ISSCC, "Computing's energy
  problem").
"""

from dataclasses import dataclass

PICOJOULES_MAC = 4.6
PICOJOULES_AC = 0.9


@dataclass(frozen=True)
class Operations:
    """Operations of one layer for one image; `dense`: MACs of one pass of the same layer on analog values."""

    layer: str
    macs: float = 0.0
    acs: float = 0.0
    dense: float = 0.0

    @property
    def picojoules(self) -> float:
        """Energy of one image."""
        return self.macs * PICOJOULES_MAC + self.acs * PICOJOULES_AC

    @property
    def dense_picojoules(self) -> float:
        """Energy of one image if the layer worked once, on analog values."""
        return self.dense * PICOJOULES_MAC
