"""Run golden files: `python -m tests.golden FILE...` prints one JSON line a case and exits 0 if all agree.

A golden file holds two training iterations of the authors' networks in float64, with weights and inputs by a closed
form. The engine runs them as it runs a training: the same builders, the same update pair. Exit 1: some case differs;
2: a file cannot be used, with one sentence on standard error.
"""

import itertools
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sgad.config.run import PAPER_QUIRKS, RunConfig
from sgad.errors import InputError
from sgad.machine.devices import held_device
from sgad.models.registry import build_discriminator, build_generator
from sgad.snn.batch_norm import StepBatchNorm
from sgad.training.optimisers import build_optimisers
from sgad.training.step import UpdateResult, update_pair

RELATIVE, ABSOLUTE, NOISE = 1e-9, 1e-12, 1e-11
PARTS = ("generator", "discriminator")
GENERATORS = {
    "Generator_SNN": "sgan",
    "Generator_SNN_DVS_28": "sgan",
    "Generator_MP": "swgan",
    "Generator_MP_CelebA": "swgan",
    "Generator_MP_DVS_28": "swgan",
    "Generator_MP_Scoring_Mnist": "sgad",
    "Generator_MP_Scoring_CelebA": "sgad",
    "Generator_MP_Scoring_DVS_28": "sgad",
}
CRITICS = {
    "Discriminator_MP": "sgan",
    "Discriminator_EM_MNIST": "em",
    "Discriminator_EM_CelebA": "em",
    "Discriminator_EM_DVS_28": "em",
    "Discriminator_Mix_CelebA": "analog",
}


def fill(count: int, index: int, scale: float) -> torch.Tensor:
    """Return scale * sin(12.9898 (j + 1) + 78.233 (index + 1)) for j = 0 .. count - 1."""
    places = np.arange(1, count + 1, dtype=np.float64)
    return torch.from_numpy(scale * np.sin(12.9898 * places + 78.233 * (index + 1)))


def gain_of(name: str, part: str, critic: str, model: str, height: int) -> float:
    """Return the gain of a weight, 2 but for the exceptions in golden/README.md."""
    if part == "discriminator" and name == "linear1.weight" and critic == "em":
        return 40.0 if height >= 64 else 10.0
    if part == "discriminator" and name == "linear1.weight" and critic == "sgan":
        return 10.0
    if part == "generator" and model == "sgan" and name == "deconv2.weight":
        return 6.0
    return 2.0


def set_parameters(module: nn.Module, names: list[str], gain: Callable[[str], float]) -> None:
    """Fill the parameters in the order of `names`."""
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for index, name in enumerate(names):
            parameter, layer = parameters[name], module.get_submodule(name.rpartition(".")[0])
            is_bias = name.endswith(".bias")
            if isinstance(layer, StepBatchNorm | nn.BatchNorm1d | nn.BatchNorm2d):
                values = (0.2 if is_bias else 1.0) + fill(parameter.numel(), index, 0.1)
            elif is_bias:
                values = fill(parameter.numel(), index, 0.1)
            else:
                values = fill(parameter.numel(), index, gain(name) / math.sqrt(_fan_in(layer)))
            parameter.copy_(values.reshape(parameter.shape))


def _fan_in(layer: nn.Module) -> float:
    if isinstance(layer, nn.Linear):
        return layer.in_features
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    area = layer.kernel_size[0] * layer.kernel_size[1]
    return layer.in_channels * area / (4 if isinstance(layer, nn.ConvTranspose2d) else 1)


def config_of(case: dict[str, Any], engine: str = "auto", memory: str = "normal") -> RunConfig:
    """Return the configuration that a golden file stands for."""
    values = {
        "dataset": "golden",
        "model": GENERATORS[case["model_class"]],
        "generator": GENERATORS[case["model_class"]],
        "discriminator": CRITICS[case["critic_class"]],
        "latent_dim": case["latent_dim"],
        "time_steps": case["time_steps"],
        "batch_size": case["batch"],
        "scoring_mode": case["scoring_mode"] or "none",
        "objective": {"em": "earth_mover", "bce": "bce"}[case["objective"]],
        "lr_generator": case["lr_generator"],
        "lr_discriminator": case["lr_discriminator"],
        "dtype": "float64",
        "quirks": PAPER_QUIRKS,
        "engine": engine,
        "memory": memory,
    }
    return RunConfig.model_validate(values)


