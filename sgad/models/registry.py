"""From a configuration to its networks: built-in ones, registered ones, and users' classes."""

import contextlib
import importlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from sgad.catalogue.discovery import import_file
from sgad.config.paths import config_folders
from sgad.config.plugins import (
    MODELS,
    REGISTERED,
    class_file,
    installed,
    is_in_file,
    load_installed,
)
from sgad.config.run import RunConfig
from sgad.errors import InputError, nearest
from sgad.machine.files import DAMAGED_JSON
from sgad.machine.stand_ins import damaged
from sgad.models.discriminators import AnalogDiscriminator, Discriminator, SganDiscriminator
from sgad.models.folding import fold_batch_norm as fold_batch_norm
from sgad.models.generators import Generator, SgadGenerator, SganGenerator, Shape, SwganGenerator
from sgad.models.storage import unpack
from sgad.models.units import is_analog
from sgad.snn.batch_norm import StepBatchNorm

#: The one key of a weights file's metadata: several would stand in another order each time.
HEADER = "header"
#: Enough for spectral norm to start within a percent of a random weight's largest singular value.
POWER_ITERATIONS = 30

Builder = Callable[[RunConfig, Shape], nn.Module]


def _convolutional_critic(config: RunConfig, shape: Shape) -> Discriminator:
    """Make the critic "em", whose units may be the analog control's."""
    return AnalogDiscriminator(config, shape) if is_analog(config) else Discriminator(config, shape)


GENERATORS: dict[str, Builder] = {"sgan": SganGenerator, "swgan": SwganGenerator, "sgad": SgadGenerator}
DISCRIMINATORS: dict[str, Builder] = {
    "em": _convolutional_critic,
    "sgan": SganDiscriminator,
    "analog": AnalogDiscriminator,
}


def register(kind: str, name: str) -> Callable[[Builder], Builder]:
    """A decorator that makes a class or function available under `name`; kind: generator or discriminator.

    It is called with (config, shape) and returns a module: a generator takes z (B, latent_dim) and returns
    `Generated`, a discriminator takes images or frames and returns scores (B,).
    """
    table = _table(kind)

    def add(builder: Builder) -> Builder:
        if name in table and table[name] is not builder:
            raise InputError(f"{kind} {name!r} is already registered; choose another name")
        table[name] = builder
        REGISTERED[kind].add(name)
        return builder

    return add


def _table(kind: str) -> dict[str, Builder]:
    if kind not in ("generator", "discriminator"):
        raise InputError(f"kind must be generator or discriminator, got {kind!r}")
    return GENERATORS if kind == "generator" else DISCRIMINATORS


def build_generator(config: RunConfig, shape: Sequence[int]) -> nn.Module:
    """The generator of a configuration for images or frames of `shape` (C, H, W).

    Its weights are some valid start that depends on config.seed alone; `initialise` sets them from a given generator.

    Raises
    ------
    InputError
        If the name is unknown, a user's class cannot be imported, or the shape does not fit.
    """
    return _build("generator", config.generator, config, shape)


def build_discriminator(config: RunConfig, shape: Sequence[int]) -> nn.Module:
    """The discriminator of a configuration, with spectral norm if asked for; see `build_generator`."""
    module = _build("discriminator", config.discriminator, config, shape)
    if config.constraint == "spectral_norm":
        with _seeded(config.seed):
            for part in list(module.modules()):
                if isinstance(part, nn.Linear | nn.Conv2d):
                    # Each weight over its largest singular value (Miyato et al. 2018), one power iteration a pass.
                    spectral_norm(part)
    return module


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the CPU's global generator, from which layers draw their weights when they are made; put it back afterwards.

    torch.manual_seed would seed those of all GPUs, too, and nothing is drawn there.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _build(kind: str, name: str, config: RunConfig, shape: Sequence[int]) -> nn.Module:
    if len(shape) != 3:
        raise InputError(f"shape must be (channels, height, width), got {tuple(shape)}")
    builder = _find(kind, name)
    with _seeded(config.seed):
        module = builder(config, (int(shape[0]), int(shape[1]), int(shape[2])))
    if not isinstance(module, nn.Module):
        raise InputError(f"{kind} {name!r} made a {type(module).__name__}, not a torch module")
    if config.batch_norm == "shared":
        for part in module.modules():
            if isinstance(part, StepBatchNorm):
                part.is_shared = True
    return module


def _find(kind: str, name: str) -> Builder:
    table = _table(kind)
    if name in table:
        return table[name]
    if name in installed(MODELS):
        return load_installed(MODELS, name)  # type: ignore[no-any-return]
    module_name, colon, class_name = name.rpartition(":")
    if not colon:
        raise InputError(
            f"{kind} must be one of {', '.join(sorted(table))}, file.py:Class or package.module:Class, got {name!r}"
            f"{nearest(name, table)}"
        )
    try:
        if is_in_file(name):
            return getattr(import_file(class_file(name, config_folders())), class_name)  # type: ignore[no-any-return]
        return getattr(importlib.import_module(module_name), class_name)  # type: ignore[no-any-return]
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"{kind} {name!r} cannot be imported ({error}); check the name and that its folder is on PYTHONPATH"
        ) from error


