"""The forms of declarations."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Network:
    """A feature network that metrics are made of: `where` and `within` name it in labels, `suffix` in keys.

    `files`: what it needs of a data set's folder, below DATA/DATASET.
    """

    key: str
    kind: str
    where: str
    within: str
    suffix: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class MetricName:
    """How a metric is named on one kind of network: patterns with {network}, {suffix}, {where} and {within}."""

    key: str
    label: str
    decimals: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """A number made of generated and reference images: a row of metrics.json for each network that it is asked for.

    Attributes
    ----------
    compute
        Takes a `sgad.measures.quantities.Comparison` (features of both sets) and returns a `sgad.measures.estimate.Estimate`;
        ValueError if it cannot be had.
    names
        Kind of network -> the metric's name on it; every network by default, as KEY_NETWORK.
    short
        What users may write instead -> which networks that means: "extractor" for the chosen one, "inception" for the one of
        the chosen protocol, or the networks' keys. By default, the key means the chosen network's.
    held_out
        Network -> the metric's key against held-out training images.
    """

    key: str
    label: str
    about: str
    higher_is_better: bool
    compute: Function
    decimals: int = 3
    unit: str = ""
    names: Mapping[str, MetricName] | None = None
    short: Mapping[str, str | tuple[str, ...]] | None = None
    held_out: Mapping[str, str] = field(default_factory=dict)
    place: int = LAST


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
