"""What an analysis finds: rows of one form for all claims, and the files that hold a run's."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from sgad.machine.files import write_text

#: Of a run folder; it holds NAME.csv for each analysis, so that experiments may share runs and ask for different ones.
FOLDER = "analyses"


class Finding(BaseModel):
    """One number of one run. `value` None: `status` says why there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: str = Field(min_length=1, description="what was measured")
    part: str = Field("", description="of what: a layer, a pair of image sets, a yardstick")
    position: float | None = Field(None, description="time step from 1, lower edge of a histogram bin, class")
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = Field(None, description="images, pairs or stimuli behind the value")
    protocol: str = ""
    status: str = "computed"


COLUMNS = ("analysis", *Finding.model_fields)


def missing(quantity: str, reason: str, protocol: str = "") -> Finding:
    """The row of something that could not be computed, with the reason."""
    return Finding(quantity=quantity, protocol=protocol, status=f"not computed: {reason}")


def write_findings(folder: Path, found: Mapping[str, Iterable[Finding]]) -> None:
    """Write the findings of one run as folder/ANALYSIS.csv; numbers in full, absent ones as empty cells.

    Raises
    ------
    ValueError
        If a value is not finite: such a row needs a status instead.
    """
    for analysis, findings in found.items():
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for finding in findings:
            if finding.value is not None and not math.isfinite(finding.value):
                raise ValueError(f"{analysis}: {finding.quantity} of {finding.part or 'the run'} is {finding.value}")
            cells = finding.model_dump()
            writer.writerow([analysis, *("" if cells[name] is None else cells[name] for name in COLUMNS[1:])])
        write_text(folder / f"{analysis}.csv", text.getvalue())
