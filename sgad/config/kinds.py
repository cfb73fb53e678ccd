"""Which kind of configuration a file holds, told by its keys."""

from pathlib import Path
from typing import Any, Literal

from sgad.config.authors import is_authors_file
from sgad.config.paths import KINDS
from sgad.config.plugins import CLASS_KEYS
from sgad.config.yaml_files import read_yaml

Kind = Literal["authors", "experiments", "datasets", "models", "variants", "runs"]

#: Keys that only one kind has; the first kind with one of them wins.
_MARKS: tuple[tuple[Kind, frozenset[str]], ...] = (
    ("experiments", frozenset({"measures", "analyses", "tables", "figures", "seeds", "runs"})),
    ("datasets", frozenset({"source", "places", "downloads"})),
    ("models", frozenset({"shapes", "citation"})),
    ("variants", frozenset({"note"})),
)


def kind_of(path: Path) -> Kind:
    """Tell the kind of a YAML file by its keys; the folder decides only where they fit a model and a variant.

    Raises
    ------
    InputError
        If it is not a readable YAML file.
    """
    content = read_yaml(path)
    if is_authors_file(content):
        return "authors"
    keys = set(content)
    if isinstance(content.get("dataset"), str) and isinstance(content.get("model"), str):
        return "runs"
    folder = path.resolve().parent.name
    for kind, marks in _MARKS:
        if keys & marks and not (kind in ("models", "variants") and folder in ("models", "variants")):
            return kind
    if folder in KINDS:
        return folder  # type: ignore[return-value]
    if {"datasets", "models"} <= keys and not _are_overrides(content["models"]):
        return "experiments"
    if "title" in keys and "defaults" in keys:
        return "models" if set(CLASS_KEYS) & set(content["defaults"] or ()) else "variants"
    return "variants" if "title" in keys and "models" in keys else "runs"


def _are_overrides(value: Any) -> bool:
    """Whether this is a variant's `models` (a mapping), not an experiment's (a list)."""
    return isinstance(value, dict)
