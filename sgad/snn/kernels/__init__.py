"""One layer of spiking neurons over a whole sequence, with interchangeable kernels.

All kernels compute the same: batch normalisation of every step on its own, the neuron scan over time, average pooling of
the spikes or their weighted sum over time. `torch_scan` is the readable one that is always there and can be differentiated
twice; `numba_scan` does everything in one pass over memory on a CPU; `triton_scan` does so on CUDA.
"""

import importlib.util
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sgad.errors import InputError, require_choice
from sgad.snn.kernels.interface import Norm, Scan, ScanResult

ENGINES = ("auto", "torch", "numba", "cuda")
Kernel = Callable[[Tensor, Norm | None, Tensor | None, Scan], ScanResult]

__all__ = [
    "ENGINES",
    "Norm",
    "Scan",
    "ScanResult",
    "engine_name",
    "is_periodic",
    "is_plain",
    "resolve_engine",
    "scan_layer",
]


def resolve_engine(engine: str, device: torch.device) -> str:
    """Return the kernel that `engine` means on `device`: torch, numba or cuda.

    Raises
    ------
    InputError
        If the engine is unknown, does not run on that device, or its package is absent.
    """
    require_choice("engine", engine, ENGINES)
    on_gpu = device.type == "cuda"
    package = "triton" if on_gpu else "numba"
    if engine == "auto":
        found = importlib.util.find_spec(package) is not None
        return ("cuda" if on_gpu else "numba") if found else "torch"
    if engine == "torch":
        return engine
    if (engine == "cuda") != on_gpu:
        raise InputError(f"engine {engine!r} does not run on {device.type}; use engine auto")
    if importlib.util.find_spec(package) is None:
        raise InputError(f"engine {engine!r} needs the package {package}; install it or use engine torch")
    return engine


def engine_name(config: Any, device: torch.device) -> str:
    """Return the kernel that a run with `config` uses on `device`, for run.json."""
    return resolve_engine(config.engine, device)


def is_periodic(x: Tensor, scan: Scan, kernel: str) -> bool:
    """Return whether `sgad.snn.kernels.periodic` can do a layer with these currents, from potential 0.

    It runs on CPUs, for currents that are the same at every step; periods up to 255 fit the byte that they are kept in.
    Currents are taken to be finite: with an infinite one, the definition fires once and then holds no number.
    """
    return len(x) == 1 and scan.steps <= 255 and is_plain(scan, kernel)


def is_plain(scan: Scan, kernel: str) -> bool:
    """Return whether the CPU kernel may fuse a layer with the one that it feeds: all spikes are wanted, and only they."""
    return kernel == "numba" and not scan.weights and not scan.keep_state


def scan_layer(x: Tensor, norm: Norm | None, state: Tensor | None, scan: Scan, engine: str = "auto") -> ScanResult:
    """Run one layer of neurons over a sequence.

    Parameters
    ----------
    x
        Currents (T, B, H, W, C), channels last and contiguous, or (1, B, H, W, C) if every step has the same.
    norm
        Batch normalisation before the neurons, or None.
    state
        Potentials (B, H, W, C) after the step before, or None for zeros.
    scan
        Number of steps, neuron, pooling, weights over time.
    """
    return _kernel(resolve_engine(engine, x.device))(x, norm, state, scan)


def _kernel(name: str) -> Kernel:
    # Imported when first used: numba and triton take a second, and need not be there.
    if name == "numba":
        from sgad.snn.kernels.numba_scan import scan_layer as numba_kernel

        return numba_kernel
    if name == "cuda":
        from sgad.snn.kernels.triton_scan import scan_layer as triton_kernel

        return triton_kernel  # type: ignore[no-any-return]
    from sgad.snn.kernels.torch_scan import scan_layer as torch_kernel

    return torch_kernel
