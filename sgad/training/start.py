"""Weights that a training starts from: a finished run, a model of the zoo, a checkpoint of ours or of the authors."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.config.zoo import CRITIC, WEIGHTS, find_weights
from sgad.errors import InputError
from sgad.machine.stand_ins import damaged
from sgad.models.registry import read_network
from sgad.training.authors_weights import our_names
from sgad.training.checkpoint import load_tensors, split_parts


def load_initial_weights(
    source: Path | str, generator: nn.Module, discriminator: nn.Module, tell: Callable[[str], None]
) -> None:
    """Put the weights of `source` into the networks.

    It is a run or zoo folder, the name of a model of the zoo, a generator.safetensors (with the critic next to it, if there is
    one), a checkpoint of ours, or a .pth file of the authors, which is read without executing code. A critic without weights
    keeps those that it has, and `tell` says so.

    Raises
    ------
    InputError
        If there is nothing of that name, it is damaged, holds code, or does not fit the networks.
    """
    path = Path(source)
    parts = _authors_parts(path) if path.suffix == ".pth" else _our_parts(find_weights(source))
    if "generator" not in parts:
        raise InputError(
            f"{source} (from_checkpoint) holds no generator; give a checkpoint, a run or a model of the zoo"
        )
    for name, module in (("generator", generator), ("discriminator", discriminator)):
        if name in parts:
            _fill(module, parts[name], f"{source} does not fit the {name} of this run")
    if "discriminator" not in parts:
        tell(f"{source} has no critic; the run's own starts from its seed")


def _our_parts(weights: Path) -> dict[str, dict[str, Tensor]]:
    if weights.name != WEIGHTS:
        # A checkpoint holds optimisers, too; a training that starts from it has fresh ones.
        return split_parts(load_tensors(weights))
    critic = weights.parent / CRITIC
    parts = {"generator": read_network(weights)[0]}
    return parts | ({"discriminator": read_network(critic)[0]} if critic.is_file() else {})


def _fill(module: nn.Module, tensors: Mapping[str, Tensor], complaint: str) -> None:
    own = module.state_dict()
    for name in (*own, *tensors):
        if name not in own or name not in tensors:
            only = "this run" if name in own else "the file"
            raise InputError(f"{complaint}: only {only} has {name}; start from a model of the same kind")
        if own[name].shape != tensors[name].shape:
            there, here = tuple(tensors[name].shape), tuple(own[name].shape)
            raise InputError(
                f"{complaint}: {name} is {there} in the file and {here} here; size and channels of images and latent_dim must"
                " be the same"
            )
    module.load_state_dict(tensors)


def start_of(source: str) -> RunConfig:
    """Configuration of the run behind `source`, a run or zoo folder, its generator.safetensors, or a name in the zoo.

    Raises
    ------
    InputError
        If there is none: checkpoints and .pth files hold no configuration.
    """
    weights = find_weights(source)
    if weights.name != WEIGHTS:
        raise InputError(f"{source} holds no configuration; give --dataset and --model, too")
    return read_network(weights)[1]


def _authors_parts(path: Path) -> dict[str, dict[str, Tensor]]:
    if not path.is_file():
        raise InputError(
            f"{path} (from_checkpoint) does not exist; give a .pth file of the authors, a run or a zoo model"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return {
            "generator": our_names(content["model_state_dict_G"], "generator"),
            "discriminator": our_names(content["model_state_dict_D"], "discriminator"),
        }
    except Exception as error:  # torch.load raises many kinds on a hostile or broken file
        first = (str(error).splitlines() or [""])[0]
        otherwise = f"is not a checkpoint of the authors ({type(error).__name__}: {first}); give their .pth file"
        raise damaged(path, otherwise) from error
