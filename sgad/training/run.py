"""The train stage: from a configuration and prepared data to generator.safetensors, history.csv and run.json."""

import datetime
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sgad._version import __version__
from sgad.catalogue.lookup import analysis_pictures
from sgad.config.cost import num_steps
from sgad.config.run import RunConfig
from sgad.config.yaml_files import dump_yaml
from sgad.data.held_out import num_training
from sgad.data.loader import Batches
from sgad.data.prepared import Prepared, load_prepared
from sgad.errors import InputError, Interrupted, one_line
from sgad.images import save_grid
from sgad.machine import facts
from sgad.machine.devices import gpu_facts, held_device, set_threads
from sgad.machine.faults import is_fault_of_the_machine
from sgad.machine.files import read_json, write_text
from sgad.models.draw import draw, fixed_latents
from sgad.models.registry import build_discriminator, build_generator, initialise
from sgad.runs.finished import FOLDER as FINISHED
from sgad.runs.finished import WEIGHTS, is_untouched, keep_finished, read_finished, restore_finished
from sgad.runs.lease import refuse_if_taken_over, run_lock
from sgad.runs.record import FILE_NAME as RECORD
from sgad.runs.record import FINAL, RunRecord, Session, read_record
from sgad.runs.seeds import Streams
from sgad.snn.batch_norm import statistics_frozen
from sgad.snn.kernels.dispatch import engine_name, engine_note
from sgad.training.checkpoint import FOLDER as CHECKPOINTS
from sgad.training.checkpoint import Checkpoint, Origin, newest_checkpoint, restore_tensors, save_tensors
from sgad.training.first_pass import scale_currents, silent_layers, warning_of
from sgad.training.history import FILES as HISTORIES
from sgad.training.loop import Hooks, Networks, Outcome, make_networks, train
from sgad.training.start import load_initial_weights

GRID_IMAGES = 64
#: What later stages make of the networks and leave in the run folder.
OF_OTHER_STAGES = (
    "samples.npz",
    "metrics.json",
    "grid.png",
    "steps.png",
    "sample.gif",
)


@dataclass(frozen=True)
class TrainRequest:
    """What the train stage is asked to do."""

    config: RunConfig
    data_folder: Path
    folder: Path
    device: str = "auto"
    threads: int = 0
    resume: bool = True


def train_run(request: TrainRequest, tell: Callable[[str], None]) -> RunRecord:
    """Train one run, or what is left of it, and return its record.

    Raises
    ------
    InputError
        If the data are not prepared or do not fit the configuration.
    Interrupted
        If a signal stopped it; a checkpoint was written before.
    """
    prepared = load_prepared(request.data_folder)
    _require_fit(request.config, prepared)
    with run_lock(request.folder, tell):
        done = _finished_record(request, _origin(request, prepared), tell) if request.resume else None
        if done is not None:
            return done
        with held_device(request.device, request.config.precision) as device:
            if note := engine_note(request.config, device):
                tell(note)
            return _train_locked(request, prepared, device, tell)


def _require_fit(config: RunConfig, prepared: Prepared) -> None:
    manifest = prepared.manifest
    if manifest.name != config.dataset:
        raise InputError(f"the prepared data are {manifest.name!r}, the run wants {config.dataset!r}; check --data")
    if manifest.kind == "events" and manifest.time_bins != config.time_steps:
        raise InputError(
            f"{manifest.name} was prepared with time_bins {manifest.time_bins}, the run wants time_steps"
            f" {config.time_steps}; set time_bins in its description and prepare it again"
        )
    count = num_training(prepared, config.holdout)
    if count % config.batch_size == 1 and not config.drop_last:
        raise InputError(
            f"batch_size {config.batch_size} leaves one of {count} training images for the last batch,"
            " and batch norm needs two; take another batch_size or drop_last: true"
        )


