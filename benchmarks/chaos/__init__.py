"""Faults on purpose: trainings killed, stopped, starved of disk, given damaged files; `make chaos`."""
