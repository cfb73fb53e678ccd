"""THE choice of kernel: a network says which layers it has, this module says how they run.

| asked for | where | kernel |
|---|---|---|
| neurons (batch norm, scan over time, pooling or weighted sum) | CPU, CUDA, anywhere | numba_scan, triton_scan, torch_scan |
| neurons with constant currents, into a linear layer or convolution | CPU | periodic |
| neurons into a transposed convolution to few channels | CPU | pixels |
| few spikes into a transposed convolution | CPU | sparse |
| anything into a transposed convolution to few channels | CPU | narrow |
| a whole chain of layers without batch norm, no gradient wanted | CPU | spike_lists |
| frames into one image by attention | CUDA | triton_attention |
| everything else | anywhere | torch's own layers |

All kernels of a row compute the same up to rounding; `torch_scan` is the readable one, and can be differentiated twice.
Networks import nothing of this package: they use `sgad.snn.layers`, which asks here.
"""

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sgad.errors import InputError, require_choice
from sgad.snn.kernels.interface import Fed, Norm, Scan, ScanResult, Synapse
from sgad.snn.kernels.narrow import narrow_upconvolution as narrow_upconvolution
from sgad.snn.kernels.proof import failure_of_triton

ENGINES = ("auto", "torch", "numba", "cuda")
#: Up to so many output channels, one matrix product and 16 shifted additions beat the library's transposed convolution.
NARROW = 4
#: Periods of spikes are kept in a byte.
LONGEST_PERIOD = 255

Kernel = Callable[[Tensor, Norm | None, Tensor | None, Scan], ScanResult]


def resolve_engine(engine: str, device: torch.device) -> str:
    """The kernel that `engine` means on `device`: torch, numba or cuda.

    On a GPU, "auto" is cuda only where Triton has launched a kernel; see `engine_note` for what kept it from that.

    Raises
    ------
    InputError
        If the engine is unknown, does not run on that device, or its package is absent.
    """
    require_choice("engine", engine, ENGINES)
    on_gpu = device.type == "cuda"
    package = "triton" if on_gpu else "numba"
    if engine == "auto":
        if importlib.util.find_spec(package) is None:
            return "torch"
        return ("torch" if failure_of_triton(device) else "cuda") if on_gpu else "numba"
    if engine == "torch":
        return engine
    if (engine == "cuda") != on_gpu:
        raise InputError(f"engine {engine!r} does not run on {device.type}; use engine auto")
    if importlib.util.find_spec(package) is None:
        raise InputError(f"engine {engine!r} needs the package {package}; install it or use engine torch")
    return engine


def engine_name(config: Any, device: torch.device) -> str:
    """Name of the kernel that a run with `config` uses on `device`, for run.json."""
    return resolve_engine(config.engine, device)


def engine_note(config: Any, device: torch.device) -> str:
    """A sentence about a GPU that has to do without Triton although nobody asked for that; else an empty string."""
    if config.engine != "auto" or resolve_engine("auto", device) != "torch":
        return ""
    if importlib.util.find_spec("triton") is None:
        return "the package triton is not installed: neurons run by engine torch, slower"
    return (
        f"Triton is installed but cannot launch a kernel ({failure_of_triton(device)}): neurons run by engine torch, slower;"
        " it needs a C compiler and Python's headers"
    )


def scan_layer(x: Tensor, norm: Norm | None, state: Tensor | None, scan: Scan, engine: str = "auto") -> ScanResult:
    """Run one layer of neurons over a sequence.

    Parameters
    ----------
    x
        Currents (T, B, C) or (T, B, H, W, C), channels last; a first axis of 1: every step has the same. Without batch norm
        and pooling, neurons are independent, and what follows (T, B) may have any shape.
    norm
        Batch normalisation before the neurons, or None.
    state
        Potentials after the step before, shaped as those of one step of `x`, or None for zeros.
    scan
        Number of steps, neuron, pooling, weights over time.

    Returns
    -------
    Spikes (T, B, ...), pooled, shaped as `x`; with `scan.weights` their sum over time, (1, B, ...).
    """
    images = as_images(x, norm, scan.pool)
    before = None if state is None else state.reshape(images.shape[1:])
    result = _kernel(resolve_engine(engine, x.device))(images, norm, before, scan)
    if images.shape == x.shape:
        return result
    spikes = result.spikes.reshape(len(result.spikes), *x.shape[1:])
    last = None if result.state is None else result.state.reshape(x.shape[1:])
    return ScanResult(spikes, last, result.mean, result.var)


