"""One update pair of the authors' release, from a checkout that stays where it is; nothing of it is part of this project."""

import importlib
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.contestants import Case

CLASSES = {
    ("sgad", "mnist"): ("Generator_MP_Scoring_Mnist", "Discriminator_EM_MNIST"),
    ("swgan", "mnist"): ("Generator_MP", "Discriminator_EM_MNIST"),
    ("sgan", "mnist"): ("Generator_SNN", "Discriminator_MP"),
    ("sgad", "celeba"): ("Generator_MP_Scoring_CelebA", "Discriminator_EM_CelebA"),
    ("swgan", "celeba"): ("Generator_MP_CelebA", "Discriminator_EM_CelebA"),
    ("sgad", "nmnist"): ("Generator_MP_Scoring_DVS_28", "Discriminator_EM_DVS_28"),
    ("swgan", "nmnist"): ("Generator_MP_DVS_28", "Discriminator_EM_DVS_28"),
}


def reference_step(case: Case, folder: Path) -> Callable[[], object]:
    """One update pair as the release's training scripts do it: every layer once a step, the generator twice."""
    config = case.config()
    if (case.model, case.dataset) not in CLASSES:
        raise SystemExit(f"the release has no {case.model} for {case.dataset}")
    settings = {
        "n_steps": case.time_steps, "device": case.device, "encode_type": "direct", "is_mem": True,
        "scoring_mode": config.scoring_mode, "net_D_direct_input": case.model != "sgan", "latent_dim": config.latent_dim,
        "batch_size": case.batch_size, "dataset": case.dataset,
    }  # fmt: skip
    generators, discriminators = _load(folder, settings)
    names = CLASSES[case.model, case.dataset]
    generator = getattr(generators, names[0])(input_dim=config.latent_dim).to(case.device)
    critic = getattr(discriminators, names[1])().to(case.device)
    return _step(case, config.objective, generator, critic)


def _load(folder: Path, settings: dict[str, Any]) -> tuple[Any, Any]:
    if not (folder / "models" / "generators.py").is_file():
        raise SystemExit(f"{folder} is not a checkout of the authors' release: it has no models/generators.py")
    sys.path.insert(0, str(folder))
    # The release imports a name from turtle that it never uses; servers have no tkinter.
    turtle = types.ModuleType("turtle")
    turtle.forward = None  # type: ignore[attr-defined]
    sys.modules.setdefault("turtle", turtle)
    importlib.import_module("global_v").init(settings)
    return importlib.import_module("models.generators"), importlib.import_module("models.discriminators")


def _step(case: Case, objective: str, generator: nn.Module, critic: nn.Module) -> Callable[[], object]:
    optimiser_g = torch.optim.RMSprop(generator.parameters(), lr=2e-4)
    optimiser_d = torch.optim.RMSprop(critic.parameters(), lr=2e-4)
    real, z = case.inputs()
    is_flat, is_events = case.model == "sgan", case.shape[0] == 2
    real = real.flatten(1) if is_flat and not is_events else real

    def clear(*networks: nn.Module) -> None:
        for network in networks:
            for module in network.modules():
                if hasattr(module, "n_reset"):
                    module.n_reset()

    def made() -> torch.Tensor:
        frames: torch.Tensor = generator(z)
        shape = (-1,) if is_flat else case.shape
        return frames.reshape(frames.shape[0], case.batch_size, *shape)

    def loss(score: torch.Tensor, target: float, sign: float) -> torch.Tensor:
        if objective == "bce":
            return nn.functional.binary_cross_entropy(score, torch.full_like(score, target), reduction="sum")
        return sign * score.mean()

    def step() -> None:
        optimiser_d.zero_grad()
        on_real = loss(critic(real) if is_events else critic(real, is_imgs=True), 1.0, 1.0)
        if objective != "bce":
            on_real.backward()
            clear(critic)
        on_fake = loss(critic(made().detach()), 0.0, -1.0)
        (on_fake if objective != "bce" else (on_real + on_fake) / 2).backward()
        optimiser_d.step()
        clear(generator, critic)
        optimiser_g.zero_grad()
        loss(critic(made()), 1.0, 1.0).backward()
        optimiser_g.step()
        clear(generator, critic)

    return step