def _finished_record(request: TrainRequest, origin: Origin, tell: Callable[[str], None]) -> RunRecord | None:
    """The record of a run that this configuration and these data have already finished; its files are there."""
    folder, record = request.folder, _record_before(request.folder, origin)
    is_there = (folder / WEIGHTS[0]).is_file() and is_untouched(folder)
    if record is not None and record.status in FINAL and is_there:
        tell(f"{folder} is already {record.status}; nothing to do (--no-resume trains it anew)")
        if read_finished(folder) is None:
            keep_finished(folder, record)
    else:
        record = restore_finished(folder, origin.config_hash, origin.data_hash)
        if record is None:
            return None
        tell(
            f"{folder} was {record.status} by an earlier training of the same configuration and data; its files were"
            " put back, nothing to do (--no-resume trains it anew)"
        )
    # A process that was killed at the very end has left them.
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return record


def _record_before(folder: Path, origin: Origin) -> RunRecord | None:
    """What an earlier process with this configuration and these data wrote of the run."""
    if not (folder / RECORD).is_file():
        return None
    try:
        record = read_record(folder)
    except InputError:
        return None
    return record if Origin(record.config_hash, record.data_hash) == origin else None


def _origin(request: TrainRequest, prepared: Prepared) -> Origin:
    return Origin(request.config.hash(), prepared.manifest.content_hash)


def _train_locked(
    request: TrainRequest, prepared: Prepared, device: torch.device, tell: Callable[[str], None]
) -> RunRecord:
    config, folder = request.config, request.folder
    threads = set_threads(request.threads)
    shape = tuple(prepared.manifest.shape)
    networks = new_networks(config, shape, device, tell)
    batches = Batches(
        prepared,
        config.batch_size,
        config.seed,
        pixel_range=config.pixel_range,
        event_counts=config.event_counts,
        flip=config.flip,
        drop_last=config.drop_last,
        holdout=config.holdout,
    )
    origin = _origin(request, prepared)
    checkpoint, notes = newest_checkpoint(folder, origin) if request.resume else (None, [])
    if checkpoint is None:
        _start_afresh(folder, notes, tell)
    if config.ema_decay > 0 and config.sampling_statistics == "running":
        tell("averaged weights have no running averages of their own; set sampling_statistics=recalibrated for samples")
    write_text(folder / "config.yaml", dump_yaml(config.model_dump(mode="json")))
    record = _record_of_session(request, prepared, device, threads, checkpoint)
    _say_other_threads(record, tell)
    record.target_steps = num_steps(config, batches.num_samples)
    record.write(folder)

    def note_state(step: int, seconds: float) -> list[dict[str, Any]]:
        record.steps, record.seconds = step, round(seconds, 3)
        record.epochs = round(step / batches.steps_per_epoch, 4)
        record.peak_memory_mb = round(_peak_memory(networks), 1)
        record.write(folder)
        return [session.model_dump() for session in (*record.earlier_sessions, record.as_session())]

    def draw_grid(generator: torch.nn.Module, step: int) -> None:
        _draw_grid(generator, config, folder / "grids" / f"step-{step:06d}.png", device)

    if checkpoint is None:
        record.warnings = _prepare_critic(config, networks, batches, device)
        record.write(folder)
    for warning in record.warnings:
        tell(warning)
    hooks = Hooks(grid=draw_grid, record=note_state, tell=tell)
    try:
        outcome = train(config, networks, batches, folder, device, resume=request.resume, hooks=hooks)
    except Interrupted as stopped:
        record.status, record.reason = "interrupted", str(stopped)
        record.write(folder)
        raise
    except Exception as error:
        if is_fault_of_the_machine(error):
            # No result of the run: the same command goes on from the last checkpoint, here or elsewhere.
            raise
        record.status, record.reason = "failed", one_line(error)
        record.write(folder)
        raise
    return _finish(request, record, networks, outcome, batches.steps_per_epoch, shape)


