"""zoo.json: sizes and SHA-256 of the files of a packed model, so that a copy of it can be checked."""

from pathlib import Path
from typing import Any

from sgad.errors import InputError
from sgad.machine.files import read_json, sha256_of, write_json

MANIFEST = "zoo.json"
#: Files of a packed model, those that it must have first.
NEEDED = ("generator.safetensors", "config.yaml", "run.json")
FURTHER = ("README.md", "metrics.json", "metrics-packed.json", "preview.png", "preview.gif")


def write_manifest(folder: Path) -> None:
    """Write zoo.json of the files that are in a packed model's folder."""
    files = [folder / name for name in (*NEEDED, *FURTHER) if (folder / name).is_file()]
    content = {path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)} for path in files}
    write_json(folder / MANIFEST, {"files": content})


def read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    """Sizes and hashes by file name.

    Raises
    ------
    InputError
        If it is no manifest, names files that no packed model has, or leaves out one that each has.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; `sgad export` writes it")
    content = read_json(path)
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict):
        raise InputError(f"{path} is no manifest of a packed model; `sgad export` writes one")
    for name, facts in files.items():
        if name not in (*NEEDED, *FURTHER):
            raise InputError(f"{path}: {name!r} is no file of a packed model; such a folder is not taken")
        if (
            not isinstance(facts, dict)
            or not isinstance(facts.get("size"), int)
            or not isinstance(facts.get("sha256"), str)
        ):
            raise InputError(f"{path}: {name} has no size or sha256; `sgad export` writes both")
    absent = [name for name in NEEDED if name not in files]
    if absent:
        raise InputError(f"{path} leaves out {', '.join(absent)}; pack the model again with `sgad export`")
    return files


def problem_with(path: Path, facts: dict[str, Any]) -> str:
    """Say what is wrong with a file, or an empty string."""
    if not path.is_file():
        return "it is absent"
    if path.stat().st_size != facts["size"]:
        return f"it has {path.stat().st_size:,} bytes instead of {facts['size']:,}"
    return "" if sha256_of(path) == facts["sha256"] else "its SHA-256 is another than zoo.json says"


def require_whole(folder: Path) -> None:
    """Check a packed model's files against its manifest.

    Raises
    ------
    InputError
        Naming the first file that is absent or another.
    """
    for name, facts in read_manifest(folder / MANIFEST).items():
        problem = problem_with(folder / name, facts)
        if problem:
            raise InputError(f"{folder / name}: {problem}; get the model again")
