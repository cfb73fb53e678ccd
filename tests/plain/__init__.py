"""The definition: the paper's networks one time step after the other, slow and obvious, independent of the package.

Written from the description of the architectures alone. Everything that the package computes in a cleverer order must
agree with this in float64 up to rounding. It is also the yardstick of benchmarks/train_step.py.
"""

from tests.plain.networks import PlainCritic, PlainGenerator
from tests.plain.training import PlainResult, plain_update_pair

__all__ = ["PlainCritic", "PlainGenerator", "PlainResult", "plain_update_pair"]
