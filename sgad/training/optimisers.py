"""Optimisers and learning rates from a configuration."""

import inspect
import math
from collections.abc import Callable, Mapping

import torch
from torch import nn

from sgad.config.run import RunConfig
from sgad.training.graphs import may_be_recorded


def _without_compiler(kind: type[torch.optim.Optimizer]) -> Callable[..., torch.optim.Optimizer]:
    """Make torch's optimiser with its methods taken out of their wrappers.

    The wrappers import torch's compiler, which nobody here asks: 2 seconds and 160 MB a process.
    """
    names = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    return type(kind.__name__, (kind,), {**methods, "step": torch.no_grad()(inspect.unwrap(kind.step))})


Adam = _without_compiler(torch.optim.Adam)
RMSprop = _without_compiler(torch.optim.RMSprop)


def build_optimisers(
    config: RunConfig, generator: nn.Module, discriminator: nn.Module
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """The optimisers of generator and discriminator: RMSprop with torch's defaults, as the release, or Adam."""
    return (
        _optimiser(config, generator, config.lr_generator),
        _optimiser(config, discriminator, config.lr_discriminator),
    )


def _optimiser(config: RunConfig, module: nn.Module, rate: float) -> torch.optim.Optimizer:
    parameters = list(module.parameters())
    device, recorded = parameters[0].device, may_be_recorded(config, parameters[0].device)
    # A CUDA graph reads the learning rate from memory; a number would be recorded with it.
    lr = torch.tensor(rate, device=device) if recorded else rate
    optimiser: torch.optim.Optimizer = (
        Adam(parameters, lr=lr, betas=config.betas, capturable=recorded)
        if config.optimizer == "adam"
        else RMSprop(parameters, lr=lr, capturable=recorded)
    )
    # The pairs before the recording are not recorded, on purpose; torch would warn of each optimiser.
    optimiser._warned_capturable_if_run_uncaptured = recorded
    return optimiser


def learning_rate_factor(config: RunConfig, step: int, total: int, steps_per_epoch: int) -> float:
    """The factor on both learning rates at an update pair, counted from 0.

    cosine: torch's CosineAnnealingLR, T_max = cosine_epochs, eta_min = 0, one step an epoch: (1 + cos(pi e / T)) / 2 in
    epoch e (after T_max it rises again, as in the release); linear: 1 in the first half, then down to 0.
    """
    factor = 1.0
    if config.schedule == "cosine":
        epoch = step // max(steps_per_epoch, 1)
        factor = (1 + math.cos(math.pi * epoch / config.cosine_epochs)) / 2
    elif config.schedule == "linear":
        factor = min(1.0, 2 * (total - step) / max(total, 1))
    if config.warmup_steps > 0:
        factor *= min(1.0, (step + 1) / config.warmup_steps)
    return factor


def set_learning_rates(
    config: RunConfig,
    optimisers: Mapping[str, torch.optim.Optimizer],
    step: int,
    total: int,
    steps_per_epoch: int,
) -> None:
    """Set the learning rates of `optimiser_generator` and `optimiser_discriminator` for one update pair."""
    factor = learning_rate_factor(config, step, total, steps_per_epoch)
    rates = {
        "optimiser_generator": config.lr_generator,
        "optimiser_discriminator": config.lr_discriminator,
    }
    for name, optimiser in optimisers.items():
        for group in optimiser.param_groups:
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rates[name] * factor)
            else:
                group["lr"] = rates[name] * factor
