"""Checkpoints that are whole or do not count: tensors as safetensors, then a JSON file with their checksum.

The JSON file is written last, so a checkpoint exists from the moment its JSON does. It names the hash of the resolved
configuration and of the data; one made from others is never resumed from.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sgad.errors import InputError, RunFailure
from sgad.machine.files import DAMAGED_JSON, atomic_write, sha256_of, write_failure, write_json
from sgad.machine.stand_ins import damaged
from sgad.models.registry import HEADER

FOLDER = "checkpoints"


@dataclass(frozen=True)
class Origin:
    """What a training is made from: the hashes of its configuration and of its prepared data."""

    config_hash: str
    data_hash: str


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, and the plain values with them."""

    step: int
    tensors: dict[str, Tensor]
    values: dict[str, Any]


def save_checkpoint(
    folder: Path,
    step: int,
    tensors: Mapping[str, Tensor],
    origin: Origin,
    values: Mapping[str, Any],
    keep: int,
) -> Path:
    """Write a checkpoint of one step, then remove all but the newest `keep`."""
    target = folder / FOLDER
    weights = target / f"step-{step:08d}.safetensors"
    save_tensors(weights, tensors)
    record = {"step": step, **asdict(origin), "sha256": sha256_of(weights), "values": dict(values)}
    write_json(weights.with_suffix(".json"), record)
    for path in _records(target)[keep:]:
        path.unlink(missing_ok=True)
        path.with_suffix(".safetensors").unlink(missing_ok=True)
    return weights


def newest_checkpoint(folder: Path, origin: Origin) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint of this configuration and these data, and a sentence for each one passed over.

    Raises
    ------
    RunFailure
        If the file system does not let us read one: that says nothing about the checkpoint, and none is passed over.
    """
    notes: list[str] = []
    for path in _records(folder / FOLDER):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(record, dict):
                raise ValueError("it holds no mapping")
            if (other := _other_origin(record, origin)) is not None:
                notes.append(f"{path.name} was made with {other}; not resumed from")
                continue
            weights = path.with_suffix(".safetensors")
            if not weights.is_file() or sha256_of(weights) != record["sha256"]:
                notes.append(f"{weights.name} is damaged or absent; the one before it is used")
                continue
            return Checkpoint(int(record["step"]), load_tensors(weights), record["values"]), notes
        except OSError as error:
            raise RunFailure(f"{path} cannot be read ({error.strerror or error}); try again later") from error
        except (InputError, KeyError, TypeError, *DAMAGED_JSON) as error:
            notes.append(f"{path.name} cannot be read ({error}); the one before it is used")
    return None, notes


def _other_origin(record: Mapping[str, Any], origin: Origin) -> str | None:
    for key, name in (("config_hash", "another configuration"), ("data_hash", "other data")):
        if (found := record.get(key)) != getattr(origin, key):
            return f"{name} ({found or 'not recorded'})"
    return None


def _records(folder: Path) -> list[Path]:
    """The JSON files of the checkpoints, newest first."""
    return sorted(folder.glob("step-*.json"), reverse=True)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors, atomically; the metadata are strings, kept as one JSON object in the file's header.

    One, because several would stand in another order each time, and equal trainings would give unequal files.
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as temporary:
        try:
            save_file(contiguous, temporary, metadata={HEADER: json.dumps(dict(metadata or {}), sort_keys=True)})
        except SafetensorError as error:
            # What it says where the disk is full; it is no OSError.
            raise write_failure(path, error) from error


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises
    ------
    InputError
        If it is absent or damaged.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; train the run first")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise damaged(path, f"is not a whole safetensors file ({error}); train the run again") from error


def split_parts(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Take names "part/name" apart."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        parts.setdefault(part, {})[rest] = tensor
    return parts


def gather_tensors(
    modules: Mapping[str, nn.Module], optimisers: Mapping[str, torch.optim.Optimizer]
) -> dict[str, Tensor]:
    """Every tensor that a resumed training needs, by name "part/name"."""
    tensors = {
        f"{part}/{name}": value for part, module in modules.items() for name, value in module.state_dict().items()
    }
    for part, optimiser in optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"{part}/{index}/{name}"] = torch.as_tensor(value)
    return tensors


def restore_tensors(
    tensors: Mapping[str, Tensor],
    modules: Mapping[str, nn.Module],
    optimisers: Mapping[str, torch.optim.Optimizer],
) -> None:
    """Put the tensors of `gather_tensors` back; what is not in them is left as it is."""
    parts = split_parts(tensors)
    for part, module in modules.items():
        module.load_state_dict(parts[part])
    for part, optimiser in optimisers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in parts.get(part, {}).items():
            index, _, key = name.partition("/")
            state.setdefault(int(index), {})[key] = value
        content = optimiser.state_dict()
        content["state"] = state
        optimiser.load_state_dict(content)
