"""Reading YAML strictly: a mapping at the top, no duplicate keys, one sentence when it is broken."""

import re
from pathlib import Path
from typing import Any

import yaml

from sgad.errors import InputError

#: Parsing takes 15 s a MiB; 10,000 seeds or 2,000 names of variants are well below.
_MAX_BYTES = 2**18


class _StrictLoader(yaml.SafeLoader):
    """Safe loader that refuses duplicate keys and reads 2e-4 as a number (YAML 1.1 alone takes it for text)."""


def _construct_mapping(loader: _StrictLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float | bool) or key in seen:
            problem = "appears twice" if isinstance(key, str | int | float | bool) else "is not a plain key"
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} {problem}", key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=deep)


def _construct_int(loader: _StrictLoader, node: yaml.ScalarNode) -> int:
    digits = str(node.value).lstrip("+-").replace("_", "")
    # YAML 1.1 reads 010 as eight and 1:30 as ninety; whoever writes them means something else.
    if ":" in digits or (digits.startswith("0") and digits.isdigit() and digits != "0"):
        meant = f"{digits.lstrip('0') or 0} for the number, " if digits.isdigit() else ""
        problem = (
            f"{node.value} is read as {loader.construct_yaml_int(node)} in YAML; write {meant}'{node.value}' for text"
        )
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return int(loader.construct_yaml_int(node))


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)
_StrictLoader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_FLOAT = r"^[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(_FLOAT), list("-+0123456789"))


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """Parse YAML text whose top level is a mapping; `source` names it in messages."""
    try:
        content = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        way = "" if "; " in problem else "; correct that line"
        raise InputError(f"{source}{where} is not valid YAML: {problem}{way}") from error
    if not isinstance(content, dict):
        raise InputError(f"{source} must hold `key: value` lines, found {type(content).__name__}")
    return content


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    InputError
        If it is absent, unreadable, too large, not YAML, or holds a key twice.
    """
    file = Path(path)
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise InputError(f"{file} is larger than {_MAX_BYTES >> 10} KiB and cannot be a configuration file")
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{file} does not exist; check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as text ({error}); give a YAML file") from error
    return parse_yaml(text, str(file))


def parse_value(text: str) -> Any:
    """Parse the right side of `--set key=value` as YAML, so that numbers, true, null and lists work."""
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError):
        # An impossible date, or brackets by the thousand: the field that takes the value says what it wants instead.
        return text


def dump_yaml(content: dict[str, Any]) -> str:
    """YAML text with keys in the order given."""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
