"""What the GPU check looks at itself: `python -m benchmarks.gpu_check.probes NAME --device cuda [--small]`, JSON lines.

Each probe runs under the settings of a training; where it looks at others, its lines say which.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.contestants import Case, Run, engine_step
from sgad.config.run import RunConfig
from sgad.machine.devices import choose_device, gpu_facts, make_current
from sgad.models.registry import build_discriminator, build_generator, initialise
from sgad.training.graphs import WARM_UP
from sgad.training.loop import make_networks, pairs_of, plain_pairs


@dataclass(frozen=True)
class Place:
    """The device and whether cases are small."""

    device: torch.device
    is_small: bool

    @property
    def is_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.type == "cuda"

    def wait(self) -> None:
        """Wait for what was launched."""
        if self.is_gpu:
            torch.cuda.synchronize()

    def milliseconds(self, run: Run, seconds: float = 0.3) -> float:
        """Median of single calls with a wait after each, in ms, over about `seconds`; three are thrown away."""
        found: list[float] = []
        for _ in range(3):
            run()
        self.wait()
        end = time.perf_counter() + (0.02 if self.is_small else seconds)
        while len(found) < 3 or time.perf_counter() < end:
            begun = time.perf_counter()
            run()
            self.wait()
            found.append(1e3 * (time.perf_counter() - begun))
        return round(statistics.median(found), 4)


def say(**values: Any) -> None:
    """Print one line of figures."""
    print(json.dumps(values, default=str), flush=True)


def card(place: Place) -> None:
    """Say what the card is, and its ceilings: TB/s of a copy, TFLOP/s of a product."""
    say(torch=torch.__version__, **gpu_facts(place.device))
    if place.is_gpu:
        facts = torch.cuda.get_device_properties(place.device)
        say(gpu=facts.name, multiprocessors=facts.multi_processor_count, memory_gb=round(facts.total_memory / 1e9, 1))
    x = torch.ones(2**16 if place.is_small else 2**28, device=place.device)
    y = torch.empty_like(x)
    say(copy_tb_s=round(8e-9 * len(x) / place.milliseconds(lambda: y.copy_(x)), 4))
    size = 64 if place.is_small else 8192
    a, b = (torch.randn(size, size, device=place.device) for _ in range(2))
    for precision in ("float32", "tf32", "bf16"):
        if precision == "tf32" and not place.is_gpu:
            continue
        make_current(place.device, precision)
        p, q = (value.bfloat16() if precision == "bf16" else value for value in (a, b))
        took = place.milliseconds(lambda p=p, q=q: p @ q)  # type: ignore[misc]
        say(product=precision, tflops=round(2e-9 * size**3 / took, 2))


def plain_definition(place: Place) -> None:
    """Compare update pairs on the device with the step-by-step definition on the CPU, in float64."""
    from tests.golden import run_case
    from tests.plain.cases import make_case

    critic, grey = "Discriminator_EM_MNIST", (1, 28, 28)
    modes = ("AttentionScoring_1", "AttentionScoring_2", "AttentionScoring_RGB", "ScoringNet_1")
    networks = [("Generator_MP_Scoring_Mnist", critic, grey, mode) for mode in modes]
    networks.append(("Generator_MP_DVS_28", "Discriminator_EM_DVS_28", (2, 28, 28), None))
    ways: list[dict[str, str]] = [{}, {"memory": "low"}, {"engine": "torch"}]
    failed = 0
    for generator, opponent, shape, mode in networks[:1] if place.is_small else networks:
        case = make_case(generator, opponent, shape, scoring_mode=mode)
        for how in ways[:1] if place.is_small else ways:
            line = run_case(case, device=str(place.device), **how)
            failed += not line["ok"]
            say(how=how, **line)
    if failed:
        raise SystemExit(f"{failed} cases differ from the definition")


def determinism(place: Place) -> None:
    """Train twice with the same seed, recorded and kernel by kernel, and say whether the bits are equal."""
    steps = WARM_UP + (3 if place.is_small else 27)
    for extra in ({}, {"input_noise": 0.1, "augment": ("cutout", "translation"), "optimizer": "adam"}):
        once, again = _trained(place, steps, extra, is_recorded=True), _trained(place, steps, extra, is_recorded=True)
        single = _trained(place, steps, extra, is_recorded=False)
        say(
            recipe=extra,
            twice_equal_bits=torch.equal(once, again),
            graph_equals_kernels=torch.equal(once, single),
            largest_difference=float((once - single).abs().max()),
        )


def _trained(place: Place, steps: int, extra: dict[str, Any], *, is_recorded: bool) -> Tensor:
    """Do update pairs of SGAD on MNIST's shape; all weights and averages after them, in one vector."""
    case = Case("sgad", "mnist", 4 if place.is_small else 16, 8 if place.is_small else 64, str(place.device))
    config = RunConfig.model_validate({**case.config().model_dump(), **extra})
    parts = [make(config, case.shape) for make in (build_generator, build_discriminator)]
    for part in parts:
        initialise(part, torch.Generator().manual_seed(1))
    networks = make_networks(config, *(part.to(place.device) for part in parts))
    make = pairs_of(config, networks, place.device, print) if is_recorded else plain_pairs(config, networks)
    for step in range(steps):
        random = torch.Generator().manual_seed(step)
        real = torch.rand(case.batch_size, *case.shape, generator=random).to(place.device)
        z = torch.randn(case.batch_size, config.latent_dim, generator=random).to(place.device)
        make(real, z, step=step, random=torch.Generator(place.device).manual_seed(step))
    states = [value for module in networks.modules().values() for value in module.state_dict().values()]
    return torch.cat([value.detach().double().cpu().flatten() for value in states])


