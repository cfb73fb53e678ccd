"""Benchmarks: one module each, run with `python -m benchmarks.NAME`; they print the machine, medians and spread."""

from sgad.machine.memory import let_threads_sleep

# Before any benchmark imports torch, as the command line does.
let_threads_sleep()
