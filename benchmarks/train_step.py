"""Seconds of one update pair: the package, the plain definition, the dense floor, and the authors' release.

    python -m benchmarks.train_step --model sgad --dataset mnist --time-steps 16 --batch-size 64 [--reference DIR] [--json]

All run in one process, in turn, under the same allocator and thread settings; the peak memory of each is measured in a
process of its own. `--sweep` does T = 4, 8, 16, 32.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import Timing, as_json, describe, machine, run_module, table, time_in_turn
from benchmarks.contestants import SHAPES, Case, Run, dense_step, engine_step, plain_step
from benchmarks.reference import reference_step
from sgad.machine.devices import choose_device, make_current
from sgad.machine.facts import peak_memory_mb
from sgad.machine.memory import keep_pages
from sgad.training.graphs import WARM_UP


@dataclass(frozen=True)
class Memory:
    """Peak memory of a process in MB, and its part before the first step: Python, torch, networks, optimisers."""

    peak: float
    at_rest: float


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(description="Seconds of one update pair, and peak memory")
    options.add_argument("--model", default="sgad", choices=("sgan", "swgan", "sgad", "hybrid"))
    options.add_argument("--dataset", default="mnist", choices=sorted(SHAPES))
    options.add_argument("--time-steps", type=int, default=16)
    options.add_argument("--batch-size", type=int, default=64)
    options.add_argument("--reference", type=Path, help="checkout of the authors' release")
    options.add_argument("--device", default="cpu")
    options.add_argument("--engine", default="auto", choices=("auto", "torch", "numba", "cuda"))
    options.add_argument("--memory", default="normal", choices=("normal", "low"))
    options.add_argument("--precision", default="float32", choices=("float32", "tf32"), help="of every contestant")
    options.add_argument("--threads", type=int, default=0, help="0: all cores")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--sweep", action="store_true", help="T = 4, 8, 16, 32")
    options.add_argument("--no-memory", action="store_true", help="leave out the subprocesses that measure memory")
    options.add_argument("--json", action="store_true", help="one JSON object instead of text")
    options.add_argument("--markdown", action="store_true", help="without the line about the machine")
    options.add_argument("--only", choices=("engine", "plain", "dense", "reference"), help=argparse.SUPPRESS)
    return options


def contestants(case: Case, reference: Path | None, only: str | None = None) -> dict[str, Run]:
    """The contestants, by name."""
    makers = {"engine": engine_step, "plain": plain_step, "dense": dense_step}
    if reference is not None:
        makers["reference"] = lambda case: reference_step(case, reference)
    return {name: make(case) for name, make in makers.items() if only in (None, name)}


def prepare(threads: int, device: str = "cpu", precision: str = "float32") -> None:
    """Settings that a training makes, too: they hold for every contestant."""
    make_current(choose_device(device), precision)
    keep_pages()
    torch.set_flush_denormal(True)
    if threads:
        torch.set_num_threads(threads)


def measure(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Measure everything about one case."""
    is_on_gpu = case.device.startswith("cuda")
    wait = torch.cuda.synchronize if is_on_gpu else (lambda: None)
    runs = contestants(case, options.reference)
    for _ in range(_unmeasured(case)):
        runs["engine"]()
    timings = time_in_turn(runs, options.repeats, wait)
    engine = timings["engine"].median
    result: dict[str, Any] = {"case": case, "threads": torch.get_num_threads(), "seconds": timings}
    result["speedup"] = {name: timings[name].median / engine for name in timings if name not in ("engine", "dense")}
    result["over_dense"] = engine / timings["dense"].median
    result["images_per_second"] = case.batch_size / engine
    if is_on_gpu:
        # A training waits for no pair: what is launched meanwhile hides Python.
        result["in_a_row"] = time_in_a_row(runs["engine"], 20 * options.repeats, wait)
    if not options.no_memory:
        result["peak_memory_mb"] = {name: _memory(case, options, name) for name in timings}
    return result


