"""What the audit looks at in run folders and prepared data: whether their files still belong together."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sgad.config.run import RunConfig
from sgad.config.validation import validated
from sgad.config.yaml_files import read_yaml
from sgad.errors import SgadError
from sgad.machine.files import DAMAGED_ARRAY, read_json, sha256_of
from sgad.runs.record import read_record
from sgad.store.provenance import file_hashes, row_key, run_files


def broken_run(folder: Path, collected: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong in a run folder; `collected` is the SHA-256 of its files as they were collected."""
    try:
        record = read_record(folder)
        config = validated(RunConfig, read_yaml(folder / "config.yaml"), str(folder / "config.yaml"))
        if config.hash() != record.config_hash:
            yield (
                f"{folder / 'config.yaml'} is configuration {config.hash()}, run.json says {record.config_hash};"
                " one of them was edited; train again"
            )
    except SgadError as error:
        yield str(error)
    now = file_hashes(folder, run_files())
    for name in sorted(collected):
        if now.get(name) != collected[name]:
            yield f"{folder / name} is not the file that was collected; collect again"


def other_samples(folder: Path) -> Iterator[str]:
    """Yield a finding if another generator drew the samples than the one beside them."""
    samples, weights = folder / "samples.npz", folder / "generator.safetensors"
    if not (samples.is_file() and weights.is_file()):
        return
    drawn_by = _drawn_by(samples)
    if drawn_by and drawn_by != sha256_of(weights):
        yield f"{samples} was not drawn by {weights.name} beside it; sample and measure again"


def _drawn_by(samples: Path) -> str:
    """The hash of the weights that samples name; "" if they name none, as those of a failed run."""
    import numpy as np

    try:
        with np.load(samples, allow_pickle=False) as content:
            return str(json.loads(str(content["meta"])).get("weights_sha256", ""))
    except DAMAGED_ARRAY:
        return "unreadable"


def broken_data(folder: Path, rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield what is wrong with a prepared data set, and the runs in `rows` that were trained on another one."""
    path = folder / "manifest.json"
    if not path.is_file():
        return
    try:
        manifest: Any = read_json(path)
        files, content = dict(manifest["files"]), str(manifest["content_hash"])
    except (SgadError, KeyError, TypeError, ValueError):
        yield f"{path} is not a manifest; prepare the data set again"
        return
    for name, digest in sorted(files.items()):
        if not (folder / name).is_file() or sha256_of(folder / name) != digest:
            yield f"{folder / name} is not what its manifest says; prepare the data set again"
    for row in rows:
        if row.get("data_hash") not in ("", None, content):
            yield f"{'/'.join(row_key(row))} was trained on other data than {path}; prepare those again or train again"
