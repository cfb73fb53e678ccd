"""Throughput of two trainings with different seeds: side by side with half the cores each, and one after the other.

    python -m benchmarks.parallel [--model sgad] [--dataset mnist] [--steps 4] [--repeats 5] [--json | --markdown]

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


def work(case: Case, steps: int, threads: int, seed: int) -> None:
    """Do `steps` update pairs for each line on standard input; say so on standard output when ready and when done."""
    prepare(threads)
    torch.manual_seed(seed)
    run = engine_step(case)
    for _ in range(2):
        run()
    print("ready", flush=True)
    for _ in sys.stdin:
        for _ in range(steps):
            run()
        print("done", flush=True)


@contextlib.contextmanager
def trainings(options: argparse.Namespace, threads: int) -> Iterator[list["subprocess.Popen[str]"]]:
    """Start two trainings and wait until both are warm; end them afterwards."""
    command = [
        sys.executable, "-m", "benchmarks.parallel", "--model", options.model, "--dataset", options.dataset,
        "--time-steps", str(options.time_steps), "--batch-size", str(options.batch_size), "--steps", str(options.steps),
        "--threads", str(threads),
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
    processes = [
        subprocess.Popen(
            [*command, "--worker", str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for seed in (0, 1)
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
    """Return the seconds of both ways, their update pairs per second and the share that side by side loses."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    each = max(cores // 2, 1)
    with trainings(options, cores) as alone, trainings(options, each) as beside:
        ways = {"one after the other": lambda: in_sequence(alone), "side by side": lambda: together(beside)}
        timings = time_in_turn(ways, options.repeats)
    pairs = {way: 2 * options.steps / timing.median for way, timing in timings.items()}
    loss = 1 - pairs["side by side"] / pairs["one after the other"]
    threads = {"one after the other": cores, "side by side": each}
    return {"threads": threads, "seconds": timings, "pairs_per_second": pairs, "loss": loss}


def report(case: Case, steps: int, result: dict[str, Any]) -> str:
    """Return the table and the sentence below it."""

    def row(way: str, timing: Timing) -> list[str]:
        spread = f"{timing.median:.2f} ({timing.smallest:.2f} to {timing.largest:.2f}, n = {timing.repeats})"
        return [way, str(result["threads"][way]), spread, f"{result['pairs_per_second'][way]:.3f}"]

    name = f"{case.model} {case.dataset}, T = {case.time_steps}, B = {case.batch_size}"
    header = ("two trainings", "threads each", f"seconds for 2 x {steps} update pairs", "update pairs a second")
    loss = result["loss"]
    change = f"loses {loss:.1%} of" if loss > 0 else f"gains {-loss:.1%} over"
    lines = table(header, [row(way, timing) for way, timing in result["seconds"].items()])
    return f"{name}\n\n{lines}\n\nSide by side {change} the total throughput of one after the other."


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(description="Two trainings side by side against one after the other")
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
    case = Case(chosen.model, chosen.dataset, chosen.time_steps, chosen.batch_size)
    if chosen.worker is not None:
        work(case, chosen.steps, chosen.threads, chosen.worker)
        return
    result = measure(chosen)
    if chosen.json:
        print(as_json({"machine": machine(), "case": case, **result}))
        return
    if not chosen.markdown:
        print(describe(machine()) + "\n")
    print(report(case, chosen.steps, result))


if __name__ == "__main__":
    main()
