"""The sample stage: a trained generator and a seed to samples.npz, grid.png, steps.png and, for events, sample.gif."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from sgad.config.cost import activations_mb
from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.images import Bytes, can_draw, save_gif, save_grid, to_bytes
from sgad.machine.devices import held_device, set_threads
from sgad.machine.facts import free_memory
from sgad.machine.files import require_writable, sha256_of, write_npz
from sgad.machine.progress import Progress
from sgad.models.draw import BATCH, draw_all, latents, normal
from sgad.models.generators import Generator, can_keep_steps
from sgad.models.registry import fold_batch_norm, load_generator
from sgad.runs.record import FILE_NAME as RECORD
from sgad.runs.record import read_record
from sgad.runs.seeds import Streams
from sgad.snn.batch_norm import StepBatchNorm

Statistics = Literal["running", "recalibrated", "batch"]

#: Share of the free memory that one batch may take.
MEMORY_SHARE = 0.5
RECALIBRATION_BATCHES = 8
GRID_IMAGES = 64
GIF_IMAGES = 16
#: Images whose time steps are drawn into steps.png, one a row.
STRIP_IMAGES = 3


@dataclass(frozen=True)
class SampleRequest:
    """What the sample stage is asked to do; `num` or `statistics` None: as the run's configuration says.

    `recordings`: a folder for generated events as files of N-MNIST's format.
    """

    folder: Path
    num: int | None = None
    sample_seed: int = 0
    statistics: Statistics | None = None
    keep_steps: bool = False
    device: str = "auto"
    threads: int = 0
    recordings: Path | None = None


@torch.no_grad()
def recalibrate(generator: nn.Module, config: RunConfig) -> None:
    """Re-estimate the batch norm averages by running the generator on fresh latents.

    Moving averages of weights need it, and so do weights that moved fast before training ended.
    """
    norms = [module for module in generator.modules() if isinstance(module, StepBatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        # No momentum: torch's convention for the plain mean over all batches.
        norm.momentum = None
    generator.train()
    z = normal(RECALIBRATION_BATCHES * BATCH, config.latent_dim, Streams.of(config).recalibration())
    for _ in draw_all(generator, z, config):
        pass
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


def prepare_generator(generator: nn.Module, config: RunConfig, statistics: Statistics) -> nn.Module:
    """Make a generator ready to sample: with batch norm folded into the weights, unless each batch has its own."""
    if statistics == "batch":
        return generator.train()
    if statistics == "recalibrated":
        recalibrate(generator, config)
    return fold_batch_norm(generator.eval())


def batch_that_fits(config: RunConfig, shape: Sequence[int], device: torch.device) -> int:
    """How many images of `shape` (C, H, W) are generated at once: BATCH, or fewer where memory is short."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    return max(1, min(BATCH, int(MEMORY_SHARE * free / 1e6 / activations_mb(config, shape))))


def sample_run(request: SampleRequest) -> Path:
    """Write samples.npz and the pictures of one run folder; return the path of samples.npz."""
    if _has_failed(request.folder):
        # Later stages read "no images" as "the run failed", and say so in every table.
        write_npz(request.folder / "samples.npz", images=np.zeros((0, 1, 1, 1), np.uint8), meta=np.array("{}"))
        return request.folder / "samples.npz"
    require_writable(request.folder)
    with held_device(request.device) as device:
        return _sample(request, device)


def _sample(request: SampleRequest, device: torch.device) -> Path:
    set_threads(request.threads)
    generator, config, shape = load_generator(request.folder)
    if request.recordings is not None and shape[0] != 2:
        raise InputError(f"{request.folder} makes images, not events; leave out --recordings")
    generator = generator.to(device)
    statistics = request.statistics or config.sampling_statistics
    generator = prepare_generator(generator, config, statistics)
    count = request.num or config.num_samples
    # Batch statistics tie an image to the others of its batch.
    batch = BATCH if statistics == "batch" else batch_that_fits(config, shape, device)
    images: list[Bytes] = []
    steps: list[Bytes] = []
    with Progress(count, title=f"sampling {request.folder}", unit="images") as progress:
        z = latents(config, count, request.sample_seed)
        for made_now in draw_all(generator, z, config, keep_steps=request.keep_steps, batch=batch):
            images.append(_batch_first(to_bytes(made_now.shown, config.pixel_range)))
            if made_now.steps is not None:
                steps.append(_batch_first(to_bytes(made_now.steps, config.pixel_range)))
            progress.update(len(images[-1]))
    if statistics != "batch" and can_draw():
        _draw_steps(request.folder / "steps.png", generator, z[:STRIP_IMAGES], config)
    made = np.concatenate(images)
    _write(request, config, made, np.concatenate(steps) if steps else None, statistics, shape)
    return request.folder / "samples.npz"


def _draw_steps(path: Path, generator: nn.Module, z: Tensor, config: RunConfig) -> None:
    """Draw what a generator of ours shows after each time step, time going right; events have their GIF."""
    is_ours = isinstance(generator, Generator) and can_keep_steps(generator)
    if not is_ours or generator.is_events or config.time_steps == 1:
        return
    for made in draw_all(generator, z, config, keep_steps=True):
        # A user's subclass may not keep them.
        if made.steps is not None:
            save_grid(path, made.steps.transpose(0, 1).flatten(0, 1), config.pixel_range, columns=config.time_steps)


def _has_failed(folder: Path) -> bool:
    return (folder / RECORD).is_file() and read_record(folder).status == "failed"


def _batch_first(frames: Bytes) -> Bytes:
    return np.ascontiguousarray(frames.swapaxes(0, 1)) if frames.ndim == 5 else frames


def _write(
    request: SampleRequest,
    config: RunConfig,
    made: Bytes,
    steps: Bytes | None,
    statistics: str,
    shape: tuple[int, ...],
) -> None:
    folder, is_events = request.folder, made.ndim == 5
    note = read_record(folder).caption_note if (folder / RECORD).is_file() else ""
    meta = {
        "dataset": config.dataset,
        "model": config.model,
        "variant": config.variant,
        "seed": config.seed,
        "sample_seed": request.sample_seed,
        "statistics": statistics,
        "config_hash": config.hash(),
        "weights_sha256": sha256_of(folder / "generator.safetensors"),
        "kind": "events" if is_events else "images",
        "shape": list(shape),
        "caption_note": note,
    }
    arrays = {"frames" if is_events else "images": made, "meta": np.array(json.dumps(meta))}
    if steps is not None and not is_events:
        arrays["steps"] = steps
    write_npz(folder / "samples.npz", **arrays)
    if request.recordings is not None:
        from sgad.data.events.export import save_recordings

        save_recordings(made, request.recordings)
    if not can_draw():
        return
    if is_events:
        save_gif(folder / "sample.gif", made[:GIF_IMAGES], columns=4)
        save_grid(folder / "grid.png", made[:GRID_IMAGES].swapaxes(0, 1) / np.float32(255))
    else:
        save_grid(folder / "grid.png", made[:GRID_IMAGES] / np.float32(255))
