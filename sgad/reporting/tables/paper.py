"""The paper's table: FID on MNIST, FashionMNIST, CIFAR-10 and CelebA, as reported, above what was reproduced here."""

from typing import TYPE_CHECKING

from sgad.catalogue import TableKind
from sgad.catalogue.metrics import metric_info
from sgad.display.captions import dataset_title, recipe_note, sentences
from sgad.display.formats import ABSENT, Cell, Column, Table, TableFile, to_csv
from sgad.names import label_of
from sgad.store.reported import Reported, read_reported
from sgad.store.stored import Captions, Stored, model_title, rows_of
from sgad.store.summary import is_baseline

if TYPE_CHECKING:
    import pandas as pd

DATASETS = ("mnist", "fashion_mnist", "cifar10", "celeba")
#: Frechet distances, from the paper's own downwards; each has its own columns.
DISTANCES = ("fid_inception_clean", "fad_fsvae", "fad_eval", "cfd")


def paper_table(summary: "pd.DataFrame", runs: "pd.DataFrame", captions: Captions) -> Table:
    """Reported rows above reproduced ones; no column holds both, and no column two protocols."""
    figures = [figure for figure in read_reported() if figure.metric == "fid" and figure.dataset in DATASETS]
    models = summary[~summary["model"].map(is_baseline) & (summary["n"] > 0)]
    reproduced = [
        (dataset, metric)
        for metric in DISTANCES
        for dataset in dict.fromkeys(models["dataset"])
        if ((models["dataset"] == dataset) & (models["metric"] == metric)).any()
    ]
    columns = [Column("model"), Column("variant"), Column("family"), Column("T", is_number=True)]
    columns += [Column(label_of("dataset", dataset), "FID, reported by others", True) for dataset in DATASETS]
    columns += [
        Column(f"{metric_info(metric).label}, {label_of('dataset', dataset)}", "reproduced here", True)
        for dataset, metric in reproduced
    ]
    variants = list(dict.fromkeys(runs["variant"]))
    named = [f"{label_of('dataset', key)} is {dataset_title(captions, key)}" for key in dict.fromkeys(runs["dataset"])]
    sources = dict.fromkeys(figure.source for figure in figures)
    ways = dict.fromkeys(f"{row.metric} on {row.dataset} by {row.protocol}" for row in rows_of(models))
    wanted = {metric for _, metric in reproduced}
    return Table(
        key="paper",
        title="FID on MNIST, FashionMNIST, CIFAR-10 and CelebA",
        columns=columns,
        blocks=[
            ("reported by others", _reported(figures, len(reproduced))),
            ("reproduced here", _reproduced(models, captions, reproduced)),
        ],
        caption=sentences(
            [
                f"Reported figures are other people's, by protocols of their own: {'; '.join(sources)}",
                "Reproduced figures are means over seeds, and comparable with each other only within a column",
                "; ".join(named),
                recipe_note(captions, variants),
                "; ".join(way for way in ways if way.split(" on ")[0] in wanted),
            ]
        ),
    )


def _reported(figures: list[Reported], further: int) -> list[list[Cell]]:
    values: dict[tuple[str, str, str], dict[str, str]] = {}
    for figure in figures:
        values.setdefault((figure.model, figure.family, figure.time_steps), {})[figure.dataset] = figure.value
    return [
        [
            Cell(model),
            Cell(ABSENT),
            Cell(label_of("family", family)),
            Cell(steps or ABSENT),
            *(Cell(found.get(dataset, ABSENT)) for dataset in DATASETS),
            *[Cell(ABSENT)] * further,
        ]
        for (model, family, steps), found in values.items()
    ]


def _reproduced(models: "pd.DataFrame", captions: Captions, columns: list[tuple[str, str]]) -> list[list[Cell]]:
    means = {(row.model, row.variant, row.dataset, row.metric): row.mean for row in rows_of(models)}
    firsts = models.drop_duplicates(["model", "variant"])
    return [
        [
            Cell(model_title(captions, row.model)),
            Cell(row.variant),
            Cell(label_of("family", row.family)),
            Cell(str(row.time_steps)),
            *[Cell(ABSENT)] * len(DATASETS),
            *(
                Cell(f"{mean:.2f}" if (mean := means.get((row.model, row.variant, *column))) is not None else ABSENT)
                for column in columns
            ),
        ]
        for row in rows_of(firsts)
    ]


def paper_csv(table: Table) -> str:
    """The table as it stands; results.csv holds the same numbers unrounded, with their protocols."""
    headings = [f"{column.group}: {column.heading}" if column.group else column.heading for column in table.columns]
    rows = [
        [name, *("" if cell.text == ABSENT else cell.text for cell in row)]
        for name, block in table.blocks
        for row in block
    ]
    return to_csv(["rows", *headings], rows)


def build_paper(stored: Stored, summary: "pd.DataFrame") -> TableFile:
    """One table of all data sets."""
    table = paper_table(summary, stored.runs, stored.captions)
    return TableFile([table], paper_csv(table))


PAPER = TableKind(key="paper", build=build_paper, place=5)
