"""Parts that come from outside the package: classes in a user's file or module, and those of installed packages.

A class is named in a configuration in one of four ways: by a built-in name, by the name of an entry point of the group
`sgad.models`, as `package.module:Class`, or as `file.py:Class`. An installed package may also bring a folder of YAML files,
by an entry point of the group `sgad.configs` whose value is a package with models/, datasets/ or variants/ in it.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sgad.errors import InputError

MODELS, CONFIGS = "sgad.models", "sgad.configs"
#: Keys of a configuration that name a class.
CLASS_KEYS = ("generator", "discriminator")
#: Names that a program registered in this process (`sgad.models.registry.register`).
REGISTERED: dict[str, set[str]] = {key: set() for key in CLASS_KEYS}


@functools.cache
def installed(group: str) -> Mapping[str, importlib.metadata.EntryPoint]:
    """Entry points of one group by name; of two with one name, that of the first package in alphabetical order."""
    found = sorted(importlib.metadata.entry_points(group=group), key=lambda point: (point.name, point.value))
    return {point.name: point for point in reversed(found)}


def load_installed(group: str, name: str) -> Any:
    """Import what an entry point names.

    Raises
    ------
    InputError
        If the package is broken.
    """
    point = installed(group)[name]
    try:
        return point.load()
    except Exception as error:
        raise InputError(f"{group} entry point {name!r} ({point.value}) cannot be imported: {error}") from error


def installed_folders() -> list[Path]:
    """Folders of YAML files that installed packages bring."""
    folders = []
    for point in installed(CONFIGS).values():
        spec = importlib.util.find_spec(point.value)
        folders += [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    return folders


#: Names of the classes of this package.
BUILT_IN = {"generator": ("sgan", "swgan", "sgad"), "discriminator": ("em", "sgan", "analog")}


def is_built_in(key: str, value: str) -> bool:
    """Whether a class is one of this package's."""
    return value in BUILT_IN[key]


def is_known_class(key: str, value: str) -> bool:
    """Whether `value` may name a class for `key` (generator or discriminator)."""
    return ":" in value or is_built_in(key, value) or value in REGISTERED[key] or value in installed(MODELS)


def is_in_file(value: str) -> bool:
    """Whether a class is named as `file.py:Class`."""
    return value.rpartition(":")[0].endswith(".py")


def with_absolute_classes(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Copy overrides; classes in files named relative to `folder` get their absolute path if they are there."""
    changed = dict(values)
    for key in CLASS_KEYS:
        value = changed.get(key)
        if isinstance(value, str) and is_in_file(value):
            file, _, name = value.rpartition(":")
            place = folder / Path(file).expanduser()
            if place.is_file():
                changed[key] = f"{place.resolve()}:{name}"
    return changed


def class_file(value: str, folders: list[Path]) -> Path:
    """Find the file of `file.py:Class`: where it says, else by its name in models/ of `folders` and here.

    The second way is for run folders that were moved to another machine.

    Raises
    ------
    InputError
        If it is nowhere.
    """
    given = Path(value.rpartition(":")[0])
    for place in (given, *(folder / "models" / given.name for folder in folders), Path(given.name)):
        if place.is_file():
            return place
    raise InputError(
        f"{value}: the file {given} does not exist; put {given.name} into models/ of a folder named by SGAD_CONFIGS"
    )


def without_folder(value: str) -> str:
    """Name a class in a file by the file's name alone; other names pass unchanged."""
    return f"{Path(value.rpartition(':')[0]).name}:{value.rpartition(':')[2]}" if is_in_file(value) else value


def identity(value: str, folders: list[Path]) -> str:
    """Name a class in a file by content, for hashes: the file's name, the class, and the SHA-256 of the file's text."""
    name = without_folder(value)
    try:
        content = class_file(value, folders).read_bytes()
    except InputError:
        return name
    return f"{name}@{hashlib.sha256(content).hexdigest()[:16]}"
