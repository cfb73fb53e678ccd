"""Images a second of a trained generator: the package's sampling path against the plain definition.

    python -m benchmarks.sample --model sgad --dataset mnist --time-steps 16 --batch-size 250 [--json]

The package folds batch norm into the weights and runs constant layers once; the plain definition is in evaluation mode
without gradients, too.
"""

import argparse
from typing import Any

import torch

from benchmarks.common import Timing, as_json, describe, machine, table, time_in_turn
from benchmarks.contestants import SHAPES, Case
from benchmarks.train_step import about_settings, prepare
from sgad.models.registry import build_generator, fold_batch_norm
from tests.plain import PlainGenerator


def measure(case: Case, repeats: int) -> dict[str, Any]:
    """Images a second of both."""
    config = case.config()
    generator = build_generator(config, case.shape)
    plain = PlainGenerator(config.generator, case.shape, config.latent_dim, case.time_steps, config.scoring_mode)
    plain.load_state_dict(generator.state_dict())
    z = case.inputs()[1]
    with torch.no_grad():
        for _ in range(20):
            # Settled averages: a generator whose neurons are silent would be no measure.
            generator(z[:64])
        plain.load_state_dict(generator.state_dict())
        plain, folded = plain.to(case.device).eval(), fold_batch_norm(generator).to(case.device)

        def run_plain() -> None:
            plain.clear()
            plain(z)

        wait = torch.cuda.synchronize if case.device.startswith("cuda") else (lambda: None)
        timings = time_in_turn({"engine": lambda: folded(z), "plain": run_plain}, repeats, wait)
    speed = {name: case.batch_size / timing.median for name, timing in timings.items()}
    return {"case": case, "seconds": timings, "images_per_second": speed, "speedup": speed["engine"] / speed["plain"]}


def _range(case: Case, timing: Timing) -> str:
    slowest, fastest = case.batch_size / timing.largest, case.batch_size / timing.smallest
    return f"{slowest:,.0f} to {fastest:,.0f}, n = {timing.repeats}"


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(description="Images a second of a trained generator")
    options.add_argument("--model", default="sgad", choices=("sgan", "swgan", "sgad"))
    options.add_argument("--dataset", default="mnist", choices=sorted(SHAPES))
    options.add_argument("--time-steps", type=int, default=16)
    options.add_argument("--batch-size", type=int, default=250)
    options.add_argument("--device", default="cpu")
    options.add_argument("--threads", type=int, default=0, help="0: all cores")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--json", action="store_true", help="one JSON object instead of text")
    options.add_argument("--markdown", action="store_true", help="without the line about the machine")
    chosen = options.parse_args(arguments)
    prepare(chosen.threads, chosen.device)
    about = machine(chosen.device)
    case = Case(chosen.model, chosen.dataset, chosen.time_steps, chosen.batch_size, chosen.device)
    result = measure(case, chosen.repeats)
    if chosen.json:
        print(as_json({"machine": about, **result}))
        return
    if not chosen.markdown:
        print(describe(about) + "\n")
    print(about_settings(case.device, "float32") + "\n")
    rows = [
        [f"{case.model} {case.dataset}, T = {case.time_steps}, B = {case.batch_size}", name, f"{speed:,.0f}",
         _range(case, result["seconds"][name]), f"{speed / result['images_per_second']['plain']:.2f}"]
        for name, speed in result["images_per_second"].items()
    ]  # fmt: skip
    print(table(("configuration", "what", "images a second", "range", "times the plain's"), rows))


if __name__ == "__main__":
    main()