def inputs_of(case: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the real batch and z."""
    batch, latent, shape = case["batch"], case["latent_dim"], tuple(case["image_shape"])
    z = fill(batch * latent, 100, 2.0).reshape(batch, latent)
    full = (case["time_steps"], batch, *shape) if shape[0] == 2 else (batch, *shape)
    return 0.5 + fill(math.prod(full), 200, 0.5).reshape(full), z


def summary(tensor: torch.Tensor) -> dict[str, Any]:
    """Return size, sum, 2-norm and the first six values."""
    values = tensor.detach().flatten()
    return {
        "size": values.numel(),
        "sum": values.sum().item(),
        "norm": values.norm().item(),
        "head": values[:6].tolist(),
    }


def names_of(pairs: list[Any]) -> list[str]:
    """Return the parameter names of `generator_parameters` or `discriminator_parameters`."""
    return [pair[0] for pair in pairs]


def build(case: dict[str, Any], config: RunConfig) -> tuple[nn.Module, nn.Module]:
    """Return both networks in float64 with the parameters of the closed form."""
    shape = tuple(case["image_shape"])
    modules = []
    for part, make in (("generator", build_generator), ("discriminator", build_discriminator)):
        module = make(config, shape).double()
        names = names_of(case[f"{part}_parameters"])
        ours = [name for name, _ in module.named_parameters()]
        if names != ours:
            raise InputError(f"{part}_parameters of {case['case']} are {names}, the package's are {ours}")

        def gain(name: str, part: str = part) -> float:
            return gain_of(name, part, config.discriminator, config.generator, shape[1])

        set_parameters(module, names, gain)
        modules.append(module)
    return modules[0], modules[1]


def observe(generator: nn.Module, discriminator: nn.Module, result: UpdateResult, time_steps: int) -> dict[str, Any]:
    """Return what a golden file records of one iteration."""
    frames, shown = result.generated.frames, result.generated.shown
    seen = {
        "critic_real": result.scores_real.tolist(),
        "critic_fake": result.scores_fake.tolist(),
        "images": summary(shown[-1] if shown.ndim == 5 else shown),
        "generator_loss": result.loss_generator,
    }
    # A static image is handed over T times.
    steps = frames if frames.ndim == 5 else [frames] * time_steps
    seen["images_per_step_sum"] = [frame.sum().item() for frame in steps]
    for part, module in (("generator", generator), ("discriminator", discriminator)):
        named = dict(module.named_parameters())
        seen[f"{part}_grads"] = {name: summary(_gradient(p)) for name, p in named.items()}
        seen[f"{part}_after"] = {name: summary(p) for name, p in named.items()}
    seen["running_stats"] = {
        f"{part}.{name}": {"mean": summary(norm.running_mean), "var": summary(norm.running_var)}
        for part, module in (("generator", generator), ("discriminator", discriminator))
        for name, norm in module.named_modules()
        if isinstance(norm, StepBatchNorm)
    }
    return seen


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def differences(expected: Any, got: Any, path: str, scale: float = 0.0) -> Iterator[tuple[str, float, float, float]]:
    """Yield (path, expected, got, scale) for every number of `expected`; null means not recorded.

    `scale` is what rounding is relative to where that is more than the number itself: a single value's is the root mean
    square of its tensor, a sum's that times the number of terms, because terms cancel in it.
    """
    if expected is None:
        return
    if isinstance(expected, dict):
        scales: dict[str, float] = {}
        if isinstance(got, dict) and "size" in got:
            scales = {"sum": got["norm"] * math.sqrt(got["size"]), "head": got["norm"] / math.sqrt(got["size"])}
        for key, value in expected.items():
            if not isinstance(got, dict) or key not in got:
                raise InputError(f"{path}/{key} stands in the golden file but is not computed here")
            yield from differences(value, got[key], f"{path}/{key}", scales.get(key, 0.0))
    elif isinstance(expected, list):
        if not isinstance(got, list) or len(expected) != len(got):
            raise InputError(f"{path} has {len(expected)} values in the golden file, other than computed here")
        for index, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from differences(one, other, f"{path}/{index}", scale)
    else:
        yield path, float(expected), float(got), scale


def run_case(case: dict[str, Any], engine: str = "auto", memory: str = "normal", device: str = "cpu") -> dict[str, Any]:
    """Run all iterations of a case on a device; return {"case", "max_abs", "max_rel", "ok"} (and "worst" where it fails).

    `max_rel` counts only differences above the absolute tolerance: 1e-12, or that of `noise_tolerance` and
    `optimiser_tolerance`.
    """
    config = config_of(case, engine, memory)
    generator, discriminator = (module.to(device) for module in build(case, config))
    optimisers = build_optimisers(config, generator, discriminator)
    real, z = (value.to(device) for value in inputs_of(case))
    tolerance: dict[str, float] = {}
    max_abs = max_rel = 0.0
    worst = ""
    for index, expected in enumerate(case["steps"]):
        result = update_pair(generator, discriminator, *optimisers, real, z, config, step=index)
        got = observe(generator, discriminator, result, case["time_steps"])
        for path, value in noise_tolerance(case, got).items():
            tolerance[path] = tolerance.get(path, 0.0) + value
        for part, module, optimiser in zip(PARTS, (generator, discriminator), optimisers, strict=True):
            for path, value in optimiser_tolerance(part, module, optimiser).items():
                # What one step left stays in the weights of the next.
                tolerance[path] = tolerance.get(path, 0.0) + value
        for path, one, other, scale in differences(expected, got, ""):
            absolute = abs(one - other)
            allowed = max([ABSOLUTE, *(value for start, value in tolerance.items() if path.startswith(start))])
            relative = 0.0 if absolute <= allowed else absolute / max(abs(one), scale, 1e-300)
            max_abs = max(max_abs, absolute)
            # `not <=` also catches a number that is none.
            if not relative <= max_rel:
                max_rel, worst = relative, f"step{index}{path}"
    line = {"case": case["case"], "max_abs": max_abs, "max_rel": max_rel, "ok": max_rel <= RELATIVE}
    return line if line["ok"] else {**line, "worst": worst}


def optimiser_tolerance(part: str, module: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, float]:
    """Return by how much weights may differ after a step whose gradients agree within RELATIVE or ABSOLUTE.

    RMSprop moves a weight by lr g / (sqrt(v) + eps), whose slope in g is up to lr / eps = 2e4 where |g| is near eps: there
    rounding of the gradient, far below its tolerance, shows in the weight.
    """
    (group,) = optimiser.param_groups
    found = {}
    for name, parameter in module.named_parameters():
        if parameter.grad is None:
            continue
        gradient, root = parameter.grad, optimiser.state[parameter]["square_avg"].sqrt()
        average = root + group["eps"]
        own = (1 - group["alpha"]) * gradient.square() / (root * average).clamp(min=1e-300)
        rounding = (RELATIVE * gradient.square().mean().sqrt()).clamp(min=ABSOLUTE)
        moved = (group["lr"] / average * (1 - own).abs() * rounding).flatten()
        path = f"/{part}_after/{name}"
        found[f"{path}/sum"] = found[f"{path}/norm"] = float(moved.norm())
        found |= {f"{path}/head/{index}": float(value) for index, value in enumerate(moved[:6])}
    return found


def noise_tolerance(case: dict[str, Any], got: dict[str, Any]) -> dict[str, float]:
    """Return absolute tolerances by the start of a path, for what rounding noise alone decides.

    The gradient of a bias that feeds a batch norm is zero in exact arithmetic, and what is recorded is rounding noise
    (torch's own: 1e-15 for 28x28, 1e-11 for 64x64), which grows with the gradient of the weights beside it. RMSprop divides
    it by its eps, 1e-8, so that the bias itself moves by up to lr / eps times the noise, and with it the running mean
    behind it. Nothing else depends on such a bias.
    """
    found = {}
    for part in ("generator", "discriminator"):
        shapes = case[f"{part}_parameters"]
        for (name, shape), (after, _) in itertools.pairwise(shapes):
            if name.endswith(".bias") and after.startswith("norm"):
                # For the sum and the norm of so many values with noise of their own.
                beside = got[f"{part}_grads"][name.replace(".bias", ".weight")]["norm"]
                noise = NOISE * max(1.0, beside) * math.sqrt(math.prod(shape))
                moved = noise * case[f"lr_{part}"] / 1e-8
                found[f"/{part}_grads/{name}/"] = noise
                found[f"/{part}_after/{name}/"] = moved
                found[f"/running_stats/{part}.{after.partition('.')[0]}/mean/"] = moved
    return found


def read_case(path: Path) -> dict[str, Any]:
    """Return a golden file's content.

    Raises
    ------
    InputError
        If it is absent, not JSON, or lacks a field or names an unknown network.
    """
    try:
        case = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a readable golden file: {error}") from error
    networks = ("model_class", "critic_class", "image_shape", "latent_dim", "time_steps", "scoring_mode")
    recipe = ("batch", "objective", "lr_generator", "lr_discriminator")
    needed = ("case", *networks, *recipe, "generator_parameters", "discriminator_parameters", "steps")
    missing = [key for key in needed if not isinstance(case, dict) or key not in case]
    if missing:
        raise InputError(f"{path} is not a golden file: it lacks {', '.join(missing)}")
    for field, known in (("model_class", GENERATORS), ("critic_class", CRITICS)):
        if case[field] not in known:
            raise InputError(f"{path}: {field} must be one of {', '.join(known)}, got {case[field]!r}")
    if case["objective"] not in ("em", "bce"):
        raise InputError(f"{path}: objective must be em or bce, got {case['objective']!r}")
    if case["critic_class"] == "Discriminator_Mix_CelebA" and case["objective"] == "em":
        raise InputError(f"{path}: Discriminator_Mix_CelebA ends in a sigmoid and takes objective bce, got 'em'")
    return case


def main(arguments: list[str]) -> int:
    """Run the files named on the command line, with `--device` before them; return the exit code."""
    device, files = ("cpu", arguments) if arguments[:1] != ["--device"] else (" ".join(arguments[1:2]), arguments[2:])
    if not files:
        print("name at least one golden file: python -m tests.golden [--device cuda] FILE...", file=sys.stderr)
        return 2
    torch.set_flush_denormal(True)
    all_ok = True
    try:
        with held_device(device) as place:
            for case in [read_case(Path(file)) for file in files]:
                line = run_case(case, device=str(place))
                all_ok = all_ok and line["ok"]
                print(json.dumps(line), flush=True)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all_ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
