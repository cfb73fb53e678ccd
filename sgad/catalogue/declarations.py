"""The forms of declarations."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: A function, or "module:function" where importing its module takes long.
Function = Callable[..., Any] | str
#: Where a declaration is in lists and on the page; equal ones follow each other by their keys.
LAST = 100


def function_of(named: Function) -> Callable[..., Any]:
    """The function itself, imported now if only its name was given."""
    if not isinstance(named, str):
        return named
    module, _, name = named.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


@dataclass(frozen=True, kw_only=True)
class TableKind:
    """A table of an experiment: tables/KEY.{csv,md,tex}.

    `build(stored, summary)` takes a `sgad.store.stored.Stored` and the frame of `sgad.store.summary.summarise`, and returns a
    `sgad.display.formats.TableFile`.
    """

    key: str
    build: Function
    place: int = LAST


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """A figure of an experiment, one file a data set: figures/KEY-DATASET.{svg,png}.

    `draw(stored, dataset)` returns a matplotlib figure, or None where there is nothing to draw. `title` is its caption.
    """

    key: str
    title: str
    draw: Function
    place: int = LAST


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A look at one trained run: analyses/KEY.csv in its folder, and how that is shown.

    `measure(material)` takes a `sgad.analyses.toolbox.material.Material` and returns findings
    (`sgad.analyses.toolbox.findings.Finding`). `pictures` are the PNG and GIF files that it draws into the run's
    folder; `collect` keeps small copies.
    """

    key: str
    title: str
    question: str
    measure: Function
    tables: tuple[TableKind, ...] = ()
    figures: tuple[FigureKind, ...] = ()
    pictures: tuple[str, ...] = ()
    needs_neurons: bool = False
    place: int = LAST
