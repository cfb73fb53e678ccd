"""results/index.html: one card an experiment, with a picture, data sets, the best row, seeds and date, and a link to its page."""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgad.errors import InputError, SgadError, nearest
from sgad.machine.files import write_text
from sgad.machine.progress import Progress
from sgad.store.reference import reference_names
from sgad.store.stored import METRICS, Stored, experiment_folder, read_stored, rows_of, run_name

if TYPE_CHECKING:
    import pandas as pd

INDEX = "index.html"


@dataclass(frozen=True)
class Best:
    """The best row of a data set by its first measure: text for a card, and the run whose picture is shown."""

    dataset: str
    label: str
    value: str
    metric: str
    #: Whether it and another row have seeds enough for a verdict; else it only leads.
    is_told: bool
    picture: Path


def write_reports(names: Sequence[str] = (), results_dir: Path | str = "results", processes: int = 2) -> Path:
    """Make the pages of stored experiments and the index of all; return the index's path.

    Parameters
    ----------
    names
        Which pages to make; by default those of all stored experiments, own ones and the reference's.

    Raises
    ------
    InputError
        If nothing is stored, or not under a name.
    """
    known = stored_names(results_dir)
    if not known:
        raise InputError(f"{results_dir} holds no stored experiment; run `make quick`, or get results/reference")
    for name in names:
        if name not in known:
            raise InputError(f"nothing is stored of {name!r}{nearest(name, known)}; stored are {', '.join(known)}")
    wanted = list(names) or known
    pool = ProcessPoolExecutor(min(processes, len(wanted)), get_context("spawn"))
    with Progress(len(wanted), title="reports", unit="pages") as progress, pool:
        for name in pool.map(_make, wanted, [str(results_dir)] * len(wanted)):
            progress.update(1, name)
    path = Path(results_dir) / INDEX
    write_text(path, build_index([read_stored(results_dir, name) for name in known], path.parent))
    return path


def stored_names(results_dir: Path | str = "results") -> list[str]:
    """Sorted names of all experiments with stored results, own or the reference's."""
    own = [path.parent.name for path in (Path(results_dir) / "experiments").glob(f"*/{METRICS}")]
    return sorted({*own, *reference_names(results_dir)})


def _make(name: str, results_dir: str) -> str:
    from sgad.config.experiment import load_experiment
    from sgad.reporting.figures.save import figure_jobs, save_figures
    from sgad.reporting.page.report import save_report
    from sgad.reporting.tables.save import save_tables
    from sgad.store.summary import summarise

    experiment = load_experiment(name)
    stored = read_stored(results_dir, name)
    summary = summarise(stored.metrics, stored.runs)
    save_tables(stored, experiment.tables, summary)
    save_figures(stored, figure_jobs(stored, experiment.figures))
    save_report(stored, summary)
    return name


def build_index(experiments: Sequence[Stored], folder: Path) -> str:
    """The index page as HTML; links and pictures are relative to `folder`, so that it works from disk."""
    from sgad.reporting.page.report import environment, page_style

    return (
        environment()
        .get_template("index.html.j2")
        .render(cards=[_card(stored, folder) for stored in experiments], style=page_style())
    )


def _card(stored: Stored, folder: Path) -> dict[str, Any]:
    from sgad.display.captions import dataset_title
    from sgad.store.summary import summarise

    summary = summarise(stored.metrics, stored.runs)
    best = [found for name in dict.fromkeys(stored.runs["dataset"]) if (found := best_of(stored, summary, name))]
    completed = int((stored.runs["status"] == "completed").sum())
    return {
        "name": stored.captions["experiment"],
        "title": stored.captions["title"],
        "datasets": "; ".join(dataset_title(stored.captions, found) for found in dict.fromkeys(stored.runs["dataset"])),
        "best": best,
        "picture": _relative(best[0].picture, folder) if best else "",
        "runs": f"{completed} of {len(stored.runs)} runs completed, {stored.runs['seed'].nunique()} seeds",
        "date": _date(stored),
        "is_reference": stored.folder != experiment_folder(folder, stored.folder.name),
        "page": _relative(stored.out / "report.html", folder),
    }


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/") if path.is_file() else ""


def best_of(stored: Stored, summary: "pd.DataFrame", dataset: str) -> Best | None:
    """The best row of a data set by its first measure; rows of several seeds go before single runs."""
    from sgad.catalogue.metrics import metric_info
    from sgad.display.labels import model_labels
    from sgad.reporting.tables.results import spread_text
    from sgad.store.comparisons import MIN_SEEDS
    from sgad.store.summary import is_baseline

    here = summary[(summary["dataset"] == dataset) & ~summary["model"].map(is_baseline) & (summary["n"] > 0)]
    if here.empty:
        return None
    metric = metric_info(str(here["metric"].iloc[0]))
    rows = here[here["metric"] == metric.key]
    rows = rows[rows["n"] > 1] if (rows["n"] > 1).any() else rows
    row = rows_of(rows.sort_values("mean", ascending=not metric.higher_is_better))[0]
    runs = stored.runs
    seeds = runs[(runs["dataset"] == dataset) & (runs["model"] == row.model) & (runs["variant"] == row.variant)]["seed"]
    return Best(
        dataset=dataset,
        label=model_labels(here, stored.captions)[row.model, row.variant],
        value=spread_text(row.mean, row.std if math.isfinite(row.std) else 0.0, row.n, metric),
        metric=metric.label,
        is_told=row.n >= MIN_SEEDS and (rows["n"] >= MIN_SEEDS).sum() > 1,
        picture=stored.picture(run_name(dataset, row.model, row.variant, int(seeds.iloc[0]))),
    )


def _date(stored: Stored) -> str:
    """The day on which the last run ended; "" where no record says."""
    from sgad.store.provenance import read_provenance

    try:
        runs = read_provenance(stored.folder)["runs"].values()
    except SgadError:
        return ""
    return max((str(run["record"].get("ended") or "")[:10] for run in runs), default="")
