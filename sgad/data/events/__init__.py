"""Recordings of event cameras: file format, denoising, time bins, a simulator, writing frames."""
