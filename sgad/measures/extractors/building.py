"""What the feature networks share: building without a global random draw, and reading weights without running code."""

import io
import math
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sgad.errors import InputError
from sgad.machine.stand_ins import damaged

#: What torch and safetensors raise on files that are damaged or something else.
UNREADABLE = (
    SafetensorError,
    OSError,
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    ImportError,
    AttributeError,
    TypeError,
)


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw torch's own default initialisation of convolutions and linear layers from `generator` alone."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
            if module.bias is not None:
                bound = 1 / math.sqrt(module.weight[0].numel())
                nn.init.uniform_(module.bias, -bound, bound, generator=generator)


def empty_network(build: type[nn.Module], *sizes: int) -> nn.Module:
    """Build a network without drawing from the global generator: its weights are set right after."""
    with torch.device("meta"):
        network = build(*sizes)
    return network.to_empty(device="cpu")


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or a .pth, the latter loaded as weights only: no code of it runs.

    Raises
    ------
    InputError
        If the file is absent, damaged, or holds anything but tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            # torch wonders aloud at pickles that it did not write; what they hold is judged here.
            warnings.simplefilter("ignore", UserWarning)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give the path of the weights") from error
    except pickle.UnpicklingError as error:
        raise damaged(path, "holds more than weights and is not loaded; give the published .pth") from error
    except UNREADABLE as error:
        raise damaged(path, "is not a readable weights file; give the published .pth or a .safetensors") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise InputError(f"{path} holds no weights by name; give the published .pth or a .safetensors")
    return dict(content)


def weight_names(path: Path) -> frozenset[str]:
    """The names of the tensors in a weights file."""
    return frozenset(read_state(path))


def as_safe_pickle(state: Mapping[str, Tensor]) -> io.BytesIO:
    """A weights file in memory, for packages that unpickle whatever they are given: this one we wrote ourselves."""
    file = io.BytesIO()
    torch.save(dict(state), file)
    file.seek(0)
    return file
