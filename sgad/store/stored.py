"""What `collect` stores of an experiment and later stages read: three CSV files, captions.json, grids/."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired

from pydantic import TypeAdapter, ValidationError

# Pydantic can't check a TypedDict of `typing` before Python 3.12.
from typing_extensions import TypedDict

from sgad.errors import InputError
from sgad.machine.files import DAMAGED_ARRAY, read_json
from sgad.machine.stand_ins import damaged
from sgad.names import label_of

if TYPE_CHECKING:
    import pandas as pd

METRIC_COLUMNS = (
    "dataset",
    "model",
    "variant",
    "family",
    "time_steps",
    "seed",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "protocol",
    "status",
)
#: Follows METRIC_COLUMNS where any value was computed once more by others: packages and versions that agree with it.
CHECKED_BY = "checked_by"
RUN_COLUMNS = (
    "dataset",
    "model",
    "variant",
    "family",
    "time_steps",
    "seed",
    "status",
    "reason",
    "steps",
    "seconds",
    "device",
    "machine",
    "commit",
    "config_hash",
    "data_hash",
    "caption_note",
    "run_dir",
)
#: Columns of histories.csv that say whose row it is; those of history.csv follow.
KEY_COLUMNS = ("dataset", "model", "variant", "seed")
METRICS = "metrics.csv"
HISTORIES_PACKED = "histories.csv.gz"
#: Folder below results/ of what comes with the repository.
REFERENCE = "reference"
PICTURES = (".png", ".webp")
BASELINES = ("real_train", "noise", "train_copy")

#: analyses.csv: whose row, and then the columns that `sgad analyse` writes.
FINDING_COLUMNS = ("analysis", "quantity", "part", "position", "value", "low", "high", "n", "protocol", "status")
ANALYSIS_COLUMNS = ("dataset", "model", "variant", "family", "time_steps", "seed", *FINDING_COLUMNS)

_INTEGERS = ("time_steps", "seed", "n", "steps")
_NUMBERS = ("value", "low", "high", "seconds", "position")


class DatasetFacts(TypedDict):
    """What captions say of a data set."""

    title: str
    note: str
    citation: str
    licence: str
    images: dict[str, int]


class Captions(TypedDict):
    """captions.json: the facts that captions need when neither the data nor the runs are at hand."""

    experiment: str
    title: str
    note: str
    description: str
    datasets: dict[str, DatasetFacts]
    variants: dict[str, str]
    #: Model -> the title of its YAML file when the experiment was collected; absent in older files.
    models: NotRequired[dict[str, str]]
    #: Metric -> the command that would make it computable, where something is absent.
    remedies: dict[str, str]


def model_title(captions: Captions, model: str) -> str:
    """Title of a model: the one stored with the experiment, else the built-in label, else its key."""
    return captions.get("models", {}).get(model) or label_of("model", model)


@dataclass(frozen=True)
class Stored:
    """An experiment's stored results; `folder` is where they are, results/experiments/E or results/reference/E."""

    folder: Path
    metrics: "pd.DataFrame"
    runs: "pd.DataFrame"
    histories: "pd.DataFrame"
    captions: Captions
    #: None for an experiment that was collected without analyses.
    analyses: "pd.DataFrame | None" = None
    #: Where tables, figures and the page go, if not into `folder`: what follows from the reference is an own file.
    made_in: Path | None = None

    @property
    def out(self) -> Path:
        """The folder of tables/, figures/ and report.html."""
        return self.made_in or self.folder

    def picture(self, stem: str) -> Path:
        """The picture of this name below grids/: PNG where it was collected, WebP in the reference."""
        return next(
            (path for suffix in PICTURES if (path := self.folder / "grids" / f"{stem}{suffix}").is_file()),
            self.folder / "grids" / f"{stem}{PICTURES[0]}",
        )


def rows_of(frame: "pd.DataFrame") -> list[Any]:
    """The rows of a frame, each with its cells as attributes."""
    return list(frame.itertuples())


def experiment_folder(results_dir: Path | str, name: str) -> Path:
    """The folder of an experiment's collected results."""
    return Path(results_dir) / "experiments" / name


def reference_folder(results_dir: Path | str, name: str) -> Path | None:
    """The folder of an experiment's reference, below `results_dir` or in this checkout; None if there is none."""
    places = (Path(results_dir), Path(__file__).resolve().parents[2] / "results")
    return next(
        (found for place in places if (found := place / REFERENCE / name) and (found / METRICS).is_file()), None
    )


