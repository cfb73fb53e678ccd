"""What a training run will take, roughly and without torch: for the resources that a cluster is asked for.

`sgad doctor --experiment` measures instead. Both numbers are meant to be enough, not close: a job that hits its limit
writes a checkpoint and goes on with twice as much.
"""

import math
from collections.abc import Sequence

from sgad.config.run import RunConfig

PIXELS = 28 * 28
#: Seconds of an update pair for one image, one step and 28x28 pixels: plain torch on one CPU core, and a small GPU.
SECONDS_CPU, SECONDS_GPU = 5e-3, 2e-4
#: Activations and gradients of both networks for the same, in MB.
ACTIVATIONS_MB = 1.0
#: torch, the libraries and the data that are looked at.
PROCESS_MB = 1500.0
#: Host memory of a process that uses a GPU: driver, CUDA context, loaded kernels, pinned buffers. A bound, not measured here.
CUDA_MB = 4000.0
SHORTEST_MINUTES = 10


def steps_per_epoch(num_images: int, batch_size: int, *, drop_last: bool) -> int:
    """The number of batches in one pass through a training split of `num_images`."""
    whole, rest = divmod(num_images, batch_size)
    return whole + (1 if rest and not drop_last else 0)


def num_steps(config: RunConfig, num_images: int) -> int:
    """How many update pairs the run makes on a training split of `num_images`."""
    steps = config.epochs * steps_per_epoch(num_images, config.batch_size, drop_last=config.drop_last)
    return steps if config.max_steps is None else min(steps, config.max_steps)


def units(config: RunConfig, shape: Sequence[int]) -> float:
    """An update pair's work: images x time steps x critic steps, with 28x28 pixels as the unit."""
    return _volume(config, shape) * config.critic_steps


def device_mb(config: RunConfig, shape: Sequence[int]) -> float:
    """Memory of a device in MB that a training should not exceed: activations and what CUDA itself takes."""
    share = 0.4 if config.memory == "low" else 1.0
    return CUDA_MB / 4 + share * ACTIVATIONS_MB * _volume(config, shape)


def activations_mb(config: RunConfig, shape: Sequence[int]) -> float:
    """The memory in MB that one image's activations and gradients take; sampling needs less."""
    return ACTIVATIONS_MB * _volume(config, shape) / config.batch_size


def _volume(config: RunConfig, shape: Sequence[int]) -> float:
    """Batch x time x pixels, with a 28x28 image at one time step as the unit."""
    return config.batch_size * config.time_steps * shape[-2] * shape[-1] / PIXELS


def estimated_minutes(config: RunConfig, shape: Sequence[int], num_images: int, on_gpu: bool) -> int:
    """A time in minutes in which the run should be done; shape is (C, H, W)."""
    seconds = num_steps(config, num_images) * _volume(config, shape) * (SECONDS_GPU if on_gpu else SECONDS_CPU)
    return SHORTEST_MINUTES + round(seconds * config.critic_steps / 60)


def num_attempts(minutes: int, max_minutes: int, retries: int) -> int:
    """Starts that a run of `minutes` may have where a job ends after `max_minutes`: those it needs and `retries` more."""
    return max(math.ceil(minutes / max_minutes), 1) + retries


def estimated_mb(config: RunConfig, shape: Sequence[int], on_gpu: bool = False) -> int:
    """Host memory in MB (10^6 bytes) that the run should not exceed; shape is (C, H, W)."""
    if on_gpu:
        # Activations are in the memory of the device.
        return round(PROCESS_MB + CUDA_MB)
    share = 0.4 if config.memory == "low" else 1.0
    return round(PROCESS_MB + share * ACTIVATIONS_MB * _volume(config, shape))


def checkpoints_mb(config: RunConfig, weights_mb: float) -> float:
    """Disk in MB that a run's checkpoints take while it trains, of networks of `weights_mb` together.

    A checkpoint holds the weights, the optimisers' state (Adam: two numbers a weight, RMSprop: one) and the moving
    average if there is one. The new one is written before the oldest is removed.
    """
    copies = 1 + (2 if config.optimizer == "adam" else 1) + (1 if config.ema_decay > 0 else 0)
    return (config.keep_checkpoints + 1) * copies * weights_mb