def _say_other_threads(record: RunRecord, tell: Callable[[str], None]) -> None:
    before = [each.threads for each in record.earlier_sessions][-1:]
    if before and before != [record.threads]:
        tell(
            f"resuming with {record.threads} CPU threads, the steps before had {before[0]}: sums are added in another order,"
            " so the bits are not those of an uninterrupted training; run.json and `sgad verify` say so"
        )


def _prepare_critic(config: RunConfig, networks: Networks, batches: Batches, device: torch.device) -> list[str]:
    """Let a fresh critic see the first real batch, as `first_pass` says; sentences about what it does not show."""
    real = torch.from_numpy(batches.at(0)).to(device, getattr(torch, config.dtype))
    if config.first_pass == "lsuv":
        scale_currents(networks.discriminator, real, config)
    silent = silent_layers(networks.discriminator, real)
    return [warning_of(silent)] if silent else []


def _say_nothing(_: str) -> None:
    pass


def new_networks(
    config: RunConfig, shape: tuple[int, ...], device: torch.device, tell: Callable[[str], None] = _say_nothing
) -> Networks:
    """Build the configured networks with their seeded initial weights, or those of `from_checkpoint`, and their optimisers."""
    generator = build_generator(config, shape)
    discriminator = build_discriminator(config, shape)
    for part, module in (("generator", generator), ("discriminator", discriminator)):
        seed = Streams.of(config).initial(part)
        initialise(module, torch.Generator().manual_seed(seed), config.weight_init)
    if config.from_checkpoint:
        load_initial_weights(config.from_checkpoint, generator, discriminator, tell)
    dtype = getattr(torch, config.dtype)
    return make_networks(config, generator.to(device, dtype), discriminator.to(device, dtype))


def _start_afresh(folder: Path, notes: list[str], tell: Callable[[str], None]) -> None:
    """Remove what earlier trainings left, and say so where they had checkpoints."""
    _clear_results(folder)
    for note in [*notes, "no checkpoint is left to go on from; starting afresh"] if notes else []:
        tell(note)


def _record_of_session(
    request: TrainRequest, prepared: Prepared, device: torch.device, threads: int, checkpoint: Checkpoint | None
) -> RunRecord:
    """Make the record of this process's work, with what earlier ones noted in their last checkpoint."""
    record = _new_record(request, prepared, device, threads)
    if checkpoint is not None:
        record.earlier_sessions = [Session.model_validate(each) for each in checkpoint.values.get("sessions", [])]
        record.sessions = len(record.earlier_sessions) + 1
        record.steps, record.seconds = checkpoint.step, round(float(checkpoint.values["seconds"]), 3)
        before = _record_before(request.folder, _origin(request, prepared))
        record.warnings = [] if before is None else before.warnings
    return record


