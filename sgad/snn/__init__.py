"""Spiking building blocks: surrogate gradients, neurons, encoders, and layers over time-first sequences."""