def as_images(x: Tensor, norm: object | None, pool: int) -> Tensor:
    """View currents as kernels take them, (T, B, H, W, C): vectors, and neurons that nothing ties together, are one pixel."""
    if x.ndim == 3:
        return x[:, :, None, None, :]
    return x.flatten(2)[:, :, None, None, :] if norm is None and pool == 1 else x


def scan_into(
    x: Tensor, norm: Norm | None, state: Tensor | None, scan: Scan, synapse: Synapse, engine: str = "auto"
) -> Fed | None:
    """Run one layer of neurons and the synapse that it feeds at once, if there is a kernel for both; else None.

    On a CPU, two sorts of spikes are never written out: those of neurons whose current never changes, which repeat, and
    those that become pixels of few channels, which are the largest tensors of all. Arguments are those of `scan_layer`.
    """
    kernel = resolve_engine(engine, x.device)
    if state is not None or not _is_plain(scan, kernel):
        return None
    images = x[:, :, None, None, :] if x.ndim == 3 else x
    if isinstance(synapse, nn.ConvTranspose2d):
        return _pixels(images, norm, scan, synapse) if synapse.out_channels <= NARROW else None
    if not _is_periodic(x, scan, kernel):
        return None
    from sgad.snn.kernels.periodic import periodic_synapse

    made, mean, var = periodic_synapse(images, norm, synapse, scan)
    return Fed(made, None, mean, var)


def _pixels(x: Tensor, norm: Norm | None, scan: Scan, synapse: nn.ConvTranspose2d) -> Fed:
    from sgad.snn.kernels.pixels import pixels_of

    made, mean, var = pixels_of(x, norm, synapse.weight, scan)
    return Fed(made if synapse.bias is None else made + synapse.bias, None, mean, var)


def feed(
    spikes: Tensor,
    synapse: Synapse,
    engine: str = "auto",
    weights: Sequence[float] | None = None,
    base: tuple[int, int] | None = None,
) -> Tensor:
    """Apply a synapse to spikes (T, B, ...), all steps in one call.

    Parameters
    ----------
    weights
        Those of the steps, where `spikes` is their sum over time: a bias at every step, weighted and added up, is the bias
        times the weights' sum.
    base
        (H, W) of the images that vectors of spikes become, channels first as the release views them. Images become vectors
        in the same order before a linear layer.
    """
    if base is not None:
        spikes = spikes.unflatten(2, (-1, *base)).permute(0, 1, 3, 4, 2)
    factor = 1.0 if weights is None else sum(weights)
    if isinstance(synapse, nn.ConvTranspose2d):
        # Weighted sums are no spikes.
        kernel = "torch" if weights is not None else resolve_engine(engine, spikes.device)
        return upconvolve(spikes, synapse, factor, kernel)
    if isinstance(synapse, nn.Conv2d):
        return convolve(spikes, synapse)
    if spikes.ndim == 5:
        spikes = spikes.permute(0, 1, 4, 2, 3).flatten(2)
    if factor == 1.0:
        made: Tensor = synapse(spikes)
        return made
    return functional.linear(spikes, synapse.weight, synapse.bias * factor)


