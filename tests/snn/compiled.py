"""Compile what the CUDA kernels would launch, for a GPU that need not be there; run as a process of its own.

    python -m tests.snn.compiled

Prints one JSON object: whether a barrier is between the potentials' stores and loads, and how a threshold of 0.7 is spelt.
"""

import json
import re
from collections.abc import Callable
from contextlib import contextmanager

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from sgad.snn.kernels import triton_attention, triton_loops, triton_scan
from sgad.snn.kernels.interface import Norm, Scan
from sgad.snn.neurons import Neuron

#: Compute capability 9.0, 32 threads a warp.
HOPPER = GPUTarget("cuda", 90, 32)
TYPES = {torch.float32: "*fp32", torch.float64: "*fp64", torch.bfloat16: "*bf16", torch.uint8: "*u8"}
KERNELS = [
    name for name, value in vars(triton_loops).items() if isinstance(value, triton.JITFunction) and name[0] != "_"
]


def kernels_of(module):
    """Name the kernels that a module launches."""
    return {
        name: value for name, value in vars(module).items() if isinstance(value, triton.JITFunction) and name[0] != "_"
    }


def compile_call(kernel, arguments, constants):
    """Compile a kernel as a launch with these arguments would."""
    signature, known, attributes = {}, dict(constants), {}
    for position, name in enumerate(kernel.arg_names):
        if name in constants:
            signature[name] = "constexpr"
            continue
        value = arguments[position]
        if isinstance(value, torch.Tensor):
            signature[name] = TYPES[value.dtype]
            attributes[(position,)] = [["tt.divisibility", 16]]
        elif value == 1:
            signature[name], known[name] = "constexpr", 1
        else:
            signature[name] = "i32" if abs(value) < 2**31 else "i64"
            if value % 16 == 0:
                attributes[(position,)] = [["tt.divisibility", 16]]
    options = {"num_warps": known.pop("num_warps", 4)}
    return triton.compile(ASTSource(kernel, signature, known, attributes), target=HOPPER, options=options)


@contextmanager
def noted_launches(module):
    """Note the launches of a module's kernels in this block instead of doing them: (kernel, arguments, constants)."""
    found, kernels = [], kernels_of(module)

    class Noted:
        def __init__(self, kernel):
            self.kernel = kernel

        def __getitem__(self, grid) -> Callable[..., None]:
            return lambda *arguments, **constants: found.append((self.kernel, arguments, constants))

    for name, kernel in kernels.items():
        setattr(module, name, Noted(kernel))
    try:
        yield found
    finally:
        for name, kernel in kernels.items():
            setattr(module, name, kernel)


def launches(dtype, steps, channels, neuron, *, is_constant=False, pool=1):
    """Compile forward and backward of a layer; {name: compiled}."""
    x = torch.zeros(1 if is_constant else steps, 3, 4, 6, channels, dtype=dtype, requires_grad=True)
    norm = Norm(*(torch.ones(channels, dtype=dtype, requires_grad=True) for _ in range(2)))
    with noted_launches(triton_loops) as found:
        spikes = triton_scan.scan_layer(x, norm, torch.zeros_like(x[0]), Scan(steps, neuron, pool)).spikes
        spikes.sum().backward()
    return {kernel.fn.__name__: compile_call(kernel, *given) for kernel, *given in found}


def decoding(*, asks_frame, keep_steps):
    """Compile the decoding loop of 28x28 images, forward and backward."""
    frames, projected = torch.zeros(16, 4, 784, requires_grad=True), torch.zeros(16, 4, 512, requires_grad=True)
    with noted_launches(triton_attention) as found:
        images, _ = triton_attention.mix_frames(frames, projected, asks_frame=asks_frame, keep_steps=keep_steps)
        images.sum().backward()
    return [compile_call(kernel, *given) for kernel, *given in found]


def has_barrier_between_loops(ttgir: str) -> bool:
    """Whether every thread waits after the loop that stores potentials and before the one that loads them."""
    # Loops nest only in braces; the lines between the first's end and the second's start are at the function's level.
    loops = [match.start() for match in re.finditer(r"scf\.for", ttgir)]
    assert len(loops) == 2, loops
    end = ttgir.index("\n    }", loops[0])
    return "barrier" in ttgir[end : loops[1]]


def main() -> None:
    """Compile, look and print."""
    report = {"compiled": 0, "barriers": [], "kernels": []}
    for dtype, channels in ((torch.float32, 7), (torch.float64, 7), (torch.float32, 32)):
        made = launches(dtype, 20, channels, Neuron(threshold=0.7))
        report["barriers"].append(has_barrier_between_loops(made["layer_backward"].asm["ttgir"]))
        report["compiled"] += len(made)
        report["kernels"] = sorted(made)
        if dtype == torch.float64:
            report["rounded"] = any("0.69999998" in each.asm["ttir"] for each in made.values())
            report["exact"] = "0.69999999999999996" in made["layer_forward"].asm["ttir"]
    short = launches(torch.float32, 16, 32, Neuron(), is_constant=True, pool=2)
    report["compiled"] += len(short)
    report["registers_hold_potentials"] = "scf.for" not in short["layer_backward"].asm["ttgir"]
    report["wide_loads"] = (
        "ld.global.v4" in short["layer_backward"].asm["ptx"] or "v4.b32" in short["layer_backward"].asm["ptx"]
    )
    ways = ((False, True), (True, False))
    report["compiled"] += sum(len(decoding(asks_frame=asks, keep_steps=keep)) for asks, keep in ways)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
