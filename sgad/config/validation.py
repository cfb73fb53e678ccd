"""From a pydantic error to one sentence: file, field, value, remedy."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sgad.errors import InputError, nearest

Model = TypeVar("Model", bound=BaseModel)


def validated(
    model: type[Model], content: Mapping[str, Any], source: str, origins: Mapping[str, str] | None = None
) -> Model:
    """The checked model; `origins` names the source of single fields.

    Raises
    ------
    InputError
        Naming `source`, the first wrong field, its value and what is allowed.
    """
    try:
        checked = model.model_validate(dict(content))
    except ValidationError as error:
        problem = error.errors()[0]
        field = str(problem["loc"][0]) if problem["loc"] else ""
        raise InputError(f"{(origins or {}).get(field, source)}: {_sentence(problem, model)}") from error
    switch = _switch_as_number(content, checked.model_dump(), "")
    if switch:
        field = switch.split(".")[0]
        raise InputError(
            f"{(origins or {}).get(field, source)}: {switch} is a switch (true, yes or on) where a number is expected;"
            " write the number"
        )
    return checked


def _switch_as_number(given: Any, read: Any, field: str) -> str:
    """The first field in which true or false was taken for 1 or 0; empty if there is none."""
    if isinstance(given, bool):
        return field if isinstance(read, int | float) and not isinstance(read, bool) else ""
    pairs: list[tuple[Any, Any, Any]] = []
    if isinstance(given, Mapping) and isinstance(read, Mapping):
        pairs = [(key, value, read.get(key)) for key, value in given.items()]
    elif isinstance(given, list | tuple) and isinstance(read, list | tuple):
        pairs = [(number, *both) for number, both in enumerate(zip(given, read, strict=False))]
    names = (_switch_as_number(value, other, f"{field}.{key}".lstrip(".")) for key, value, other in pairs)
    return next((name for name in names if name), "")


def require_known_keys(content: Mapping[str, Any], known: Mapping[str, Any] | tuple[str, ...], source: str) -> None:
    """Raise InputError for the first key that is not known, with the nearest right one."""
    for key in content:
        if key not in known:
            raise InputError(f"{source}: {_unknown(str(key), tuple(known))}")


def _unknown(key: str, known: tuple[str, ...]) -> str:
    near = nearest(key, known)
    return f"key {key!r} is unknown{near or '; known keys: ' + ', '.join(known)}"


def _sentence(problem: ErrorDetails, model: type[BaseModel]) -> str:
    field = ".".join(str(part) for part in problem["loc"] if not str(part).startswith("function-"))
    if problem["type"] == "extra_forbidden":
        return _unknown(field.rsplit(".", 1)[-1], _known_keys(model, problem["loc"][:-1]))
    if problem["type"] == "missing":
        return f"key {field!r} is missing; add it"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "string_type":
        message += f"; write '{problem['input']}' in quotes" if not isinstance(problem["input"], dict | list) else ""
    if not field:
        return message
    return f"{field} = {_short(problem['input'])} is not allowed: {message[:1].lower() + message[1:]}"


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> tuple[str, ...]:
    """The fields of the model nested at `path`."""
    for part in path:
        inner = model.model_fields.get(str(part))
        if inner is not None and isinstance(inner.annotation, type) and issubclass(inner.annotation, BaseModel):
            model = inner.annotation
    return tuple(model.model_fields)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