@torch.no_grad()
def initialise(module: nn.Module, random: torch.Generator, weight_init: str = "default") -> None:
    """Draw all weights anew from `random`; the global generator is not touched.

    Weights and biases of linear layers and convolutions are uniform within 1 / sqrt(fan_in), torch's default; or the
    weights are orthogonal (Saxe et al. 2014), or normal with deviation 0.02 (Radford et al. 2016). Batch norms start at
    weight 1, bias 0 and fresh averages. A generator's `output_bias` and `output_gain` apply to its last layer.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            _initialise_synapse(part, random, weight_init)
        elif hasattr(part, "reset_running_stats"):
            # A user's norm may have neither (affine=False).
            if part.weight is not None:
                part.weight.fill_(1)  # type: ignore[operator]
                part.bias.zero_()  # type: ignore[operator]
            part.reset_running_stats()  # type: ignore[operator]
    if isinstance(module, Generator):
        module.last_deconv.weight.mul_(module.output_gain)
        if module.output_bias is not None and module.last_deconv.bias is not None:
            module.last_deconv.bias.fill_(module.output_bias)


def _initialise_synapse(
    part: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, random: torch.Generator, weight_init: str
) -> None:
    is_parametrized = parametrize.is_parametrized(part, "weight")
    weight = part.parametrizations.weight.original if is_parametrized else part.weight  # type: ignore[union-attr]
    assert isinstance(weight, Tensor)
    # torch counts the second axis as inputs for transposed convolutions, too.
    bound = 1 / math.sqrt(weight[0].numel())
    if weight_init == "orthogonal":
        nn.init.orthogonal_(weight, generator=random)
    elif weight_init == "normal":
        nn.init.normal_(weight, std=0.02, generator=random)
    else:
        _draw(weight, bound, random)
    if part.bias is not None:
        _draw(part.bias, bound, random)
    if is_parametrized:
        _find_singular_vectors(part)


def _find_singular_vectors(part: nn.Module) -> None:
    """Let spectral norm find the singular vectors of new weights: those of the old ones would not bound them."""
    was_training = part.training
    part.train()
    for _ in range(POWER_ITERATIONS):
        # In training mode each look at the weight is one power iteration.
        part.weight  # noqa: B018
    part.train(was_training)


def _draw(values: Tensor, bound: float, random: torch.Generator) -> None:
    values.copy_(torch.rand(values.shape, generator=random, dtype=torch.float64) * (2 * bound) - bound)


def load_generator(folder: Path | str) -> tuple[nn.Module, RunConfig, Shape]:
    """Trained generator of a run or zoo folder, or of a weights file, in evaluation mode, with configuration and shape.

    Raises
    ------
    InputError
        If generator.safetensors is absent, damaged, or of another network than its header says.
    """
    path = Path(folder)
    tensors, config, shape = read_network(path if path.is_file() else path / "generator.safetensors")
    return _filled(build_generator(config, shape), tensors, config, "generator"), config, shape


def load_discriminator(folder: Path | str) -> nn.Module:
    """The trained discriminator of a run folder, in evaluation mode.

    Raises
    ------
    InputError
        If discriminator.safetensors is absent, damaged, or of another network than its header says.
    """
    tensors, config, shape = read_network(Path(folder) / "discriminator.safetensors")
    return _filled(build_discriminator(config, shape), tensors, config, "discriminator")


def read_network(path: Path) -> tuple[dict[str, Tensor], RunConfig, Shape]:
    """Weights, configuration and shape (C, H, W) of a generator.safetensors or discriminator.safetensors.

    Raises
    ------
    InputError
        If it is absent or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise InputError(f"{path} does not exist; train the run first")
    try:
        with safe_open(path, framework="pt") as stream:
            found: dict[str, Any] = stream.metadata() or {}
            # Files written before this key existed have one key a value.
            header = json.loads(found[HEADER]) if HEADER in found else found
            tensors = unpack({name: stream.get_tensor(name) for name in stream.keys()})  # noqa: SIM118 - not a mapping
        config = RunConfig.model_validate_json(header["config"])
        channels, height, width = json.loads(header["shape"])
    except (SafetensorError, KeyError, TypeError, OSError, *DAMAGED_JSON) as error:
        raise damaged(path, f"is not a whole {path.stem} file ({error}); train the run again") from error
    return tensors, config, (channels, height, width)


def _filled(network: nn.Module, tensors: dict[str, Tensor], config: RunConfig, kind: str) -> nn.Module:
    network = network.to(getattr(torch, config.dtype))
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(f"{kind}.safetensors does not hold the {kind} that its header names: {error}") from error
    return network.eval()
