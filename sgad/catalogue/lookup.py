"""All that is declared, by key; an unknown key is refused with the nearest one."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from sgad.catalogue.declarations import Analysis, FigureKind, TableKind
from sgad.catalogue.discovery import declared
from sgad.errors import InputError, nearest

Kind = TypeVar("Kind")
Shown = TypeVar("Shown", TableKind, FigureKind)


def analyses() -> dict[str, Analysis]:
    """Every analysis: the folders of `sgad.analyses`, entry points `sgad.analyses`, plugins."""
    return declared(Analysis, "sgad.analyses", "sgad.analyses")


def tables() -> dict[str, TableKind]:
    """Every table: those of `sgad.reporting.tables`, entry points `sgad.tables`, plugins, and those of the analyses."""
    own = declared(TableKind, "sgad.reporting.tables", "sgad.tables")
    return _together("table", own, [kind for analysis in analyses().values() for kind in analysis.tables])


def figures() -> dict[str, FigureKind]:
    """Every figure: those of `sgad.reporting.figures`, entry points `sgad.figures`, plugins, and those of the analyses."""
    own = declared(FigureKind, "sgad.reporting.figures", "sgad.figures")
    return _together("figure", own, [kind for analysis in analyses().values() for kind in analysis.figures])


def analysis_pictures() -> tuple[str, ...]:
    """The names of the files that analyses draw into a run's folder."""
    return tuple(dict.fromkeys(name for analysis in analyses().values() for name in analysis.pictures))


def analysis_of(key: str) -> Analysis:
    """The analysis of this key; InputError for an unknown one."""
    return _known("analysis", key, analyses())


def table_of(key: str) -> TableKind:
    """The table of this key; InputError for an unknown one."""
    return _known("table", key, tables())


def figure_of(key: str) -> FigureKind:
    """The figure of this key; InputError for an unknown one."""
    return _known("figure", key, figures())


def _together(word: str, own: Mapping[str, Shown], of_analyses: Iterable[Shown]) -> dict[str, Shown]:
    found = dict(own)
    for kind in of_analyses:
        if found.setdefault(kind.key, kind) is not kind:
            raise InputError(f"{word} {kind.key!r} is declared twice; rename one of them")
    return found


def _known(word: str, key: str, known: Mapping[str, Kind]) -> Kind:
    if key not in known:
        raise InputError(f"{word} {key!r} is unknown{nearest(key, known)}; known are {', '.join(known)}")
    return known[key]
