"""Training of one run: update pairs in order, with history, grids and checkpoints, resumable at any step.

Every random draw derives from the run's seed and the step it belongs to (data order, z, noise), so a resumed training
needs no generator state and computes the same bits as one that was never interrupted (on a GPU: where its kernels do).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sgad.config.cost import num_steps
from sgad.config.run import RunConfig
from sgad.data.loader import Batches
from sgad.errors import Interrupted
from sgad.machine.progress import Progress
from sgad.machine.signals import StopRequest, stop_requests
from sgad.models.draw import fixed_latents, training_latents
from sgad.runs.lease import refuse_if_taken_over
from sgad.runs.seeds import Streams
from sgad.training.averaging import averaged_copy, update_average
from sgad.training.checkpoint import Origin, gather_tensors, newest_checkpoint, restore_tensors, save_checkpoint
from sgad.training.diagnostics import PROBE_IMAGES, Health, measure_health
from sgad.training.graphs import GraphedPairs, Update, may_be_recorded, recorder
from sgad.training.history import Histories, Row, open_histories
from sgad.training.objectives import critic_gap
from sgad.training.optimisers import build_optimisers, set_learning_rates
from sgad.training.step import UpdateResult, update_pair


@dataclass
class Networks:
    """What is trained, and the moving average if there is one."""

    generator: nn.Module
    discriminator: nn.Module
    average: nn.Module | None
    optimiser_generator: torch.optim.Optimizer
    optimiser_discriminator: torch.optim.Optimizer

    def modules(self) -> dict[str, nn.Module]:
        """The modules that a checkpoint holds, by name."""
        found = {"generator": self.generator, "discriminator": self.discriminator}
        return found if self.average is None else {**found, "average": self.average}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimisers that a checkpoint holds, by name."""
        return {
            "optimiser_generator": self.optimiser_generator,
            "optimiser_discriminator": self.optimiser_discriminator,
        }

    @property
    def sampled(self) -> nn.Module:
        """The generator that samples are drawn from."""
        return self.average or self.generator


#: Update pairs after which a critic with a silent layer is spoken of. All recipes start with a silent last
#: layer, because batch norm's currents hardly reach the threshold in so few steps; the surrogate's gradient wakes it before this.
SILENT_FOR = 200


@dataclass
class Outcome:
    """How a training ended."""

    steps: int
    status: str
    reason: str
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Hooks:
    """What the loop calls beside training: a grid of images, a record of the state so far (returns its sessions)."""

    grid: Callable[[nn.Module, int], None]
    record: Callable[[int, float], list[dict[str, Any]]]
    tell: Callable[[str], None]


def make_networks(config: RunConfig, generator: nn.Module, discriminator: nn.Module) -> Networks:
    """Make networks and optimisers ready for the first step."""
    optimiser_generator, optimiser_discriminator = build_optimisers(config, generator, discriminator)
    average = averaged_copy(generator) if config.ema_decay > 0 else None
    return Networks(generator, discriminator, average, optimiser_generator, optimiser_discriminator)


def train(
    config: RunConfig,
    networks: Networks,
    batches: Batches,
    folder: Path,
    device: torch.device,
    *,
    resume: bool,
    hooks: Hooks,
) -> Outcome:
    """Run the update pairs that are left, and return how it ended.

    Raises
    ------
    Interrupted
        After SIGINT, SIGTERM or SIGUSR1; a checkpoint of the last step was written before.
    """
    state = _Session(config, networks, folder, batches, device, hooks.tell)
    for note in state.restore() if resume else []:
        hooks.tell(note)
    with stop_requests() as stop, open_histories(folder, state.step) as histories:
        return _run(state, histories, hooks, stop)


def pairs_of(config: RunConfig, networks: Networks, device: torch.device, tell: Callable[[str], None]) -> Update:
    """The update pair of these networks, recorded as a CUDA graph where that may be."""
    update = plain_pairs(config, networks)
    if not may_be_recorded(config, device):
        return update
    pair = networks.generator, networks.discriminator
    return GraphedPairs(update, pair, config.constraint_interval, tell, recorder())


