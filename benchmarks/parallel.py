"""Throughput of trainings with different seeds: side by side with their share of the cores each, and one after the other.

    python -m benchmarks.parallel [--count 2] [--device cuda] [--model sgad] [--steps 4] [--repeats 5] [--json | --markdown]

On a GPU all trainings share one device. Without MPS (docs/running-at-scale.md) the device does one's kernels at a time.

Each training is a process of its own that does update pairs whenever it is told to; the two ways take turns, so that a
drift of the machine meets both. One after the other, each training has all cores.
"""

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.common import Timing, as_json, describe, machine, table, time_in_turn
from benchmarks.contestants import SHAPES, Case, engine_step
from benchmarks.train_step import prepare
from sgad.training.graphs import WARM_UP


def work(case: Case, steps: int, threads: int, seed: int) -> None:
    """Do `steps` update pairs for each line on standard input; say so on standard output when ready and when done."""
    prepare(threads, case.device)
    torch.manual_seed(seed)
    run = engine_step(case)
    wait = torch.cuda.synchronize if case.device.startswith("cuda") else (lambda: None)
    for _ in range(WARM_UP + 2):
        run()
    wait()
    print("ready", flush=True)
    for _ in sys.stdin:
        for _ in range(steps):
            run()
        wait()
        print("done", flush=True)


@contextlib.contextmanager
def trainings(options: argparse.Namespace, threads: int) -> Iterator[list["subprocess.Popen[str]"]]:
    """Start the trainings and wait until all are warm; end them afterwards."""
    command = [
        sys.executable, "-m", "benchmarks.parallel", "--model", options.model, "--dataset", options.dataset,
        "--time-steps", str(options.time_steps), "--batch-size", str(options.batch_size), "--steps", str(options.steps),
        "--threads", str(threads), "--device", options.device,
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
    processes = [
        subprocess.Popen(
            [*command, "--worker", str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for seed in range(options.count)
    ]
    try:
        for process in processes:
            wait_for("ready", process)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def tell(process: "subprocess.Popen[str]") -> None:
    """Let a training do its steps."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def wait_for(word: str, process: "subprocess.Popen[str]") -> None:
    """Wait until a training says `word`."""
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    if said != word:
        raise SystemExit(f"a training of the benchmark ended early: it said {said!r} instead of {word!r}")


def together(processes: list["subprocess.Popen[str]"]) -> None:
    """Let all trainings do their steps at once."""
    for process in processes:
        tell(process)
    for process in processes:
        wait_for("done", process)


def in_sequence(processes: list["subprocess.Popen[str]"]) -> None:
    """Let one training do its steps after the other."""
    for process in processes:
        together([process])


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of both ways, their update pairs per second and the share that side by side loses."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    each = max(cores // options.count, 1)
    with trainings(options, cores) as alone, trainings(options, each) as beside:
        ways = {"one after the other": lambda: in_sequence(alone), "side by side": lambda: together(beside)}
        timings = time_in_turn(ways, options.repeats)
    pairs = {way: options.count * options.steps / timing.median for way, timing in timings.items()}
    loss = 1 - pairs["side by side"] / pairs["one after the other"]
    threads = {"one after the other": cores, "side by side": each}
    return {"threads": threads, "seconds": timings, "pairs_per_second": pairs, "loss": loss}


def report(case: Case, count: int, steps: int, result: dict[str, Any]) -> str:
    """Table and the sentence below it."""

    def row(way: str, timing: Timing) -> list[str]:
        spread = f"{timing.median:.2f} ({timing.smallest:.2f} to {timing.largest:.2f}, n = {timing.repeats})"
        return [way, str(result["threads"][way]), spread, f"{result['pairs_per_second'][way]:.3f}"]

    name = f"{case.model} {case.dataset}, T = {case.time_steps}, B = {case.batch_size}"
    words = {2: "two", 3: "three", 4: "four"}
    header = (
        f"{words.get(count, count)} trainings",
        "threads each",
        f"seconds for {count} x {steps} update pairs",
        "update pairs a second",
    )
    loss = result["loss"]
    change = f"loses {loss:.1%} of" if loss > 0 else f"gains {-loss:.1%} over"
    lines = table(header, [row(way, timing) for way, timing in result["seconds"].items()])
    return f"{name}\n\n{lines}\n\nSide by side {change} the total throughput of one after the other."


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(description="Trainings side by side against one after the other")
    options.add_argument("--count", type=int, default=2, help="trainings")
    options.add_argument("--device", default="cpu", help="cpu, or the one GPU that all share")
    options.add_argument("--model", default="sgad", choices=("sgan", "swgan", "sgad", "hybrid"))
    options.add_argument("--dataset", default="mnist", choices=sorted(SHAPES))
    options.add_argument("--time-steps", type=int, default=16)
    options.add_argument("--batch-size", type=int, default=64)
    options.add_argument("--steps", type=int, default=4, help="update pairs of each training in a repetition")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--threads", type=int, default=0, help=argparse.SUPPRESS)
    options.add_argument("--worker", type=int, metavar="SEED", help=argparse.SUPPRESS)
    options.add_argument("--json", action="store_true", help="one JSON object instead of text")
    options.add_argument("--markdown", action="store_true", help="without the line about the machine")
    chosen = options.parse_args()
    if chosen.count < 1:
        raise SystemExit(f"--count must be at least 1, got {chosen.count}")
    case = Case(chosen.model, chosen.dataset, chosen.time_steps, chosen.batch_size, chosen.device)
    if chosen.worker is not None:
        work(case, chosen.steps, chosen.threads, chosen.worker)
        return
    result = measure(chosen)
    if chosen.json:
        print(as_json({"machine": machine(chosen.device), "case": case, **result}))
        return
    if not chosen.markdown:
        print(describe(machine(chosen.device)) + "\n")
    print(report(case, chosen.count, chosen.steps, result))


if __name__ == "__main__":
    main()
