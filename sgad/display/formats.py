"""One table, three formats: Markdown, LaTeX (booktabs), CSV. Cells are plain text; each format escapes."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = "–"
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "–": "--",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "∞": r"$_\infty$",
    "×": r"$\times$",
    "†": r"\textdagger{}",
}
_MARKDOWN = {
    "\\": "\\\\",
    "|": r"\|",
    "<": "&lt;",
    ">": "&gt;",
    "*": r"\*",
    "_": r"\_",
    "`": r"\`",
    "[": r"\[",
    "]": r"\]",
}


@dataclass(frozen=True)
class Cell:
    """One cell: its text, and whether it is the best of its column."""

    text: str
    is_best: bool = False


@dataclass(frozen=True)
class Column:
    """One column: its heading, the group above it, and whether it holds numbers."""

    heading: str
    group: str = ""
    is_number: bool = False


@dataclass(frozen=True)
class Table:
    """A table as people read it; `blocks` are groups of rows, each with a heading, a rule between them."""

    key: str
    title: str
    columns: Sequence[Column]
    blocks: Sequence[tuple[str, Sequence[Sequence[Cell]]]]
    caption: str


@dataclass(frozen=True)
class TableFile:
    """What tables/NAME.{csv,md,tex} hold: the tables that people read, and the numbers in full precision as CSV."""

    tables: Sequence[Table]
    csv: str


def to_markdown(table: Table) -> str:
    """GitHub's Markdown: a heading, the table, the caption below it."""
    headings = [_markdown(_full_heading(column)) for column in table.columns]
    lines = [f"### {_markdown(table.title)}", "", _markdown_row(headings)]
    lines.append(_markdown_row(["---:" if column.is_number else ":---" for column in table.columns]))
    for heading, rows in table.blocks:
        if heading and len(table.blocks) > 1:
            lines.append(_markdown_row([f"*{_markdown(heading)}*"] + [""] * (len(table.columns) - 1)))
        lines += [_markdown_row([_markdown_cell(cell) for cell in row]) for row in rows]
    return "\n".join([*lines, "", _markdown(table.caption), ""])


def to_latex(table: Table) -> str:
    """A booktabs table environment, for two columns of a two-column paper."""
    alignment = "".join("r" if column.is_number else "l" for column in table.columns)
    lines = [
        r"% needs \usepackage{booktabs,graphicx}",
        r"\begin{table*}",
        r"\centering\small",
        rf"\caption{{{_latex(table.title)}. {_latex(table.caption)}}}",
        rf"\label{{tab:{table.key}}}",
        # Never wider than the page, never blown up to its width.
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        *_latex_groups(table.columns),
        " & ".join(_latex(column.heading) for column in table.columns) + r" \\",
    ]
    for heading, rows in table.blocks:
        lines.append(r"\midrule")
        if heading and len(table.blocks) > 1:
            lines.append(rf"\multicolumn{{{len(table.columns)}}}{{l}}{{\emph{{{_latex(heading)}}}}} \\")
        lines += [" & ".join(_latex_cell(cell) for cell in row) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table*}", ""])


def to_csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """CSV with full precision; None and NaN as empty cells."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["" if _is_missing(cell) else cell for cell in row] for row in rows])
    return text.getvalue()


def whole_text(value: Any) -> str:
    """A whole number as text, or a dash if it is missing."""
    return ABSENT if str(value) in ("<NA>", "nan", "") else str(int(value))


def _is_missing(cell: object) -> bool:
    # NaN differs from itself; pandas.NA compares to NA.
    return cell is None or str(cell) in ("nan", "<NA>")


def _full_heading(column: Column) -> str:
    return f"{column.heading} ({column.group})" if column.group else column.heading


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown(text: str) -> str:
    return " ".join("".join(_MARKDOWN.get(character, character) for character in text).split())


def _markdown_cell(cell: Cell) -> str:
    return f"**{_markdown(cell.text)}**" if cell.is_best else _markdown(cell.text)


def _latex(text: str) -> str:
    return " ".join("".join(_LATEX.get(character, character) for character in text).split())


def _latex_cell(cell: Cell) -> str:
    return rf"\textbf{{{_latex(cell.text)}}}" if cell.is_best else _latex(cell.text)


def _latex_groups(columns: Sequence[Column]) -> list[str]:
    """A line of group headings over their columns, with a rule under each; nothing without groups."""
    spans: list[tuple[str, int, int]] = []
    for index, column in enumerate(columns, start=1):
        if spans and spans[-1][0] == column.group:
            spans[-1] = (column.group, spans[-1][1], index)
        else:
            spans.append((column.group, index, index))
    if not any(group for group, _, _ in spans):
        return []
    heads = " & ".join(rf"\multicolumn{{{last - first + 1}}}{{c}}{{{_latex(group)}}}" for group, first, last in spans)
    rules = "".join(rf"\cmidrule(lr){{{first}-{last}}}" for group, first, last in spans if group)
    return [heads + r" \\", rules]