def plain_pairs(config: RunConfig, networks: Networks) -> Update:
    """The update pair of these networks, run kernel by kernel."""

    def update(real: Tensor, z: Tensor, *, step: int, random: torch.Generator) -> UpdateResult:
        return update_pair(
            networks.generator,
            networks.discriminator,
            networks.optimiser_generator,
            networks.optimiser_discriminator,
            real,
            z,
            config,
            step=step,
            random=random,
        )

    return update


class _Session:
    """The moving parts of one process's work on a run."""

    def __init__(
        self,
        config: RunConfig,
        networks: Networks,
        folder: Path,
        batches: Batches,
        device: torch.device,
        tell: Callable[[str], None],
    ) -> None:
        self.config, self.networks, self.folder, self.device = config, networks, folder, device
        self.batches, self.total = batches, num_steps(config, batches.num_samples)
        self.step, self.seconds = 0, 0.0
        self.streams, self.dtype = Streams.of(config), getattr(torch, config.dtype)
        self.probe = fixed_latents(config, PROBE_IMAGES).to(device, self.dtype)
        self.origin = Origin(config.hash(), batches.data_hash)
        self.pairs = pairs_of(config, networks, device, tell)
        #: Whether all losses so far are finite; a tensor, because to read it is to wait for the device.
        self.is_finite = torch.tensor(True, device=device)
        #: The critic's penalty when it was last due.
        self.penalty = torch.zeros((), device=device, dtype=self.dtype)

    def restore(self) -> list[str]:
        """Go back to the newest whole checkpoint; return what there is to say about it."""
        checkpoint, notes = newest_checkpoint(self.folder, self.origin)
        if checkpoint is not None:
            restore_tensors(checkpoint.tensors, self.networks.modules(), self.networks.optimisers())
            self.step, self.seconds = checkpoint.step, float(checkpoint.values["seconds"])
            self.penalty.fill_(checkpoint.values["penalty"])
            notes.append(f"resuming at step {self.step} of {self.total}")
        return notes

    def save(self, sessions: list[dict[str, Any]]) -> None:
        """Write a checkpoint of the current step, with what each process did so far: a workflow may remove run.json."""
        tensors = gather_tensors(self.networks.modules(), self.networks.optimisers())
        values = {"seconds": self.seconds, "penalty": float(self.penalty), "sessions": sessions}
        save_checkpoint(self.folder, self.step, tensors, self.origin, values, self.config.keep_checkpoints)

    def update(self) -> UpdateResult:
        """Do one update pair, the networks' and the average's."""
        config, networks, batches = self.config, self.networks, self.batches
        real = self._on_device(torch.from_numpy(batches.at(self.step)))
        count = real.shape[1] if real.ndim == 5 else real.shape[0]
        z = self._on_device(training_latents(config, self.step, count, self.dtype))
        # What else a pair draws, it draws where it runs: a recorded one has no other source.
        noise = torch.Generator(self.device).manual_seed(self.streams.step(self.step))
        set_learning_rates(config, networks.optimisers(), self.step, self.total, batches.steps_per_epoch)
        result = self.pairs(real, z, step=self.step, random=noise)
        self.is_finite &= result.is_finite
        if self.step % config.constraint_interval == 0:
            # A recorded pair overwrites its results.
            self.penalty = result.losses["penalty"].clone()
        self.step += 1
        if networks.average is not None:
            update_average(networks.average, networks.generator, config.ema_decay, self.step)
        return result

    def is_healthy(self, *, looks_closely: bool) -> bool:
        """Whether losses are finite numbers, and with `looks_closely` every weight and running average, too.

        Spikes hide a weight that is not a number from the loss. A GPU is far behind what was launched: without a close
        look it is not waited for.
        """
        if not looks_closely and self.device.type != "cpu":
            return True
        return bool(self.is_finite) and (not looks_closely or all_finite(self.networks))

    def look(self) -> Health:
        """Look at both networks with the fixed latents."""
        return measure_health(self.networks.generator, self.networks.discriminator, self.probe, self.config)

    @property
    def is_checkpoint_due(self) -> bool:
        """Whether a checkpoint belongs at this step."""
        config, every = self.config, self.config.checkpoint_epochs
        if self.step == self.total or self.step % config.checkpoint_every == 0:
            return True
        return every is not None and self.step % (every * self.batches.steps_per_epoch) == 0

    def _on_device(self, values: Tensor) -> Tensor:
        if self.device.type == "cuda":
            # From pinned memory the copy runs while the device works on what was launched before.
            values = values.pin_memory().to(self.device, non_blocking=True)
        return values.to(self.device, self.dtype)


