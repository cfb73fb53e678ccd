"""run.json: what a training run was, on what, and how it ended."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sgad.config.experiment import RunKey
from sgad.errors import InputError
from sgad.machine.files import read_json, write_json

FILE_NAME = "run.json"
Status = Literal["running", "completed", "diverged", "collapsed", "interrupted", "failed"]

#: Statuses after which the same command has nothing left to do.
FINAL = ("completed", "diverged", "collapsed")


class Session(BaseModel):
    """One process's work on a run that was interrupted: what it was, and how far the run was when it ended."""

    model_config = ConfigDict(extra="forbid")

    started: str
    commit: str
    machine: str
    device: str
    threads: int
    steps: int
    seconds: float


class RunRecord(BaseModel):
    """One training run's record. Times in seconds, memory in MB (10^6 bytes).

    Of a run that was interrupted, `seconds` is the sum of all its processes; when it started, commit, machine, device,
    threads and versions are of the last one, and `earlier_sessions` says what the others were.
    """

    model_config = ConfigDict(extra="forbid")

    dataset: str
    model: str
    variant: str
    seed: int
    family: str
    time_steps: int
    status: Status
    reason: str = ""
    steps: int = 0
    epochs: float = 0.0
    target_steps: int = 0
    seconds: float = 0.0
    images_per_second: float | None = None
    peak_memory_mb: float | None = None
    device: str = ""
    machine: str = ""
    threads: int = 1
    engine: str = ""
    precision: str = "float32"
    versions: dict[str, str] = Field(default_factory=dict)
    commit: str = ""
    config_hash: str
    data_hash: str = ""
    seeds: dict[str, int] = Field(default_factory=dict)
    noise: str = Field("", description="device whose random numbers were drawn; empty: written before this was noted")
    warnings: list[str] = Field(default_factory=list, description="what was said at the start of the training")
    caption_note: str = ""
    started: str = ""
    ended: str = ""
    sessions: int = Field(1, description="processes whose work is in the run, more than one after an interruption")
    earlier_sessions: list[Session] = Field(default_factory=list, description="all of them but the last")

    def as_session(self) -> Session:
        """What this record says of the process that wrote it."""
        return Session(**{name: getattr(self, name) for name in Session.model_fields})

    def write(self, folder: Path) -> None:
        """Write run.json atomically."""
        write_json(folder / FILE_NAME, self.model_dump(mode="json"))


def read_record(folder: Path) -> RunRecord:
    """Read run.json of a run folder.

    Raises
    ------
    InputError
        If it is absent or not a run record.
    """
    path = folder / FILE_NAME
    content: Any = read_json(path)
    try:
        return RunRecord.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "content"
        raise InputError(f"{path}: {field}: {first['msg']}; delete the file and train again") from error


def other_run(record: RunRecord, key: RunKey) -> str:
    """What is wrong with a record that is in the folder of another run, as a copied folder has it; empty if it is its own."""
    own = RunKey(record.dataset, record.model, record.variant, record.seed)
    if own == key:
        return ""
    return f"run.json is of {own.folder}, a copy of that run in this folder; delete {key.folder} and train it"
