"""Save an experiment's figures as SVG and PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sgad.catalogue.declarations import function_of
from sgad.catalogue.lookup import figure_of
from sgad.display.plotting import paper_style, save_figure
from sgad.store.stored import Stored, read_stored

if TYPE_CHECKING:
    from sgad.config.experiment import ExperimentConfig


def write_figures(experiment: "ExperimentConfig", results_dir: Path | str = "results") -> list[Path]:
    """Draw the experiment's figures into figures/; return the files written."""
    stored = read_stored(results_dir, experiment.name)
    return save_figures(stored, figure_jobs(stored, experiment.figures))


def figure_jobs(stored: Stored, kinds: Sequence[str]) -> list[tuple[str, str]]:
    """(kind, data set) of every figure asked for."""
    return [(kind, dataset) for dataset in dict.fromkeys(stored.runs["dataset"]) for kind in kinds]


def save_figures(stored: Stored, jobs: Sequence[tuple[str, str]]) -> list[Path]:
    """Save figures/KIND-DATASET.{svg,png}; one with nothing to show is left out, an old one removed.

    Raises
    ------
    InputError
        If a figure is not in the catalogue; nothing is drawn then.
    """
    kinds = {kind: function_of(figure_of(kind).draw) for kind, _ in jobs}
    written: list[Path] = []
    # The workflow waits for the folder, even if there is nothing to draw.
    (stored.out / "figures").mkdir(parents=True, exist_ok=True)
    for kind, dataset in jobs:
        stem = stored.out / "figures" / f"{kind}-{dataset}"
        with paper_style():
            figure = kinds[kind](stored, dataset)
        if figure is None:
            for suffix in (".svg", ".png"):
                (stem.parent / f"{stem.name}{suffix}").unlink(missing_ok=True)
        else:
            written += save_figure(figure, stem)
    return written