def profile(place: Place) -> None:
    """Say which kernels a recorded pair of SGAD spends its time in."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    run = engine_step(Case("sgad", "mnist", *((2, 4) if place.is_small else (16, 64)), str(place.device)))
    for _ in range(WARM_UP + 2):
        run()
    place.wait()
    pairs = 5
    with profiler(activities=[ProfilerActivity.CUDA if place.is_gpu else ProfilerActivity.CPU]) as seen:
        for _ in range(pairs):
            run()
        place.wait()
    key = "self_device_time_total" if place.is_gpu else "self_cpu_time_total"
    rows = sorted(seen.key_averages(), key=lambda event: -float(getattr(event, key)))
    say(
        kernels_a_pair=sum(event.count for event in rows) / pairs,
        ms_a_pair=round(sum(float(getattr(event, key)) for event in rows) / pairs / 1e3, 4),
    )
    for event in rows[:40]:
        took = round(float(getattr(event, key)) / pairs / 1e3, 4)
        say(kernel=event.key[:120], ms_a_pair=took, times_a_pair=event.count / pairs)


def layouts(place: Place) -> None:
    """Time the four products that dominate, by layout and precision: channels last need not be right on every card."""
    count = 8 if place.is_small else 1024
    spread = {"stride": 2, "padding": 1}
    products: list[tuple[str, tuple[int, ...], tuple[int, ...], Callable[[Tensor, Tensor], Tensor]]] = [
        ("deconv1", (count, 128, 7, 7), (128, 64, 4, 4), lambda x, w: functional.conv_transpose2d(x, w, **spread)),
        ("deconv2", (count, 64, 14, 14), (64, 1, 4, 4), lambda x, w: functional.conv_transpose2d(x, w, **spread)),
        ("conv2", (count, 32, 12, 12), (64, 32, 5, 5), functional.conv2d),
        ("linear2", (count, 1024), (6272, 1024), functional.linear),
    ]
    for name, shape, weight, product in products:
        for is_last in (True, False) if len(shape) == 4 else (False,):
            for precision in ("float32", "tf32", "bf16") if place.is_gpu else ("float32",):
                make_current(place.device, precision)
                took = _forward_and_backward(place, shape, weight, product, is_last=is_last, precision=precision)
                say(product=name, channels_last=is_last, precision=precision, **took)


def _forward_and_backward(
    place: Place,
    shape: tuple[int, ...],
    weight: tuple[int, ...],
    product: Callable[[Tensor, Tensor], Tensor],
    *,
    is_last: bool,
    precision: str,
) -> dict[str, float]:
    x, w = torch.rand(shape, device=place.device).lt(0.2).float(), torch.randn(weight, device=place.device) / 30
    if precision == "bf16":
        x, w = x.bfloat16(), w.bfloat16()
    if is_last:
        x, w = (value.contiguous(memory_format=torch.channels_last) for value in (x, w))
    x, w = x.requires_grad_(), w.requires_grad_()
    pull = torch.randn_like(product(x, w))
    forward = place.milliseconds(lambda: product(x, w), 0.1)
    both = place.milliseconds(lambda: torch.autograd.grad(product(x, w), (x, w), pull), 0.2)
    return {"forward_ms": forward, "both_ms": both}


PROBES = {probe.__name__: probe for probe in (card, plain_definition, determinism, profile, layouts)}


def main() -> None:
    """Run one probe."""
    options = argparse.ArgumentParser(description="One probe of the GPU check")
    options.add_argument("probe", choices=sorted(PROBES))
    options.add_argument("--device", default="cuda")
    options.add_argument("--small", action="store_true")
    chosen = options.parse_args()
    torch.set_flush_denormal(True)
    PROBES[chosen.probe](Place(make_current(choose_device(chosen.device)), chosen.small))


if __name__ == "__main__":
    sys.exit(main())