def _run(state: _Session, histories: Histories, hooks: Hooks, stop: StopRequest) -> Outcome:
    config, begun, before, first_step = state.config, time.monotonic(), state.seconds, state.step
    health = Health()
    title = f"{config.dataset}/{config.model}/{config.variant}/seed{config.seed}"
    with Progress(state.total, initial=state.step, title=title, unit="steps") as progress:
        while state.step < state.total:
            result = state.update()
            last = state.step == state.total
            grid_due, log_due = (last or state.step % every == 0 for every in (config.grid_every, config.log_every))
            # Read once: a signal that comes after the checkpoint was decided on is for the next step.
            stopping = bool(stop)
            checkpoint_due = stopping or state.is_checkpoint_due
            is_healthy = state.is_healthy(looks_closely=grid_due or log_due or checkpoint_due)
            state.seconds = before + time.monotonic() - begun
            speed = config.batch_size * (state.step - first_step) / max(state.seconds - before, 1e-9)
            progress.update(1, partial(_note, result, speed))
            if not is_healthy:
                reason = f"losses or weights are not finite at step {state.step}"
                return Outcome(state.step, "diverged", reason, state.seconds, speed)
            if grid_due:
                hooks.grid(state.networks.sampled, state.step)
            if log_due:
                health = state.look()
                row = _row(state, result, health, speed)
                histories.append(row, health.layer_rows(state.step), health.time_step_rows(state.step))
                if state.step - config.log_every < SILENT_FOR <= state.step:
                    _warn_of_silence(health, state.step, hooks.tell)
            if checkpoint_due:
                # Before the record, too: it may be another process's by now.
                refuse_if_taken_over(state.folder)
                state.save(hooks.record(state.step, state.seconds))
            if stopping and not last:
                where = f"stopped by {stop.name} at step {state.step} of {state.total}"
                raise Interrupted(f"{title} {where}; the same command goes on from there")
    if first_step == state.total:
        # Killed after the last checkpoint: the networks are done, but nobody has looked at them.
        health = state.look()
    speed = config.batch_size * state.step / max(state.seconds, 1e-9)
    status, reason = health.verdict()
    return Outcome(state.step, status, reason, state.seconds, speed)


def _warn_of_silence(health: Health, step: int, tell: Callable[[str], None]) -> None:
    """Say so if the critic still cannot tell images apart: a layer without spikes passes nothing on."""
    silent = health.silent_critic()
    if silent:
        tell(
            f"after {step} update pairs the critic has no spikes in {', '.join(silent)}, so that its score is the same for every"
            " image; a lower threshold (`tuned` has 0.5) or a higher lr_discriminator wakes it"
        )


def _note(result: UpdateResult, speed: float) -> str:
    return f"D {result.loss_discriminator:.3g}, G {result.loss_generator:.3g}, {speed:.0f} images/s"


def all_finite(networks: Networks) -> bool:
    """Whether every weight and running average is a finite number."""
    values = [value for module in networks.modules().values() for value in module.state_dict().values()]
    # One answer for all of them: each answer read is a wait for the device.
    return bool(torch.stack([torch.isfinite(value).all() for value in values if value.is_floating_point()]).all())


def _row(state: _Session, result: UpdateResult, health: Health, speed: float) -> Row:
    return {
        "step": state.step,
        "epoch": state.step / state.batches.steps_per_epoch,
        "loss_discriminator": result.loss_discriminator,
        "loss_generator": result.loss_generator,
        "score_real": result.score_real,
        "score_fake": result.score_fake,
        "critic_gap": float(critic_gap(state.config.objective, result.scores_real, result.scores_fake)),
        "penalty": float(state.penalty),
        **health.columns(),
        "images_per_second": speed,
        "seconds": state.seconds,
    }
