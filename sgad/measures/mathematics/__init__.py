"""Distances, scores and shares of feature vectors: NumPy and SciPy alone, in float64."""
