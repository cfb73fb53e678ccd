"""Benchmarks: one module each, run with `python -m benchmarks.NAME`; they print the machine, medians and spread."""
