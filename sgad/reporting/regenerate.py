"""Tables, figures and report again, from the stored files and small pictures alone: no torch, few seconds."""

import gc
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from sgad.store.stored import stored_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sgad.config.experiment import ExperimentConfig


def regenerate(experiment: "ExperimentConfig", results_dir: Path | str = "results") -> list[Path]:
    """Make the tables, figures and report.html of a collected experiment, or of the reference, again; return the files written.

    A second process draws part of the figures from the start: importing pandas and matplotlib takes as long
    as drawing.

    Raises
    ------
    InputError
        If the experiment was never collected and the reference does not have it.
    """
    stored_folder(results_dir, experiment.name)
    pool = ProcessPoolExecutor(1, get_context("spawn"))
    try:
        theirs = pool.submit(_draw, results_dir, experiment.name, experiment.figures, True)
        with _quick_garbage():
            return _tables_figures_page(experiment, results_dir, theirs)
    finally:
        # Not awaited: it takes the other process a quarter of a second to leave.
        pool.shutdown(wait=False, cancel_futures=True)


def _tables_figures_page(
    experiment: "ExperimentConfig", results_dir: Path | str, theirs: "Future[list[Path]]"
) -> list[Path]:
    # Imported only here: the second process is on its way meanwhile.
    from sgad.reporting.page.report import save_report
    from sgad.reporting.tables.save import save_tables
    from sgad.store.stored import read_stored
    from sgad.store.summary import summarise

    stored = read_stored(results_dir, experiment.name)
    summary = summarise(stored.metrics, stored.runs)
    written = save_tables(stored, experiment.tables, summary)
    written += _draw(results_dir, experiment.name, experiment.figures, False)
    written += theirs.result()
    return [*written, save_report(stored, summary)]


def _draw(results_dir: Path | str, name: str, kinds: "Sequence[str]", is_second: bool) -> list[Path]:
    with _quick_garbage():
        from sgad.reporting.figures.save import figure_jobs, save_figures
        from sgad.store.stored import read_stored

        stored = read_stored(results_dir, name)
        mine, second = _shares(figure_jobs(stored, kinds))
        return save_figures(stored, second if is_second else mine)


@contextmanager
def _quick_garbage() -> Iterator[None]:
    """Do not search for garbage while hundreds of modules are imported, nor among them when the process ends.

    Both searches find nothing and take 0.1 and 0.2 s.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def _shares(jobs: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Split the figures: bars stay with the tables, since they alone need seaborn; the rest is shared out."""
    bars = [job for job in jobs if job[0] == "bars"]
    others = [job for job in jobs if job[0] != "bars"]
    second = others[:3] + others[4::2]
    return bars + [job for job in others if job not in second], second
