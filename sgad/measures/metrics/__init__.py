"""One module a metric: its declaration next to its function. Each imports NumPy and SciPy when it runs."""
