"""Does every CUDA path of this package work on this machine, and how fast is it?  `python -m benchmarks.gpu_check`."""