def _clear_results(folder: Path) -> None:
    """Remove what another configuration, other data, or a training that is not resumed left."""
    for name in (CHECKPOINTS, FINISHED, "grids", "analyses"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (*HISTORIES, *OF_OTHER_STAGES, *analysis_pictures(), *WEIGHTS):
        (folder / name).unlink(missing_ok=True)


def _new_record(request: TrainRequest, prepared: Prepared, device: torch.device, threads: int) -> RunRecord:
    config = request.config
    return RunRecord(
        dataset=config.dataset,
        model=config.model,
        variant=config.variant,
        seed=config.seed,
        family=config.network_family,
        time_steps=config.time_steps,
        status="running",
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        machine=facts.machine(),
        threads=threads,
        engine=engine_name(config, device),
        precision=config.precision,
        versions=facts.versions() | gpu_facts(device),
        commit=facts.commit(),
        config_hash=config.hash(),
        data_hash=prepared.manifest.content_hash,
        seeds=Streams.of(config).named(),
        noise=_noise(device),
        caption_note=prepared.manifest.caption_note,
        started=_now(),
    )


def _noise(device: torch.device) -> str:
    """Say where random numbers come from: order, flips, z and weights from the CPU; the rest from where a pair runs."""
    return (
        "cpu"
        if device.type == "cpu"
        else f"cpu; augmentation, noise, penalties and z of further critic steps: {device.type}"
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@torch.no_grad()
def _draw_grid(generator: torch.nn.Module, config: RunConfig, path: Path, device: torch.device) -> None:
    """Draw fixed latents; where samples will have re-estimated statistics, with the batch's own."""
    was_training = generator.training
    generator.train(config.sampling_statistics != "running")
    z = fixed_latents(config, GRID_IMAGES).to(device, next(generator.parameters()).dtype)
    with statistics_frozen(generator):
        shown = draw(generator, z, config).shown
    generator.train(was_training)
    save_grid(path, shown, config.pixel_range)


def _finish(
    request: TrainRequest,
    record: RunRecord,
    networks: Networks,
    outcome: Outcome,
    steps_per_epoch: int,
    shape: tuple[int, ...],
) -> RunRecord:
    """Write the networks and the final record; then the checkpoints are no longer needed."""
    folder, config = request.folder, request.config
    refuse_if_taken_over(folder)
    record.peak_memory_mb = round(_peak_memory(networks), 1)
    reason = outcome.reason
    if outcome.status == "diverged":
        networks, step = _last_finite(folder, config, networks, Origin(record.config_hash, record.data_hash), shape)
        reason += f"; its samples are of step {step}" + ("" if step else ", the initial weights")
    header = {"config": config.model_dump_json(), "shape": json.dumps(list(shape)), "sgad": __version__}
    save_tensors(folder / "generator.safetensors", networks.sampled.state_dict(), header)
    save_tensors(folder / "discriminator.safetensors", networks.discriminator.state_dict(), header)
    record.status, record.reason = outcome.status, reason  # type: ignore[assignment]
    record.steps, record.seconds = outcome.steps, round(outcome.seconds, 3)
    record.epochs = round(outcome.steps / steps_per_epoch, 4)
    record.images_per_second = round(outcome.images_per_second, 3)
    record.ended = _now()
    record.write(folder)
    # Before the checkpoints go: whenever this process dies, one of the two is there to go on from.
    keep_finished(folder, record)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return record


def _last_finite(
    folder: Path, config: RunConfig, networks: Networks, origin: Origin, shape: tuple[int, ...]
) -> tuple[Networks, int]:
    """The newest checkpoint's networks and step, or the initial ones, so that a diverged run can be looked at."""
    checkpoint, _ = newest_checkpoint(folder, origin)
    if checkpoint is None:
        return new_networks(config, shape, torch.device("cpu")), 0
    restore_tensors(checkpoint.tensors, networks.modules(), networks.optimisers())
    return networks, checkpoint.step


def _peak_memory(networks: Networks) -> float:
    device = next(networks.generator.parameters()).device
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 1e6
    return facts.peak_memory_mb()


def record_failure(request: TrainRequest, reason: str) -> None:
    """Write the files of a run that could not be trained, so that later stages and tables can say so."""
    config = request.config
    write_text(request.folder / "config.yaml", dump_yaml(config.model_dump(mode="json")))
    save_tensors(request.folder / "generator.safetensors", {}, {"failed": reason})
    manifest = request.data_folder / "manifest.json"
    data_hash = str(read_json(manifest).get("content_hash", "")) if manifest.is_file() else ""
    before = _record_before(request.folder, Origin(config.hash(), data_hash))
    if before is not None:
        # A crash does not undo what was trained: the record goes on telling how far the run is, and who worked on it.
        before.model_copy(update={"status": "failed", "reason": reason, "ended": _now()}).write(request.folder)
        return
    RunRecord(
        dataset=config.dataset,
        model=config.model,
        variant=config.variant,
        seed=config.seed,
        family=config.network_family,
        time_steps=config.time_steps,
        status="failed",
        reason=reason,
        machine=facts.machine(),
        versions=facts.versions(),
        commit=facts.commit(),
        config_hash=config.hash(),
        data_hash=data_hash,
        started=_now(),
        ended=_now(),
    ).write(request.folder)
