"""The CUDA kernels in Triton's interpreter against the torch kernels; run with TRITON_INTERPRET=1, prints one JSON object.

    TRITON_INTERPRET=1 python -m tests.snn.interpreted [--every N]
    python -m tests.snn.interpreted --device cuda

`cases` counts the comparisons, `differ` names those that fail; `--every` takes one case of N. On a GPU, where sums round
otherwise, float32 spikes may differ in one of ten thousand.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from triton.runtime import interpreter

from sgad.models.decoding import decode
from sgad.snn.kernels import dispatch, triton_scan
from sgad.snn.kernels.dispatch import scan_layer
from sgad.snn.kernels.interface import Norm, Scan
from sgad.snn.kernels.proof import failure_of_triton
from sgad.snn.neurons import Integrator, Neuron

NEURONS = (
    Neuron(),
    # The float32 number next to 0.7 is below it: a rounded threshold shows.
    Neuron(tau=4 / 3, threshold=0.7, surrogate="sigmoid", width=3.0),
    Neuron(tau=3.0, surrogate="rectangle", width=1.0),
)
SHAPES = ((2, 4, 6, 7), (1, 2, 2, 1), (2, 3, 5, 33), (5, 4, 4, 65))
NORMS = ("none", "own", "fixed")


@dataclass(frozen=True)
class Case:
    """One layer, its currents (T or 1, B, H, W, C) and what goes in and out."""

    dtype: torch.dtype
    steps: int
    shape: tuple[int, ...]
    neuron: Neuron
    is_constant: bool
    norm: str
    stateful: bool
    pool: int
    weighted: bool


def cases() -> Iterator[Case]:
    """Every dtype, T, shape, neuron and width of currents; the other choices in turn."""
    turns = itertools.cycle(itertools.product(NORMS, (True, False), (1, 2), (True, False)))
    for steps, dtype, shape in itertools.product((1, 4, 16, 64), (torch.float64, torch.float32), SHAPES):
        for neuron, is_constant in itertools.product(NEURONS, (True, False)):
            norm, stateful, pool, weighted = next(turns)
            yield Case(dtype, steps, shape, neuron, is_constant, norm, stateful, pool, weighted)
        # 24 turns and 6 cases a shape would else meet in the same order for ever.
        next(turns)


def inputs(case: Case, seed: int, device: str) -> dict[str, Tensor]:
    """Return the tensors of a case that take gradients, by name."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64).to(case.dtype)

    x = draw(1 if case.is_constant else case.steps, *case.shape) * 2
    if case.neuron.tau == 2 and case.norm == "none":
        # Halves add up exactly: potentials meet the threshold, where there is no spike.
        x = (x * 2).round() / 2
    channels = case.shape[-1]
    found = {"x": x}
    if case.norm != "none":
        found |= {"weight": 1 + 0.3 * draw(channels), "bias": 0.4 * draw(channels)}
    if case.stateful:
        found["state"] = draw(*case.shape).round()
    return {name: value.to(device).requires_grad_() for name, value in found.items()}


def outcome(case: Case, seed: int, kernel: str, device: str) -> dict[str, Tensor]:
    """Return everything that a kernel makes of a case: spikes, last potentials, statistics, gradients."""
    leaves = inputs(case, seed, device)
    random = torch.Generator().manual_seed(seed + 1)
    channels = case.shape[-1]
    norm = None
    if case.norm != "none":
        moments = [torch.rand(channels, generator=random, dtype=torch.float64) + 0.1 for _ in range(2)]
        moments = [value.to(device, case.dtype) for value in moments]
        norm = Norm(leaves["weight"], leaves["bias"], *(moments if case.norm == "fixed" else ()))
    weights = Integrator(3.0).weights(case.steps) if case.weighted else None
    scan = Scan(case.steps, case.neuron, case.pool, weights, keep_state=case.stateful)
    run = triton_scan.scan_layer if kernel == "triton" else lambda *given: scan_layer(*given, "torch")
    result = run(leaves["x"], norm, leaves.get("state"), scan)
    found = {"spikes": result.spikes, "last": result.state, "mean": result.mean, "var": result.var}
    made = {name: value for name, value in found.items() if value is not None}
    pulled = [made[name] for name in ("spikes", "last") if name in made]
    loss = sum((each * torch.randn(each.shape, generator=random).to(each)).sum() for each in pulled)
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    return made | {f"to_{name}": value for name, value in zip(leaves, gradients, strict=True)}


