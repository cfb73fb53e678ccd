"""The public address of the Frechet distance; `sgad.measures.mathematics.frechet` has its page."""

from sgad.measures.mathematics.frechet import frechet_distance, frechet_distance_of_features

__all__ = ["frechet_distance", "frechet_distance_of_features"]
