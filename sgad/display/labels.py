"""How models and variants are called in figures: as short as tells them apart."""

from typing import TYPE_CHECKING

from sgad.catalogue.metrics import MetricInfo
from sgad.display.findings import models_of
from sgad.store.stored import Captions, model_title

if TYPE_CHECKING:
    import pandas as pd

Cell = tuple[str, str]


def model_labels(frame: "pd.DataFrame", captions: Captions) -> dict[Cell, str]:
    """A label for each (model, variant) of a frame: "SGAD", "SGAD (stable)", "SGAD (stable+tau=4)".

    The recipe stands where the frame holds several; what is joined to it where a model has several variants of it.
    """
    cells = models_of(frame)
    several_recipes = len({variant.partition("+")[0] for _, variant in cells}) > 1
    return {cell: model_title(captions, cell[0]) + _bracket(cell, cells, several_recipes) for cell in cells}


def _bracket(cell: Cell, cells: list[Cell], several_recipes: bool) -> str:
    model, variant = cell
    recipe, *changes = variant.split("+")
    siblings = [other.split("+") for name, other in cells if name == model and other.partition("+")[0] == recipe]
    # What all of them have in common tells nothing apart.
    own = [change for change in changes if any(change not in sibling for sibling in siblings)]
    if several_recipes:
        return f" ({'+'.join([recipe, *own])})"
    return f" ({'+'.join(own) or recipe})" if len(siblings) > 1 else ""


def label_runs(frame: "pd.DataFrame", captions: Captions) -> "pd.Series[str]":
    """The label of each row's model and variant."""
    labels = model_labels(frame, captions)
    return frame[["model", "variant"]].apply(lambda row: labels[row["model"], row["variant"]], axis=1)


def heading(metric: MetricInfo) -> str:
    """A metric's label with the direction in which it improves."""
    unit = f" [{metric.unit}]" if metric.unit else ""
    return f"{metric.label}{unit} {'↑' if metric.higher_is_better else '↓'}"