def differences(case: Case, seed: int, device: str) -> list[str]:
    """Name what the two kernels disagree about."""
    expected, found = (outcome(case, seed, kernel, device) for kernel in ("torch", "triton"))
    if expected.keys() != found.keys():
        return [f"{sorted(expected)} and {sorted(found)}"]
    close = 1e-11 if case.dtype == torch.float64 else 2e-4
    wrong = []
    may_turn = device != "cpu" and case.dtype == torch.float32
    if may_turn and (expected["spikes"] != found["spikes"]).any():
        # One spike that rounding turned over changes what comes after it and every gradient.
        share = (expected["spikes"] != found["spikes"]).double().mean().item()
        return [f"spikes, a share of {share:.2g}"] if share > 1e-4 else []
    for name, value in expected.items():
        scale = max(1.0, float(value.detach().abs().max()))
        if not torch.allclose(value, found[name], rtol=close, atol=close * scale):
            wrong.append(f"{name} by {float((value - found[name]).abs().max()):.2g}")
    return wrong


def attention_differences(device: str) -> list[str]:
    """Name the cases in which decoding by the kernel and step by step disagree: image, all steps, shares, gradients."""
    wrong = []
    dispatch.resolve_engine = lambda engine, device: engine
    choices = itertools.product((torch.float64, torch.float32), (1, 5), ("image", "frame"), (True, False))
    for dtype, steps, query, keep_steps in choices:
        random = torch.Generator().manual_seed(steps)
        layers = {name: torch.nn.Linear(6, 5).to(device, dtype) for name in ("query", "key")}
        weights = [value for layer in layers.values() for value in layer.parameters()]
        for value in weights:
            value.data = torch.randn(value.shape, generator=random, dtype=torch.float64).to(device, dtype) * 2
        frames = torch.rand(steps, 3, 6, generator=random, dtype=torch.float64).to(device, dtype).requires_grad_()
        found = []
        for engine in ("torch", "cuda"):
            made = decode(frames, "AttentionScoring_1", layers, keep_steps=keep_steps, query=query, engine=engine)
            pulled = made.last.square().sum() + (made.steps.sin().sum() if keep_steps else 0)
            gradients = torch.autograd.grad(pulled, [frames, *weights], materialize_grads=True)
            found.append([made.last, *gradients, *((made.steps, made.shares) if keep_steps else ())])
        close = 1e-11 if dtype == torch.float64 else 2e-5
        if not all(torch.allclose(*pair, rtol=close, atol=close) for pair in zip(*found, strict=True)):
            wrong.append(f"attention {dtype}, T = {steps}, {query} asks, steps {keep_steps}")
    return wrong


def _patch_once() -> None:
    """Triton's interpreter patches its language anew at each call of a helper, which takes most of the time."""
    patch = cache(interpreter._patch_lang)

    def call(self, *arguments, **named):
        patch(self.fn)
        return self.rewrite()(*arguments, **named)

    interpreter.InterpretedFunction.__call__ = call


def main() -> int:
    """Compare the cases; return 1 if some differ."""
    options = argparse.ArgumentParser(description="CUDA kernels, interpreted, against torch's")
    options.add_argument("--every", type=int, default=1)
    options.add_argument("--device", default="cpu")
    given = options.parse_args()
    every, device = given.every, given.device
    torch.set_num_threads(1)
    if device == "cpu":
        _patch_once()
        # One program does most of a layer; the last shape needs several.
        triton_scan._TILE_BYTES = 1 << 15
    chosen = list(cases())[::every]
    found = [(case, differences(case, number, device)) for number, case in enumerate(chosen)]
    if wrong := attention_differences(device):
        found.append(("decoding", wrong))
    if reason := failure_of_triton(torch.device(device)):
        found.append(("a tiny launch", [reason]))
    differ = [f"{case}: {', '.join(wrong)}" for case, wrong in found if wrong]
    print(json.dumps({"cases": len(chosen), "differ": differ}))
    return int(bool(differ))


if __name__ == "__main__":
    sys.exit(main())
