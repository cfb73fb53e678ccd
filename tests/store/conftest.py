"""The made-up experiment, for the tests of this folder."""

from tests.experiments import experiment, fake, results, stored

__all__ = ["experiment", "fake", "results", "stored"]
