"""The machine a process runs on: its files, locks, devices, memory, signals and connections. Knows nothing of a run."""
