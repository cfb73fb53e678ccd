"""The yardsticks that come with the package: each ready data set's classifiers and own autoencoder, in half precision.

Feature networks trained on another machine differ in their bits, and so do CFD and its kin by some per cent. One file a data set,
named by the start of its SHA-256, makes them one number everywhere. A data set is known by the content hash of its prepared
files: another edition of it, or your own data, still gets networks of its own (`sgad classifier`).
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sgad.errors import InputError
from sgad.machine.files import atomic_write, read_json, sha256_of, write_json

FOLDER = Path(__file__).with_name("weights")
RECORD = "classifier.json"
AUTOENCODER = "autoencoder.safetensors"


def find_shipped(dataset: str, data_hash: str, folder: Path = FOLDER) -> Path | None:
    """The shipped file of a data set whose prepared content has this hash; None if there is none."""
    for path in sorted(folder.glob(f"{dataset}-*.safetensors")):
        if data_hash and shipped_record(path).get("data_hash") == data_hash:
            return path
    return None


def shipped_record(path: Path) -> dict[str, Any]:
    """What classifier.json said of the networks when they were packed."""
    with safe_open(path, framework="pt") as content:
        record: dict[str, Any] = json.loads((content.metadata() or {})["record"])
    return record


def unpack(path: Path, folder: Path) -> dict[str, Any]:
    """Write the networks of a shipped file into `folder`, as `sgad classifier` would have; return classifier.json's content.

    Raises
    ------
    InputError
        If the file is not the one that its name says.
    """
    if not path.stem.endswith(sha256_of(path)[:8]):
        raise InputError(f"{path} is not the file that its name says; install the package again")
    record = shipped_record(path)
    tensors = {name: _single(value) for name, value in load_file(path).items()}
    names = [f"classifier{index}" for index in range(len(record["seeds"]))]
    hashes = [_save(_part(tensors, f"{name}."), folder / f"{name}.safetensors") for name in names]
    record |= {"sha256": hashes, "shipped": path.name}
    if autoencoder := _part(tensors, "autoencoder."):
        record["autoencoder"] = record["autoencoder"] | {"sha256": _save(autoencoder, folder / AUTOENCODER)}
    write_json(folder / RECORD, record)
    return record


def pack(folder: Path, dataset: str, target: Path = FOLDER) -> Path:
    """Write the networks that `sgad classifier --autoencoder` trained in `folder` as one file in half precision; return its path.

    An older file of the same data set and content is removed.
    """
    record = read_json(folder / RECORD)
    tensors: dict[str, torch.Tensor] = {}
    for index in range(len(record["seeds"])):
        tensors |= _prefixed(load_file(folder / f"classifier{index}.safetensors"), f"classifier{index}.")
    if (folder / AUTOENCODER).is_file():
        tensors |= _prefixed(load_file(folder / AUTOENCODER), "autoencoder.")
    with atomic_write(target / f"{dataset}.safetensors") as temporary:
        save_file(tensors, temporary, {"record": json.dumps(record, sort_keys=True)})
    whole = target / f"{dataset}.safetensors"
    named = whole.with_name(f"{dataset}-{sha256_of(whole)[:8]}.safetensors")
    before = find_shipped(dataset, record["data_hash"], target)
    whole.replace(named)
    if before is not None and before != named:
        before.unlink()
    return named


def _prefixed(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": _half(value) for name, value in tensors.items()}


def _half(value: torch.Tensor) -> torch.Tensor:
    # Counters of batch norm are whole numbers and stay so.
    return value.half() if value.is_floating_point() else value


def _single(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _save(tensors: dict[str, torch.Tensor], path: Path) -> str:
    with atomic_write(path) as temporary:
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary)
    return sha256_of(path)