def convolve(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Convolve (T, B, H, W, C) without padding; the result is channels last and contiguous."""
    # Channels last is the layout that the libraries compute in; others are copied to it and back.
    images = x.flatten(0, 1).permute(0, 3, 1, 2)
    weight = layer.weight.contiguous(memory_format=torch.channels_last)
    result: Tensor = functional.conv2d(images, weight, layer.bias)
    return _as_sequence(result.permute(0, 2, 3, 1).contiguous(), x)


def upconvolve(x: Tensor, layer: nn.ConvTranspose2d, bias_factor: float = 1.0, engine: str = "torch") -> Tensor:
    """Transpose-convolve (T, B, H, W, C) with 4x4 kernels, stride 2, padding 1; the result is channels last and contiguous.

    `bias_factor` scales the bias, for inputs that are sums over time. `engine` "numba" says that `x` holds spikes, of
    which few are 1, and that they are on a CPU.
    """
    bias = layer.bias if bias_factor == 1.0 or layer.bias is None else layer.bias * bias_factor
    images = x.flatten(0, 1)
    if layer.out_channels <= NARROW and x.device.type == "cpu":
        pixels = narrow_upconvolution(images.contiguous(), layer.weight)
        return _as_sequence(pixels if bias is None else pixels + bias, x)
    if engine == "numba" and bias is not None:
        from sgad.snn.kernels.sparse import is_sparse, sparse_upconvolution

        if is_sparse(images, layer.out_channels):
            channels_first = not images.is_contiguous()
            images = images.permute(0, 3, 1, 2) if channels_first else images
            return _as_sequence(sparse_upconvolution(images, layer.weight, bias, channels_first=channels_first), x)
    weight = layer.weight.contiguous(memory_format=torch.channels_last)
    images = images.contiguous().permute(0, 3, 1, 2)
    result = functional.conv_transpose2d(images, weight, bias, stride=2, padding=1)
    return _as_sequence(result.permute(0, 2, 3, 1).contiguous(), x)


def _as_sequence(images: Tensor, like: Tensor) -> Tensor:
    """Take the first axis apart again: (T * B, ...) to (T, B, ...)."""
    sequence: Tensor = images.unflatten(0, like.shape[:2])
    return sequence


def scan_chain(
    x: Tensor, scan: Scan, synapses: Sequence[Synapse], base: tuple[int, int] | None, engine: str = "auto"
) -> Tensor | None:
    """Run a whole chain of neurons and synapses without batch norm, if there is a kernel for it; else None.

    Parameters
    ----------
    x
        Currents (1, B, N) of the first neurons, the same at every step.
    synapses
        What each layer of neurons feeds: a linear layer, then transposed convolutions.
    base
        (H, W) of the images that the linear layer's features become.

    Returns
    -------
    The last synapse's output (T, B, H, W, C), with `scan.weights` its weighted sum over time (1, B, H, W, C).
    """
    without_weights = Scan(scan.steps, scan.neuron, scan.pool, None, scan.keep_state)
    may_follow = (
        not torch.is_grad_enabled()
        and base is not None
        and _is_periodic(x, without_weights, resolve_engine(engine, x.device))
    )
    linear, *others = synapses
    deconvolutions = [layer for layer in others if isinstance(layer, nn.ConvTranspose2d)]
    if not may_follow or base is None or not isinstance(linear, nn.Linear) or len(deconvolutions) < len(others):
        return None
    from sgad.snn.kernels.spike_lists import sample_pixels

    return sample_pixels(x, linear, deconvolutions, base, scan)


def mix_frames(
    frames: Tensor, projected: Tensor, engine: str, *, asks_frame: bool, keep_steps: bool
) -> tuple[Tensor, Tensor] | None:
    """Mix frames (T, B, F) by attention, if there is a kernel for it; else None.

    Parameters
    ----------
    projected
        Queries and keys of the frames, (T, B, 2 W).
    asks_frame
        Whether the new frame asks, instead of the image so far.

    Returns
    -------
    The last image (B, F), or with `keep_steps` all (T, B, F), and the shares of new frames (T, B), without gradient.
    """
    if resolve_engine(engine, frames.device) != "cuda":
        return None
    from sgad.snn.kernels import triton_attention

    if frames.shape[-1] > triton_attention.LARGEST:
        return None
    return triton_attention.mix_frames(frames, projected, asks_frame=asks_frame, keep_steps=keep_steps)


def _is_periodic(x: Tensor, scan: Scan, kernel: str) -> bool:
    """Whether `periodic` can do a layer with these currents, from potential 0: on a CPU, the same current at every step.

    Currents are taken to be finite: with an infinite one, the definition fires once and then holds no number.
    """
    return len(x) == 1 and scan.steps <= LONGEST_PERIOD and _is_plain(scan, kernel)


def _is_plain(scan: Scan, kernel: str) -> bool:
    """Whether the CPU kernel may fuse a layer with the one that it feeds: all spikes are wanted, and only they."""
    return kernel == "numba" and not scan.weights and not scan.keep_state


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
