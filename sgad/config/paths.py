"""Where configuration files are found."""

import os
from collections.abc import Iterable
from pathlib import Path

from sgad.config.plugins import installed_folders
from sgad.errors import InputError, nearest

#: Folders below one of configurations.
KINDS = ("models", "datasets", "variants", "experiments")
VARIABLE = "SGAD_CONFIGS"
_PACKAGE = Path(__file__).resolve().parents[1]
#: In a clone, and in an installed package.
SHIPPED = (_PACKAGE.parent / "configs", _PACKAGE / "shipped" / "configs")


def config_folders() -> list[Path]:
    """Folders searched, first match wins: $SGAD_CONFIGS, ./configs, those of installed packages, the shipped ones."""
    given = [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    places = [*given, Path("configs"), *installed_folders(), *SHIPPED]
    return [place for place in places if place.is_dir()]


def search_first(folders: Iterable[Path]) -> None:
    """Put folders in front of $SGAD_CONFIGS, for this process and those that it starts.

    Raises
    ------
    InputError
        If one is no folder.
    """
    parts = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    for folder in reversed(list(folders)):
        if not folder.is_dir():
            raise InputError(f"configs: {folder} is not a folder; name one that holds models/, datasets/ or variants/")
        if str(folder.resolve()) not in parts:
            parts.insert(0, str(folder.resolve()))
    if parts:
        os.environ[VARIABLE] = os.pathsep.join(parts)


def is_file_name(text: str) -> bool:
    """Whether a configuration is named by the path of its file instead of by its key."""
    return text.endswith((".yaml", ".yml"))


def key_of(text: str) -> str:
    """The key of a configuration that is named by its key or by the path of its file."""
    return Path(text).stem if is_file_name(text) else text


def available(kind: str) -> list[str]:
    """Sorted names of the configuration files of one kind."""
    return sorted({path.stem for folder in config_folders() for path in (folder / kind).glob("*.yaml")})


def find_config(kind: str, name: str) -> Path:
    """Find the file of a configuration by its key, or take the path of its file.

    Raises
    ------
    InputError
        If no folder has it; the sentence lists the names that exist.
    """
    if is_file_name(name):
        return Path(name)
    for folder in config_folders():
        path = folder / kind / f"{name}.yaml"
        if path.is_file():
            return path
    names = available(kind)
    raise InputError(
        f"{kind[:-1]} {name!r} is unknown{nearest(name, names)} (known: {', '.join(names) or 'none'});"
        f" give the path of its file, or put {name}.yaml into {kind}/ of a folder named by {VARIABLE}"
    )
