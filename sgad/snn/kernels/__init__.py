"""Kernels: layers of neurons over whole sequences, each computed in several ways. `dispatch` chooses; nothing else does."""
