"""What this machine can do, and what an experiment would cost on it, before anything is started."""

import importlib.util
import multiprocessing
import multiprocessing.connection
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sgad.config.cards import CARDS, Card
from sgad.config.compose import resolve_run
from sgad.config.cost import checkpoints_mb, device_mb, estimated_mb, num_attempts, num_steps, units
from sgad.config.experiment import ExperimentConfig, RunKey
from sgad.config.paths import key_of
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
#: How long all kinds of an experiment are measured, together.
MEASURING_SECONDS = 120.0
#: The longest job that the workflow asks a cluster for, unless it is told otherwise.
JOB_MINUTES = 1440
#: What a run folder keeps next to its samples, in MB: grids, history, records.
SMALL_FILES_MB = 2.0


def diagnose(data: Path) -> str:
    """A report on machine, packages, GPU, prepared data and weights, one line each."""
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


@dataclass(frozen=True)
class _Kind:
    """Runs of one experiment that differ in their seed alone."""

    key: RunKey
    count: int
    config: RunConfig
    shape: tuple[int, ...]
    num_steps: int

    @property
    def name(self) -> str:
        return self.key.folder.rsplit("/", 1)[0]


def estimate_experiment(
    experiment: ExperimentConfig, data: Path, device: str, card: Card | None = None, seconds: float = MEASURING_SECONDS
) -> Iterator[str]:
    """Yield what is missing and a table of time, memory and disk of every kind of run.

    With a `card`, times are computed for it. Else a few steps of each kind are measured here, cheap kinds first, as long
    as `seconds` last; the others are estimated from those, and marked.
    """
    kinds = _kinds(experiment, data)
    yield from _missing(experiment, data, card)
    if card is None:
        yield f"measuring {len(kinds)} kinds of run here once each, for {seconds:.0f} seconds at most; ~ marks an estimate"
    else:
        yield f"times on {card.title}, {card.source}; memory is the card's"
    yield f"{'run':<44}  {'runs':>4}  {'s/step':>8}  {'steps':>8}  {'hours a run':>11}  {'memory GB':>9}  {'disk MB':>7}"
    total_hours = total_disk = longest = 0.0
    most_memory = 1.0
    for kind, step, memory, mark in _timed(kinds, device, card, seconds):
        hours = step * kind.num_steps / 3600
        disk = _disk_mb(experiment, kind.shape, kind.config)
        total_hours, total_disk = total_hours + hours * kind.count, total_disk + disk * kind.count
        longest, most_memory = max(longest, hours), max(most_memory, memory)
        yield (
            f"{kind.name:<44}  {kind.count:>4}  {mark + format(step, '.3f'):>8}  {kind.num_steps:>8}  {hours:>11.2f}"
            f"  {memory / 1e3:>9.2f}  {disk:>7.0f}"
        )
    yield (
        f"in all: {total_hours:.1f} hours one after the other, {total_disk / 1e3:.1f} GB of disk,"
        f" {shutil.disk_usage('.').free / 1e9:.1f} GB free here"
    )
    yield from _advice(longest, most_memory, card)


def _advice(longest: float, memory: float, card: Card | None) -> Iterator[str]:
    attempts = num_attempts(round(longest * 60), JOB_MINUTES, 0)
    if attempts > 1:
        yield (
            f"the longest run takes {longest:.0f} h, more than a job of {JOB_MINUTES // 60} h: it is resumed in {attempts} jobs"
            " or more; longer ones by --config max_minutes=N"
        )
    if card is not None:
        runs = card.runs_at_once(memory)
        yield (
            f"{runs} runs fit on one card, which hides waiting but is not {runs} times as fast: snakemake --workflow-profile"
            f" profiles/gpu --resources gpu={runs}, times the number of cards"
        )


def _kinds(experiment: ExperimentConfig, data: Path) -> list[_Kind]:
    counts: Counter[RunKey] = Counter(key._replace(seed=0) for key in experiment.run_keys())
    kinds = []
    for key, count in counts.items():
        config = resolve_run(key)
        shape, length = _shape_and_length(config, data)
        kinds.append(_Kind(key, count, config, shape, num_steps(config, length)))
    return kinds


def _timed(
    kinds: Sequence[_Kind], device: str, card: Card | None, seconds: float
) -> Iterator[tuple[_Kind, float, float, str]]:
    """Yield each kind with the seconds of a step, its memory in MB, and a mark: empty if measured, else "~"."""
    if card is not None:
        mark = "" if card.seconds is not None else "~"
        for kind in kinds:
            step = units(kind.config, kind.shape) * card.seconds_a_unit
            yield kind, step, device_mb(kind.config, kind.shape), mark
        return
    begun, longest = time.monotonic(), 0.0
    rates: list[float] = []
    for kind in sorted(kinds, key=lambda kind: units(kind.config, kind.shape)):
        work, left = units(kind.config, kind.shape), seconds - (time.monotonic() - begun)
        # The start of a process comes on top of the steps: a kind takes at least as long as the one before.
        if not rates or max(longest, rates[-1] * work * (MEASURED_STEPS + 1)) < left:
            before = time.monotonic()
            step, memory = measure_in_subprocess(kind.config, kind.shape, device)
            longest = time.monotonic() - before
            rates.append(step / work)
            yield kind, step, memory, ""
        else:
            yield kind, statistics.median(rates) * work, float(estimated_mb(kind.config, kind.shape)), "~"


def _missing(experiment: ExperimentConfig, data: Path, card: Card | None) -> Iterator[str]:
    """Yield a line for each thing that the experiment needs and this machine lacks, with the command that brings it."""
    absent = [name for name in experiment.dataset_keys() if not (data / key_of(name) / "manifest.json").is_file()]
    if absent:
        commands = "; ".join(f"sgad prepare {name} --download" for name in absent)
        yield f"missing: data sets {', '.join(absent)}: {commands} (or --from DIR, where their files are)"
    needs = any("inception" in name or name.startswith("fid") for name in experiment.measures)
    if needs and (line := _weights()).endswith("`"):
        yield f"missing: {line}"
    if card is None and importlib.util.find_spec("torch") is not None and not _has_gpu():
        yield (
            "missing: a GPU; run where there is one (profiles/gpu, slurm, kubernetes), and see the hours on one by"
            f" --card {'|'.join(CARDS)}"
        )


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _shape_and_length(config: RunConfig, data: Path) -> tuple[tuple[int, ...], int]:
    """(C, H, W) and the length of the training split, from the manifest or the description."""
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
    """Median seconds of an update pair and peak memory in MB, measured in a process of its own."""
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
