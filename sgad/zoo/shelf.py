"""The user's zoo: list what is here, add a packed folder, get one from an address or the Hugging Face Hub."""

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sgad.config.plugins import is_built_in
from sgad.config.run import RunConfig
from sgad.config.validation import validated
from sgad.config.yaml_files import read_yaml
from sgad.config.zoo import WEIGHTS, cache_folder, installed_models
from sgad.errors import InputError
from sgad.machine.download import fetch
from sgad.machine.files import sha256_of
from sgad.zoo.manifest import MANIFEST, problem_with, read_manifest, require_whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_HUB = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:@([\w.-]+))?")


@dataclass(frozen=True)
class Entry:
    """One model that is here: `sha256` and `size` (bytes) are those of its weights."""

    name: str
    folder: Path
    dataset: str
    model: str
    size: int
    sha256: str


def entries() -> list[Entry]:
    """Models that are here, sorted by name."""
    found = []
    for name, folder in sorted(installed_models().items()):
        weights = folder / WEIGHTS
        config = read_yaml(folder / "config.yaml") if (folder / "config.yaml").is_file() else {}
        dataset, model = str(config.get("dataset", "?")), str(config.get("model", "?"))
        found.append(Entry(name, folder, dataset, model, weights.stat().st_size, sha256_of(weights)))
    return found


def add_model(source: Path, name: str | None = None) -> Path:
    """Copy a packed model into the user's zoo, checked; return its folder there.

    Raises
    ------
    InputError
        If a file is absent or damaged, the name is taken by another model, or its generator is a class that is not built in.
    """
    require_whole(source)
    _require_built_in(source)
    return _keep(source, name or source.resolve().name)


def get_model(address: str, name: str | None = None) -> Path:
    """Bring a packed model from `hf:OWNER/MODEL[@REVISION]` or the URL of its folder; return its folder in the user's zoo.

    Each file is checked by size and SHA-256. What was cut off goes on where it stood.

    Raises
    ------
    InputError
        If the address is neither, nothing is there, or a file is not what zoo.json says.
    """
    base = address_of(address)
    last = _hub(address)[0] if address.startswith("hf:") else base
    chosen = name or last.rpartition("/")[2]
    parts = cache_folder() / ".parts" / re.sub(r"[^A-Za-z0-9_.-]+", "_", base)[-120:]
    parts.mkdir(parents=True, exist_ok=True)
    # The manifest is small, and an older one would refuse newer files.
    (parts / MANIFEST).unlink(missing_ok=True)
    by_hand = f"open {base} in a browser, save the files into a folder, then `sgad zoo add FOLDER`"
    fetch([f"{base}/{MANIFEST}"], parts / MANIFEST, _no_manifest, by_hand=by_hand)
    for file, facts in read_manifest(parts / MANIFEST).items():
        if problem_with(parts / file, facts):
            fetch([f"{base}/{file}"], parts / file, _checker(facts), by_hand=by_hand, size=facts["size"])
    _require_built_in(parts)
    kept = _keep(parts, chosen)
    shutil.rmtree(parts)
    return kept


def address_of(address: str) -> str:
    """URL of the folder that an address names.

    Raises
    ------
    InputError
        If it is neither of the Hub nor a URL.
    """
    if address.startswith("hf:"):
        repository, revision = _hub(address)
        return f"https://huggingface.co/{repository}/resolve/{revision}"
    if address.startswith(("https://", "http://", "file://")):
        return address.rstrip("/")
    raise InputError(f"{address} is no address; give hf:OWNER/MODEL or the URL of a folder with zoo.json in it")


def _hub(address: str) -> tuple[str, str]:
    found = _HUB.fullmatch(address)
    if found is None:
        raise InputError(f"{address} is no model of the Hub; write hf:OWNER/MODEL or hf:OWNER/MODEL@REVISION")
    return found[1], found[2] or "main"


def _checker(facts: dict[str, Any]) -> Any:
    return lambda path: problem_with(path, facts)


def _no_manifest(path: Path) -> str:
    try:
        read_manifest(path)
    except InputError as error:
        return str(error)
    return ""


def _require_built_in(folder: Path) -> None:
    config = validated(RunConfig, read_yaml(folder / "config.yaml"), str(folder / "config.yaml"))
    if not is_built_in("generator", config.generator):
        raise InputError(
            f"{folder}: its generator is {config.generator}, code that is not part of sgad; load it from its folder yourself,"
            " once you trust that code"
        )


def _keep(source: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name for a model; use letters, digits, '.', '_' and '-', or give --name")
    target = cache_folder() / name
    files = read_manifest(source / MANIFEST)
    if target.exists():
        if (target / WEIGHTS).is_file() and sha256_of(target / WEIGHTS) == files[WEIGHTS]["sha256"]:
            return target
        raise InputError(f"{target} is another model of that name; remove it or give --name")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{name}-"))
    try:
        for file in (*files, MANIFEST):
            shutil.copyfile(source / file, temporary / file)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target
