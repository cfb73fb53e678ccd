"""report.html: one file with everything in it, which asks nothing of any network."""

from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup, escape

from sgad._version import __version__
from sgad.catalogue import lookup
from sgad.catalogue.metrics import metric_info
from sgad.display.captions import (
    data_caption,
    dataset_title,
    endings_text,
    recipe_note,
)
from sgad.display.formats import Column
from sgad.machine.files import write_text
from sgad.reporting.page.data import (
    Embedder,
    curves_of,
    downloads,
    models_of,
    run_rows,
    samples_of,
    script_json,
)
from sgad.reporting.page.verdicts import verdicts
from sgad.reporting.tables.results import results_table
from sgad.reporting.verification import page_section
from sgad.store.publish import remarks_of
from sgad.store.reported import REPORTED_LABELS, reported_for
from sgad.store.stored import Stored, read_stored, rows_of
from sgad.store.summary import ENDINGS, summarise

if TYPE_CHECKING:
    import pandas as pd

    from sgad.config.experiment import ExperimentConfig

TEMPLATES = Path(__file__).with_name("templates")
#: Of all pictures in the page together, shared between the data sets; further ones are linked.
PICTURE_BYTES = 4_000_000


def write_report(experiment: "ExperimentConfig", results_dir: Path | str = "results") -> Path:
    """Write results/experiments/E/report.html from the stored files, tables and figures that there are."""
    stored = read_stored(results_dir, experiment.name)
    return save_report(stored, summarise(stored.metrics, stored.runs))


def save_report(stored: Stored, summary: "pd.DataFrame") -> Path:
    """Build and save the page of a stored experiment."""
    path = stored.out / "report.html"
    write_text(path, build_page(stored, summary))
    return path


def build_page(stored: Stored, summary: "pd.DataFrame") -> str:
    """The page as HTML. Text from files is escaped; only our own style sheet and scripts are not."""
    names = list(dict.fromkeys(stored.runs["dataset"]))
    pictures = [Embedder(stored.out, PICTURE_BYTES // len(names)) for _ in names]
    datasets = [_dataset(stored, summary, *pair) for pair in zip(names, pictures, strict=True)]
    metrics, runs = run_rows(stored)
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            captions=stored.captions,
            is_reference=stored.made_in not in (None, stored.folder),
            remarks=remarks_of(stored.folder),
            verification=page_section(stored),
            version=__version__,
            endings=endings_text(stored.runs),
            recipe=recipe_note(stored.captions, list(dict.fromkeys(stored.runs["variant"]))),
            datasets=datasets,
            metrics=metrics,
            runs=runs,
            statuses=[ending for ending in ENDINGS if (stored.runs["status"] == ending).any()],
            failures=[row for row in runs if row["run"].status != "completed"],
            protocols=_protocols(summary),
            reported=_reported(stored),
            linked=[name for embedder in pictures for name in embedder.linked],
            tables=downloads(stored.out / "tables", lookup.tables(), ("csv", "md", "tex")),
            curves=Markup(script_json({item["key"]: item["curves"] for item in datasets})),
            style=page_style(),
            library=_asset("vendor/uPlot.iife.min.js"),
            script=_asset("report.js"),
        )
    )
    return page.translate(_CONTROL)


def _dataset(stored: Stored, summary: "pd.DataFrame", name: str, pictures: Embedder) -> dict[str, Any]:
    figures = stored.out / "figures"
    return {
        "key": name,
        "title": dataset_title(stored.captions, name),
        "facts": stored.captions["datasets"].get(name),
        "verdicts": verdicts(summary, stored.captions, name),
        "table": results_table(summary, stored.runs, stored.captions, name),
        "caption": data_caption(stored.captions, name, stored.runs),
        "models": models_of(stored.runs[stored.runs["dataset"] == name], stored.captions),
        "bars": Embedder(stored.out, 1_000_000).address(figures / f"bars-{name}.svg"),
        "seeds": samples_of(stored, name, pictures),
        "curves": curves_of(stored, name),
        "figures": [
            {"title": kind.title, "files": downloads(figures, [f"{kind.key}-{name}"], ["svg", "png"])}
            for kind in lookup.figures().values()
            if (figures / f"{kind.key}-{name}.svg").is_file()
        ],
    }


def _protocols(summary: "pd.DataFrame") -> list[dict[str, str]]:
    """Each metric's protocol for each data set, once."""
    rows = summary[summary["protocol"].notna()].drop_duplicates(["dataset", "metric"])
    return [
        {"dataset": row.dataset, "metric": metric_info(row.metric).label, "protocol": row.protocol}
        for row in rows_of(rows)
    ]


def _reported(stored: Stored) -> list[dict[str, str]]:
    """Where each reported figure comes from and how it was measured, as far as its source says."""
    figures = [figure for name in dict.fromkeys(stored.runs["dataset"]) for figure in reported_for(name)]
    kinds = dict.fromkeys((figure.metric, figure.source, figure.protocol) for figure in figures)
    return [
        {"metric": REPORTED_LABELS[metric], "source": source, "protocol": protocol}
        for metric, source, protocol in kinds
    ]


#: Control characters, which no HTML may hold; names and notes of a user can.
_CONTROL = dict.fromkeys(set(range(32)) - set(b"\t\n\r"))


@cache
def environment() -> jinja2.Environment:
    """The templates of the pages; text is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = lambda value, decimals: f"{value:.{decimals}f}"
    made.filters["breakable"] = _breakable
    made.filters["groups"] = _groups
    made.filters["stem"] = lambda name: Path(name).stem
    return made


def _breakable(label: str) -> Markup:
    """Let a long name of a variant be broken where its parts are joined, not within a word."""
    return escape(label).replace("+", Markup("+<wbr>"))


def _groups(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The groups above a table's columns and how many columns each spans."""
    return [
        {"name": name, "span": len(list(members))} for name, members in groupby(columns, lambda column: column.group)
    ]


def page_style() -> Markup:
    """The style sheets of the pages."""
    return _asset("vendor/uPlot.min.css") + _asset("report.css")


def _asset(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))