def time_in_a_row(run: Run, count: int, wait: Run, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds a call, over `count` calls that are not waited for one by one."""
    run()
    wait()
    begun = clock()
    for _ in range(count):
        run()
    wait()
    return (clock() - begun) / count


def _unmeasured(case: Case) -> int:
    """How many pairs run before one is recorded as a CUDA graph: none on a CPU."""
    return WARM_UP if case.device.startswith("cuda") else 0


def _memory(case: Case, options: argparse.Namespace, name: str) -> Memory:
    arguments = [
        "--only", name, "--model", case.model, "--dataset", case.dataset, "--time-steps", str(case.time_steps),
        "--batch-size", str(case.batch_size), "--device", case.device, "--memory", case.memory, "--engine", case.engine,
        "--precision", case.precision,
    ]  # fmt: skip
    if options.reference:
        arguments += ["--reference", str(options.reference)]
    return Memory(**run_module("benchmarks.train_step", [*arguments, "--threads", str(options.threads)]))


def memory_of_one(case: Case, options: argparse.Namespace) -> Memory:
    """Peak memory of this process after two steps of one contestant, and what it took before the first."""
    (run,) = contestants(case, options.reference, options.only).values()
    at_rest = _peak(case)
    for _ in range(_unmeasured(case) + 2):
        run()
    return Memory(_peak(case), at_rest)


def _peak(case: Case) -> float:
    return torch.cuda.max_memory_reserved() / 1e6 if case.device.startswith("cuda") else peak_memory_mb()


def rows(result: dict[str, Any]) -> list[list[str]]:
    """Lines of a table."""
    case, timings = result["case"], result["seconds"]
    memory = result.get("peak_memory_mb", {})
    lines = []
    for name, timing in timings.items():
        ratio = timing.median / timings["engine"].median
        lines.append(
            [
                f"{case.model} {case.dataset}, T = {case.time_steps}, B = {case.batch_size}",
                name if case.memory == "normal" or name != "engine" else f"{name} ({case.memory} memory)",
                _seconds(timing),
                f"{ratio:.2f}",
                f"{memory[name].peak:,.0f} ({memory[name].at_rest:,.0f})" if name in memory else "-",
            ]
        )
    return lines


def _seconds(timing: Timing) -> str:
    return f"{timing.median:.3f} ({timing.smallest:.3f} to {timing.largest:.3f}, n = {timing.repeats})"


def about_settings(device: str, precision: str) -> str:
    """Threads, device and precision in words; of a GPU its name, driver and settings, too."""
    said = f"{torch.get_num_threads()} threads, {device}, precision {precision}"
    if not device.startswith("cuda"):
        return said.removesuffix(", precision float32")
    gpu = machine(device)["gpu"]
    return f"{said}; {gpu['name']}, {', '.join(f'{key} {value}' for key, value in gpu.items() if key != 'name')}"


HEADER = (
    "configuration",
    "what",
    "seconds an update pair: median (range)",
    "times the engine's",
    "peak memory (at rest), MB",
)


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    options = parser().parse_args(arguments)
    prepare(options.threads, options.device, options.precision)
    steps = (4, 8, 16, 32) if options.sweep else (options.time_steps,)
    cases = [
        Case(
            options.model,
            options.dataset,
            count,
            options.batch_size,
            options.device,
            options.memory,
            options.engine,
            options.precision,
        )
        for count in steps
    ]
    if options.only:
        print(as_json(memory_of_one(cases[0], options)))
        return
    about = machine(options.device)
    results = [measure(case, options) for case in cases]
    if options.json:
        print(as_json({"machine": about, "results": results} if options.sweep else {"machine": about, **results[0]}))
        return
    if not options.markdown:
        print(describe(about) + "\n")
    print(about_settings(options.device, options.precision) + "\n")
    print(table(HEADER, [row for result in results for row in rows(result)]))
    for result in results:
        faster = ", ".join(f"{value:.2f}x the speed of {name}" for name, value in result["speedup"].items())
        print(f"\nT = {result['case'].time_steps}: {faster}; {result['over_dense']:.2f} times the dense floor")
        if "in_a_row" in result:
            print(f"\nThe engine in a row, without a wait after each pair: {result['in_a_row']:.4f} s a pair")


if __name__ == "__main__":
    main()
