"""history.csv, layers.csv and time_steps.csv: rows every few update pairs, flushed as they come.

On resume they are cut back to the checkpoint.
"""

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from sgad.machine.files import write_failure, write_text

FILE_NAME = "history.csv"
COLUMNS = (
    "step",
    "epoch",
    "loss_discriminator",
    "loss_generator",
    "score_real",
    "score_fake",
    "critic_gap",
    "penalty",
    "firing_rate_generator",
    "firing_rate_discriminator",
    "surrogate_share_generator",
    "surrogate_share_discriminator",
    "gradient_norm_generator",
    "gradient_norm_discriminator",
    "diversity",
    "temporal_inconsistency",
    "images_per_second",
    "seconds",
)

#: One row a layer: where in the networks neurons fire, and where potentials are near the threshold.
LAYERS_FILE = "layers.csv"
LAYER_COLUMNS = ("step", "network", "layer", "firing_rate", "surrogate_share")
#: One row a time step: how far the image made by then is from the last one, and how unlike each other images are.
TIME_STEPS_FILE = "time_steps.csv"
TIME_STEP_COLUMNS = ("step", "time_step", "distance_to_last", "diversity")
FILES = (FILE_NAME, LAYERS_FILE, TIME_STEPS_FILE)

Row = dict[str, float | int | str | None]


def _format(value: float | int | str | None) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


class History:
    """Appends rows to a file of the run folder. Rows after `last_step`, left by a killed process, are dropped first."""

    def __init__(
        self, folder: Path, last_step: int, file_name: str = FILE_NAME, columns: tuple[str, ...] = COLUMNS
    ) -> None:
        self._path, self._columns = folder / file_name, columns
        kept = [row for row in read_rows(self._path) if _step(row) <= last_step]
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(kept)
        write_text(self._path, text.getvalue())
        self._stream = open(self._path, "a", encoding="utf-8", newline="")  # noqa: SIM115 - closed in __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What a full disk did not take at the last append is not tried once more.
        with contextlib.suppress(OSError):
            self._stream.close()

    def append(self, row: Row) -> None:
        """Write one row and hand it to the system at once."""
        try:
            self._stream.write(",".join(_format(row.get(column)) for column in self._columns) + "\n")
            self._stream.flush()
        except OSError as error:
            raise write_failure(self._path, error) from error


@dataclass(frozen=True)
class Histories:
    """The three files of one run, open for writing."""

    pairs: History
    layers: History
    time_steps: History

    def append(self, row: Row, layers: Sequence[Row], time_steps: Sequence[Row]) -> None:
        """Write what one look at the networks found."""
        self.pairs.append(row)
        for file, rows in ((self.layers, layers), (self.time_steps, time_steps)):
            for each in rows:
                file.append(each)


@contextlib.contextmanager
def open_histories(folder: Path, last_step: int) -> Iterator[Histories]:
    """Yield the three files of a run folder, without rows after `last_step`."""
    with (
        History(folder, last_step) as pairs,
        History(folder, last_step, LAYERS_FILE, LAYER_COLUMNS) as layers,
        History(folder, last_step, TIME_STEPS_FILE, TIME_STEP_COLUMNS) as time_steps,
    ):
        yield Histories(pairs, layers, time_steps)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The whole rows of a history file; a last line that a kill cut short is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    return [row for row in csv.DictReader(whole) if _step(row) >= 0 and None not in row.values()]


def _step(row: dict[str, str]) -> int:
    try:
        return int(row.get("step") or -1)
    except ValueError:
        return -1
