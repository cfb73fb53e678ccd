"""Save an experiment's tables as CSV, Markdown and LaTeX."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sgad.catalogue.declarations import function_of
from sgad.catalogue.lookup import table_of
from sgad.display.formats import TableFile, to_latex, to_markdown
from sgad.machine.files import write_text
from sgad.store.stored import Stored, read_stored
from sgad.store.summary import summarise

if TYPE_CHECKING:
    import pandas as pd

    from sgad.config.experiment import ExperimentConfig


def write_tables(experiment: "ExperimentConfig", results_dir: Path | str = "results") -> list[Path]:
    """Write the experiment's tables as tables/NAME.{csv,md,tex} from the stored CSV files; return their paths."""
    return save_tables(read_stored(results_dir, experiment.name), experiment.tables)


def save_tables(stored: Stored, names: Sequence[str], summary: "pd.DataFrame | None" = None) -> list[Path]:
    """Build and save the named tables of a stored experiment.

    Raises
    ------
    InputError
        If a table is not in the catalogue; nothing is written then.
    """
    kinds = [table_of(name) for name in names]
    if summary is None:
        summary = summarise(stored.metrics, stored.runs)
    written: list[Path] = []
    for kind in kinds:
        written += _save(function_of(kind.build)(stored, summary), stored.out / "tables", kind.key)
    return written


def _save(made: TableFile, folder: Path, name: str) -> list[Path]:
    texts = {
        "csv": made.csv,
        "md": "\n".join(to_markdown(table) for table in made.tables),
        "tex": "\n".join(to_latex(table) for table in made.tables),
    }
    for suffix, text in texts.items():
        write_text(folder / f"{name}.{suffix}", text)
    return [folder / f"{name}.{suffix}" for suffix in texts]
