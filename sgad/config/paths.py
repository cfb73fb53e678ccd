"""Where configuration files are found."""

import os
from pathlib import Path

from sgad.errors import InputError, nearest


def config_folders() -> list[Path]:
    """Return the folders searched, first match wins: $SGAD_CONFIGS, ./configs, the repository's configs/."""
    given = [Path(part) for part in os.environ.get("SGAD_CONFIGS", "").split(os.pathsep) if part]
    places = [*given, Path("configs"), Path(__file__).resolve().parents[2] / "configs"]
    return [place for place in places if place.is_dir()]


def available(kind: str) -> list[str]:
    """Return the sorted names of the configuration files of one kind."""
    return sorted({path.stem for folder in config_folders() for path in (folder / kind).glob("*.yaml")})


def find_config(kind: str, name: str) -> Path:
    """Return the file of a named configuration.

    Raises
    ------
    InputError
        If no folder has it; the sentence lists the names that exist.
    """
    for folder in config_folders():
        path = folder / kind / f"{name}.yaml"
        if path.is_file():
            return path
    names = available(kind)
    raise InputError(
        f"{kind[:-1]} {name!r} is unknown{nearest(name, names)} (known: {', '.join(names) or 'none'});"
        f" add configs/{kind}/{name}.yaml to define it"
    )