def stored_folder(results_dir: Path | str, name: str) -> Path:
    """The folder that stored results are read from: own ones if there are any, else the reference.

    Raises
    ------
    InputError
        If there is neither.
    """
    own = experiment_folder(results_dir, name)
    if (own / METRICS).is_file():
        return own
    found = reference_folder(results_dir, name)
    if found is None:
        raise InputError(f"{own / METRICS} does not exist; run `sgad collect {name}` first")
    return found


def run_name(dataset: str, model: str, variant: str, seed: int) -> str:
    """The stem of a run's small pictures in grids/."""
    return f"{dataset}-{model}-{variant}-seed{seed}"


def read_stored(results_dir: Path | str, name: str) -> Stored:
    """Read what `sgad collect` wrote, or the reference where nothing was collected here.

    Raises
    ------
    InputError
        If there is neither, a file is absent or lacks a column.
    """
    return read_folder(stored_folder(results_dir, name), experiment_folder(results_dir, name))


def read_folder(folder: Path, made_in: Path | None = None) -> Stored:
    """Read one stored experiment; what is made of it goes to `made_in`.

    Raises
    ------
    InputError
        If a file is absent or lacks a column.
    """
    captions = _read_captions(folder / "captions.json")
    metrics = _read_csv(folder / "metrics.csv", METRIC_COLUMNS)
    runs = _read_csv(folder / "runs.csv", RUN_COLUMNS)
    if CHECKED_BY not in metrics.columns:
        metrics[CHECKED_BY] = ""
    unmeasured = _cells(runs) - _cells(metrics)
    if unmeasured:
        # Every run has its rows in both files, with or without values.
        cell = "/".join(min(unmeasured))
        raise InputError(
            f"{folder / 'metrics.csv'} has no row of {cell}, which runs.csv lists; run `sgad collect` again"
        )
    return Stored(
        folder=folder,
        metrics=metrics,
        runs=runs,
        histories=_read_csv(histories_file(folder), KEY_COLUMNS),
        captions=captions,
        analyses=_read_csv(analyses, ANALYSIS_COLUMNS) if (analyses := folder / "analyses.csv").is_file() else None,
        made_in=made_in,
    )


def histories_file(folder: Path) -> Path:
    """The histories of a stored experiment; compressed in the reference."""
    packed = folder / HISTORIES_PACKED
    return packed if packed.is_file() else folder / "histories.csv"


def _read_captions(path: Path) -> Captions:
    content = read_json(path)
    try:
        # What older versions did not write yet.
        captions: Captions = TypeAdapter(Captions).validate_python({"remedies": {}, **content})
    except (TypeError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "it holds no mapping"}
        field = ".".join(str(part) for part in first["loc"]) or "content"
        raise InputError(
            f"{path}: {field}: {first['msg']}; it is not what `sgad collect` writes, collect again"
        ) from error
    return captions


def _cells(frame: "pd.DataFrame") -> set[tuple[str, ...]]:
    """The (dataset, model, variant) that a frame has rows of."""
    return set(frame[list(KEY_COLUMNS[:3])].itertuples(index=False, name=None))


def _read_csv(path: Path, columns: tuple[str, ...]) -> "pd.DataFrame":
    import pandas as pd

    try:
        # A model may well be called "NA" or "null": only empty cells of numeric columns are missing.
        frame = pd.read_csv(path, dtype=dict.fromkeys([*columns, CHECKED_BY], str), keep_default_na=False)
    except DAMAGED_ARRAY as error:
        raise damaged(path, f"is not a readable table ({error}); run `sgad collect` again") from error
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise damaged(path, f"lacks the column {missing[0]!r}; run `sgad collect` again")
    for column in frame.columns:
        if column in _INTEGERS:
            frame[column] = _whole(_numeric(frame[column], path), path)
        elif column in _NUMBERS or column not in (*columns, CHECKED_BY):
            frame[column] = _numeric(frame[column], path)
    return frame


def _whole(column: "pd.Series[Any]", path: Path) -> "pd.Series[Any]":
    try:
        return column.astype("Int64")
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path}: column {column.name!r} holds more than whole numbers ({error}); run `sgad collect` again"
        ) from error


def _numeric(column: "pd.Series[Any]", path: Path) -> "pd.Series[Any]":
    import pandas as pd

    try:
        return pd.to_numeric(column.replace("", None))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path}: column {column.name!r} holds more than numbers ({error}); run `sgad collect` again"
        ) from error
