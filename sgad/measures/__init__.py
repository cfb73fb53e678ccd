"""Measures of generated images. The mathematics is NumPy and SciPy alone; only `extractors` needs torch."""
