"""The verdict of `sgad verify` as a table, for the terminal, as files and as a section of the page."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sgad.catalogue.metrics import metric_info
from sgad.display.formats import ABSENT, Cell, Column, Table, to_markdown
from sgad.errors import InputError
from sgad.machine.files import write_text
from sgad.names import label_of
from sgad.store.stored import Stored, read_folder, reference_folder, rows_of
from sgad.store.verify import LEVEL, Agreement, Verification, compare

CAPTION = (
    "Own results against the reference. Difference: mean of the own seeds minus mean of the reference's, with its 95 % interval"
    f" and p (two-sample t test, pooled variance; different where p after Holm's correction over all cells is below {LEVEL})."
    " Baselines have no seeds: only rounding may move them."
)


def save_verification(found: Verification, folder: Path) -> list[Path]:
    """Write verify.csv and verify.md into an experiment's folder; return their paths."""
    text = found.rows.to_csv(index=False, lineterminator="\n")
    table = verification_table(found)
    written = [folder / "verify.csv", folder / "verify.md"]
    for path, content in zip(written, (text, to_markdown(table)), strict=True):
        write_text(path, content)
    return written


def differing_lines(found: Verification) -> Iterator[str]:
    """One line for each value that is different, with both numbers."""
    for row in rows_of(found.rows[found.rows["agreement"] == str(Agreement.DIFFERENT)]):
        run = " ".join(str(part) for part in (row.dataset, row.model, row.variant) if part)
        seed = f" seed {row.seed}" if row.seed != "" else ""
        p = f", p = {row.p_adjusted:.2g} corrected" if math.isfinite(row.p_adjusted) else ""
        reason = f" ({row.reason})" if row.reason else ""
        yield f"different: {run}{seed} {row.metric}: {row.value:.6g}, the reference has {row.reference:.6g}{p}{reason}"


def verification_table(found: Verification) -> Table:
    """Every value with the reference's and its verdict; one block a data set."""
    headings = (
        "model",
        "variant",
        "seed",
        "measure",
        "own",
        "reference",
        "verdict",
        "difference",
        "95 % interval",
        "p",
        "p (Holm)",
    )
    numbers = ("seed", "own", "reference", "difference", "p", "p (Holm)")
    blocks = []
    for dataset, verdict in found.by_dataset().items():
        rows = rows_of(found.rows[found.rows["dataset"] == dataset])
        blocks.append((f"{dataset}: {verdict}", [_cells(row) for row in rows]))
    return Table(
        key="verify",
        title=f"{found.experiment} {found.verdict()}",
        columns=[Column(name, is_number=name in numbers) for name in headings],
        blocks=blocks,
        caption=CAPTION,
    )


def _cells(row: Any) -> list[Cell]:
    info = metric_info(row.metric)
    interval = f"{row.low:.3g} to {row.high:.3g}" if math.isfinite(row.low) else ABSENT
    return [
        Cell(label_of("model", row.model)),
        Cell(row.variant or ABSENT),
        Cell(str(row.seed) if row.seed != "" else ABSENT),
        Cell(info.label),
        *(Cell(_number(value, f".{info.decimals}f")) for value in (row.value, row.reference)),
        Cell(f"{row.agreement} ({row.reason})" if row.reason else row.agreement),
        Cell(_number(row.difference, ".3g")),
        Cell(interval),
        *(Cell(_number(value, ".2g")) for value in (row.p, row.p_adjusted)),
    ]


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else ABSENT


def page_section(stored: Stored) -> dict[str, Any] | None:
    """What the page says of own results beside the reference; None for the reference itself or where there is none."""
    reference = reference_folder(stored.folder.parents[1], stored.folder.name)
    if stored.made_in != stored.folder or reference is None:
        return None
    try:
        found = compare(stored, read_folder(reference))
    except InputError as error:
        return {"verdict": f"cannot be compared with the reference: {error}", "table": None, "reproduces": False}
    table = verification_table(found)
    return {"verdict": found.verdict(), "table": table, "reproduces": found.reproduces}
