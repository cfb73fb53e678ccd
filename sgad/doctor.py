"""What this machine can do, and what an experiment would cost on it, before anything is started."""

import importlib.util
import multiprocessing
import multiprocessing.connection
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sgad.config.compose import resolve_run
from sgad.config.cost import checkpoints_mb, num_steps
from sgad.config.experiment import ExperimentConfig, RunKey
from sgad.config.run import RunConfig
from sgad.errors import InputError, RunFailure
from sgad.machine import facts
from sgad.machine.files import read_json

if TYPE_CHECKING:
    import torch

NEEDED = (
    "torch",
    "torchvision",
    "snakemake",
    "pandas",
    "seaborn",
    "pydantic",
    "safetensors",
    "sklearn",
    "numba",
)
MEASURED_STEPS = 3
#: What a run folder keeps beside its samples, in MB: grids, history, records.
SMALL_FILES_MB = 2.0


def diagnose(data: Path) -> str:
    """Return a report on machine, packages, GPU, prepared data and weights, one line each."""
    lines = [
        f"machine: {facts.machine()}",
        f"free disk here: {shutil.disk_usage('.').free / 1e9:.1f} GB",
    ]
    versions = facts.versions()
    lines.append("versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    lines.append(
        "packages: all present"
        if not missing
        else f"packages missing: {', '.join(missing)}; run `pip install -c constraints.txt -e .`"
    )
    if "torch" not in missing:
        lines.append(_accelerator())
    prepared = sorted(path.parent.name for path in data.glob("*/manifest.json"))
    lines.append(f"prepared data sets in {data}: {', '.join(prepared) or 'none; run `sgad prepare digits`'}")
    lines.append(_weights())
    return "\n".join(lines)


def _accelerator() -> str:
    import torch

    if not torch.cuda.is_available():
        return f"accelerator: none; {torch.get_num_threads()} CPU threads"
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return "accelerators: " + ", ".join(f"cuda:{index} {name}" for index, name in enumerate(names))


def _weights() -> str:
    from sgad.measures.extractors.weights import find_inception_weights

    found = find_inception_weights()
    return f"Inception weights: {found}" if found else "Inception weights: absent; `sgad doctor --download-weights`"


def estimate_experiment(experiment: ExperimentConfig, data: Path, device: str) -> Iterator[str]:
    """Yield the lines of a table of time, memory and disk for every kind of run, as a few steps of each are measured."""
    kinds: Counter[RunKey] = Counter(key._replace(seed=0) for key in experiment.run_keys())
    yield f"{'run':<44}  {'runs':>4}  {'s/step':>7}  {'steps':>8}  {'hours a run':>11}  {'memory GB':>9}  {'disk MB':>7}"
    total_hours = total_disk = 0.0
    for key, count in kinds.items():
        config = resolve_run(key)
        shape, length = _shape_and_length(config, data)
        seconds, memory = measure_in_subprocess(config, shape, device)
        steps = num_steps(config, length)
        hours = seconds * steps / 3600
        disk = _disk_mb(experiment, shape, config)
        total_hours, total_disk = total_hours + hours * count, total_disk + disk * count
        yield (
            f"{key.folder.rsplit('/', 1)[0]:<44}  {count:>4}  {seconds:>7.3f}  {steps:>8}  {hours:>11.2f}"
            f"  {memory / 1e3:>9.2f}  {disk:>7.0f}"
        )
    yield (
        f"in all: {total_hours:.1f} hours one after the other, {total_disk / 1e3:.1f} GB of disk,"
        f" {shutil.disk_usage('.').free / 1e9:.1f} GB free here"
    )


def _shape_and_length(config: RunConfig, data: Path) -> tuple[tuple[int, ...], int]:
    """Return (C, H, W) and the length of the training split, from the manifest or the description."""
    manifest = data / config.dataset / "manifest.json"
    if manifest.is_file():
        content = read_json(manifest)
        return tuple(content["shape"]), int(content["counts"]["train"])
    from sgad.data.description import load_description

    description = load_description(config.dataset)
    if description.counts is None or description.shape is None:
        raise InputError(
            f"{config.dataset} is not prepared and its description names no counts; run `sgad prepare {config.dataset}`"
        )
    return tuple(description.shape), int(description.counts["train"])


def _disk_mb(experiment: ExperimentConfig, shape: tuple[int, ...], config: RunConfig) -> float:
    channels, height, width = shape
    images = experiment.num_samples * channels * height * width * (config.time_steps if channels == 2 else 1) / 1e6
    weights = weights_mb(config, shape)
    return images + weights + checkpoints_mb(config, weights) + SMALL_FILES_MB


def weights_mb(config: RunConfig, shape: tuple[int, ...]) -> float:
    """Size of both networks in MB."""
    from sgad.models.registry import build_discriminator, build_generator

    modules = (build_generator(config, shape), build_discriminator(config, shape))
    values = [value for module in modules for value in module.state_dict().values()]
    return sum(int(value.numel() * value.element_size()) for value in values) / 1e6


def measure_in_subprocess(config: RunConfig, shape: tuple[int, ...], device: str) -> tuple[float, float]:
    """Return (median seconds of an update pair, peak memory in MB), measured in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(config, shape, device, sender))
    process.start()
    sender.close()
    try:
        measured: tuple[float, float] = receiver.recv()
    except EOFError as error:
        raise RunFailure(f"measuring {config.dataset}/{config.model} failed; see the lines above") from error
    finally:
        process.join()
    return measured


def _measure(
    config: RunConfig, shape: tuple[int, ...], device: str, sender: multiprocessing.connection.Connection
) -> None:
    from sgad.machine.devices import held_device, set_threads

    set_threads(0)
    with held_device(device) as place:
        sender.send(_time_and_memory(config, shape, place))


def _time_and_memory(config: RunConfig, shape: tuple[int, ...], place: "torch.device") -> tuple[float, float]:
    import torch

    from sgad.training.graphs import WARM_UP
    from sgad.training.loop import pairs_of
    from sgad.training.run import new_networks

    networks = new_networks(config, shape, place)
    random = torch.Generator(place).manual_seed(0)
    dtype = getattr(torch, config.dtype)
    frames = (config.time_steps,) if shape[0] == 2 else ()
    real = torch.rand(*frames, config.batch_size, *shape, generator=random, device=place, dtype=dtype)
    pairs = pairs_of(config, networks, place, tell=lambda line: None)
    # Kernels are compiled and memory is found in the first; CUDA graphs, with a penalty and without, come after a few.
    warm_up = (WARM_UP + 1) * config.constraint_interval if place.type == "cuda" else 1
    seconds = []
    for step in range(warm_up + MEASURED_STEPS):
        z = torch.randn(config.batch_size, config.latent_dim, generator=random, device=place, dtype=dtype)
        begun = time.perf_counter()
        pairs(real, z, step=step, random=random)
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        seconds.append(time.perf_counter() - begun)
    memory = torch.cuda.max_memory_reserved(place) / 1e6 if place.type == "cuda" else facts.peak_memory_mb()
    return statistics.median(seconds[warm_up:]), memory
