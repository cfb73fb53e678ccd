"""The results in README.md: tables of stored experiments between two markers, so that no number there is typed by hand.

`make readme` writes them, and the reference's Markdown tables; a
test fails while README.md says anything else than the stored results do.
"""

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sgad.config.experiment import load_experiment
from sgad.display.captions import data_caption, sentences, set_aside_caption
from sgad.display.formats import Cell, Column, Table, to_markdown
from sgad.errors import InputError
from sgad.machine.files import write_text
from sgad.reporting.tables.results import MEANS, OTHER_PROTOCOL, comparability, results_tables
from sgad.reporting.tables.save import save_tables
from sgad.store.publish import keep_tables
from sgad.store.reference import reference_names
from sgad.store.stored import METRICS, REFERENCE, Stored, read_folder
from sgad.store.summary import summarise

#: The same tables with everything that their captions say.
PROTOCOLS = "tables/results.md"
#: Columns of measures in README; the others are a click away.
MEASURES = 3
#: Heading of the block of other people's figures.
REPORTED = "reported by others"
_BLOCK = re.compile(r"(<!-- results: ([\w ]+) -->\n).*?(<!-- end of results -->)", re.DOTALL)


def fill_readme(text: str, results_dir: Path | str = "results") -> str:
    """A README with its block `<!-- results: E1 E2 -->` filled from the named experiments that are stored.

    Raises
    ------
    InputError
        If there is no such block.
    """
    if not _BLOCK.search(text):
        raise InputError("README.md has no lines `<!-- results: NAME ... -->` and `<!-- end of results -->`; add them")
    return _BLOCK.sub(lambda found: f"{found[1]}\n{results_block(found[2].split(), results_dir)}\n{found[3]}", text)


def results_block(experiments: Sequence[str], results_dir: Path | str = "results") -> str:
    """The result tables of the experiments in Markdown; one that the reference does not have is left out."""
    # Never own results: README says what comes with the repository.
    folders = [Path(results_dir) / REFERENCE / name for name in experiments]
    stored = [read_folder(folder) for folder in folders if (folder / METRICS).is_file()]
    return "\n".join(part for each in stored for part in _tables(each))


def _tables(stored: Stored) -> Iterator[str]:
    """Yield the small results table of each data set, the reported figures apart, and a link to the rest."""
    summary = summarise(stored.metrics, stored.runs)
    tables = results_tables(summary, stored.runs, stored.captions)
    for dataset, whole in zip(dict.fromkeys(stored.runs["dataset"]), tables, strict=True):
        table = _glance(whole)
        caption = sentences(
            [
                MEANS,
                data_caption(stored.captions, dataset, stored.runs),
                f"{OTHER_PROTOCOL} by another protocol" if _is_marked(table) else "",
                set_aside_caption(summary[summary["dataset"] == dataset]),
            ]
        )
        yield to_markdown(replace(table, caption=caption))
        reported = _reported(whole, comparability(stored.metrics))
        if reported is not None:
            yield to_markdown(reported)
        if (stored.folder / PROTOCOLS).is_file():
            what = "All measures, and how each was taken" + (", and whose the reported figures are" if reported else "")
            yield f"[{what}](results/reference/{stored.folder.name}/{PROTOCOLS}).\n"


def _glance(table: Table) -> Table:
    """The rows that were computed here and the marks for scale, with few columns: no wider than a page."""
    measured = [index for index, column in enumerate(table.columns) if column.is_number and column.heading != "T"]
    shown = [index for index in measured if table.columns[index].group != "reported"][:MEASURES]
    kept = [
        index
        for index, column in enumerate(table.columns)
        if index in shown or column.heading in ("model", "variant", "T", "runs")
    ]
    blocks = [(heading, rows) for heading, rows in table.blocks if heading != REPORTED]
    narrow = _with_columns(replace(table, blocks=blocks), [index for index in kept if not _is_constant(table, index)])
    return replace(narrow, columns=[replace(column, group="") for column in narrow.columns])


def _reported(table: Table, caption: str) -> Table | None:
    """Other people's figures, in a table of their own; None where there are none."""
    blocks = [("", rows) for heading, rows in table.blocks if heading == REPORTED]
    if not blocks:
        return None
    kept = [
        index
        for index, column in enumerate(table.columns)
        if column.group == "reported" or column.heading in ("model", "family", "T")
    ]
    narrow = _with_columns(replace(table, blocks=blocks), kept)
    columns = [replace(column, group="") for column in narrow.columns]
    return replace(
        narrow, title=f"Reported by others: {table.title.removeprefix('Results on ')}", columns=columns, caption=caption
    )


def _with_columns(table: Table, kept: Sequence[int]) -> Table:
    return replace(
        table,
        columns=[table.columns[index] for index in kept],
        blocks=[(heading, [_select(row, kept) for row in rows]) for heading, rows in table.blocks],
    )


def _is_marked(table: Table) -> bool:
    return any(cell.text.endswith(OTHER_PROTOCOL) for _, rows in table.blocks for row in rows for cell in row)


def _is_constant(table: Table, index: int) -> bool:
    column: Column = table.columns[index]
    if column.heading not in ("variant", "family"):
        return False
    texts = {row[index].text for _, rows in table.blocks for row in rows}
    return len(texts - {"–"}) <= 1


def _select(row: Sequence[Cell], kept: Sequence[int]) -> list[Cell]:
    return [row[index] for index in kept]


def reference_tables(name: str, results_dir: Path | str, out: Path) -> list[Path]:
    """Make the tables of a reference experiment in `out`; return the files written."""
    stored = read_folder(Path(results_dir) / REFERENCE / name, out)
    return save_tables(stored, load_experiment(name).tables)


def main(readme: Path) -> None:
    """Fill README.md, and write the Markdown tables of the reference again."""
    results = readme.parent / "results"
    for name in reference_names(results):
        with tempfile.TemporaryDirectory() as folder:
            keep_tables(reference_tables(name, results, Path(folder)), results / REFERENCE / name)
    write_text(readme, fill_readme(readme.read_text(encoding="utf-8"), results))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "README.md"))
