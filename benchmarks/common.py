"""What benchmarks share: the machine in words, timing in turn, peak memory in a subprocess, tables."""

import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any


@dataclass(frozen=True)
class Timing:
    """Seconds of one contestant: median, smallest, largest, number of repetitions."""

    median: float
    smallest: float
    largest: float
    repeats: int


def machine(device: str = "cpu") -> dict[str, Any]:
    """What a reader needs to judge a figure: processor, cores, load, versions; of a GPU its name, driver and settings."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("torch", "numba", "numpy")},
        **({"gpu": _gpu(device)} if device.startswith("cuda") else {}),
    }


def _gpu(device: str) -> dict[str, str]:
    import torch

    from sgad.machine.devices import gpu_facts

    place = torch.device(device)
    return {"name": torch.cuda.get_device_name(place), "triton": _version("triton"), **gpu_facts(place)}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            names = [line.partition(":")[2].strip() for line in stream if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def time_in_turn(
    contestants: Mapping[str, Callable[[], object]],
    repeats: int,
    wait: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time contestants one after the other, `repeats` rounds after one that warms up.

    All see the same drift of the machine, so ratios are fair; `wait` ends what a device still computes.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for round_ in range(repeats + 1):
        for name, run in contestants.items():
            gc.collect()
            begun = clock()
            run()
            wait()
            if round_ > 0:
                seconds[name].append(clock() - begun)
    return {
        name: Timing(statistics.median(values), min(values), max(values), repeats) for name, values in seconds.items()
    }


def run_module(module: str, arguments: Sequence[str]) -> Any:
    """Run `python -m module ARGUMENTS` and return the JSON of its last line."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{module} {' '.join(arguments)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def describe(machine_: Mapping[str, Any]) -> str:
    """The machine in one line."""
    versions = ", ".join(f"{name} {number}" for name, number in machine_["versions"].items())
    gpu = machine_.get("gpu")
    on = f"{gpu['name']}, {', '.join(f'{key} {value}' for key, value in gpu.items() if key != 'name')}; " if gpu else ""
    return on + (
        f"{machine_['processor']}, {machine_['cores']} cores, load {machine_['load']}, {machine_['system']}, "
        f"Python {machine_['python']}, {versions}"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def as_json(value: Any) -> str:
    """Write as JSON; dataclasses become objects."""
    return json.dumps(value, default=asdict)
