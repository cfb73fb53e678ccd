"""Find declarations: in the package's rooms, in entry points of installed packages, in files that the user names."""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from sgad.errors import InputError

#: Files with declarations, separated as in PATH; `--plugin FILE` adds one for a command and its child processes.
VARIABLE = "SGAD_PLUGINS"
Kind = TypeVar("Kind")


def declared(kind: type[Kind], room: str, group: str) -> dict[str, Kind]:
    """Every declaration of a kind by its key, in the order of `place` and key.

    Parameters
    ----------
    kind
        The class of the declarations; they have a `key` and a `place`.
    room
        The package whose modules are searched, for example "sgad.analyses".
    group
        The entry points that other packages declare, for example "sgad.analyses".

    Raises
    ------
    InputError
        If a plugin cannot be imported, or two different declarations have one key.
    """
    # A class is hashable, which mypy does not see of a type variable.
    return dict(_declared(kind, room, group, os.environ.get(VARIABLE, "")))  # type: ignore[arg-type]


def add_plugins(paths: Iterable[Path]) -> None:
    """Add files to `$SGAD_PLUGINS`, so that this process and its children find their declarations.

    Raises
    ------
    InputError
        If a file does not exist.
    """
    given = os.environ.get(VARIABLE, "").split(os.pathsep)
    for path in paths:
        if not path.is_file():
            raise InputError(f"--plugin {path} does not exist; give a Python file")
        given.append(str(path.absolute()))
    os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys(filter(None, given)))


@cache
def _declared(kind: type[Kind], room: str, group: str, files: str) -> dict[str, Kind]:
    found: dict[str, tuple[Kind, str]] = {}
    for source, item in _everything(room, group, files):
        if not isinstance(item, kind):
            continue
        key = str(getattr(item, "key", ""))
        known, where = found.setdefault(key, (item, source))
        if known is not item:
            raise InputError(f"{key!r} is declared twice, in {where} and in {source}; rename one of them")
    items = [item for item, _ in found.values()]
    items.sort(key=lambda item: (getattr(item, "place", 0), getattr(item, "key", "")))
    return {str(getattr(item, "key", "")): item for item in items}


def _everything(room: str, group: str, files: str) -> Iterator[tuple[str, Any]]:
    """(source, object) of all that may be a declaration."""
    package = importlib.import_module(room)
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{room}.{info.name}")
        yield from ((module.__name__, item) for item in vars(module).values())
    for point in importlib.metadata.entry_points(group=group):
        source = f"entry point {point.name} of {group}"
        try:
            loaded = point.load()
        except Exception as error:
            raise InputError(f"{source} ({point.value}) cannot be imported: {error}") from error
        yield from ((source, item) for item in _members(loaded))
    for name in filter(None, files.split(os.pathsep)):
        yield from ((name, item) for item in _members(plugin_module(Path(name))))


def _members(item: Any) -> Iterable[Any]:
    if isinstance(item, ModuleType):
        return list(vars(item).values())
    return item if isinstance(item, list | tuple) else [item]


def plugin_module(path: Path) -> ModuleType:
    """The module of a user's file.

    Raises
    ------
    InputError
        If the file does not exist or raises an error.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; correct ${VARIABLE}")
    return import_file(path)


def import_file(path: Path) -> ModuleType:
    """Import a Python file once a process, under a name made of its path and content.

    Raises
    ------
    InputError
        If it cannot be imported, with the error.
    """
    digest = hashlib.sha256(str(path.resolve()).encode() + path.read_bytes()).hexdigest()[:12]
    name = f"sgad_user_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is not a Python file; give one that ends in .py")
    module = importlib.util.module_from_spec(spec)
    # Known before it runs: classes of the file look for their module there.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module
