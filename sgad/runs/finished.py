"""The finished state of a run, which outlives the files that a workflow deletes.

Snakemake deletes the declared outputs of a job before it runs the job again: when it was killed while the training went
on alone, when the job's process died after its last file, when inputs have other times or another path. By then the
checkpoints are gone. So a finished run keeps second names (hard links) of its weights in a folder that is declared
nowhere, together with its record; `sgad train` restores them if configuration and data are the same.
"""

import contextlib
import os
import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from sgad.errors import InputError
from sgad.machine.files import atomic_write, read_json, sha256_of, write_json
from sgad.runs.record import FINAL, RunRecord, read_record

FOLDER = "finished"
#: The generator first: a run without it is not finished.
WEIGHTS = ("generator.safetensors", "discriminator.safetensors")


class FinishedState(BaseModel):
    """The content of finished/finished.json: the record, and the SHA-256 of each file of weights."""

    model_config = ConfigDict(extra="forbid")

    record: RunRecord
    sha256: dict[str, str]


def _path(folder: Path) -> Path:
    return folder / FOLDER / "finished.json"


def keep_finished(folder: Path, record: RunRecord) -> None:
    """Keep the weights and the record of a finished run; the JSON file comes last and makes the state valid.

    Raises
    ------
    WriteFailure
        If the file system takes neither links nor copies.
    """
    present = [name for name in WEIGHTS if (folder / name).is_file()]
    for name in present:
        _link(folder / name, folder / FOLDER / name)
    hashes = {name: sha256_of(folder / FOLDER / name) for name in present}
    write_json(_path(folder), FinishedState(record=record, sha256=hashes).model_dump(mode="json"))


def read_finished(folder: Path) -> FinishedState | None:
    """Read the finished state of a run; None if there is none or its JSON file is damaged."""
    if not _path(folder).is_file():
        return None
    try:
        return FinishedState.model_validate(read_json(_path(folder)))
    except (InputError, ValidationError):
        return None


def restore_finished(folder: Path, config_hash: str, data_hash: str) -> RunRecord | None:
    """Put a finished run's files back into its folder and return its record.

    None, and nothing is touched, if there is no finished state of this configuration and these data, or if its
    weights are not what they were.
    """
    state = read_finished(folder)
    if state is None or (state.record.config_hash, state.record.data_hash) != (config_hash, data_hash):
        return None
    if WEIGHTS[0] not in state.sha256 or not _is_whole(folder / FOLDER, state):
        return None
    for name in state.sha256:
        _link(folder / FOLDER / name, folder / name)
    state.record.write(folder)
    return state.record


def is_untouched(folder: Path) -> bool:
    """Whether the weights in the run folder are those of the finished state; True where none was kept."""
    state = read_finished(folder)
    return state is None or _is_whole(folder, state)


def adopt_finished(folder: Path) -> bool:
    """Keep the state of a finished run that has none, because an older version trained it; return whether it was kept."""
    if _path(folder).is_file() or not (folder / WEIGHTS[0]).is_file():
        return False
    try:
        record = read_record(folder)
    except InputError:
        return False
    if record.status not in FINAL:
        return False
    keep_finished(folder, record)
    return True


def _is_whole(folder: Path, state: FinishedState) -> bool:
    return all(
        (folder / name).is_file() and sha256_of(folder / name) == digest for name, digest in state.sha256.items()
    )


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no hard links."""
    with atomic_write(target) as temporary:
        temporary.unlink()
        with contextlib.suppress(OSError):
            os.link(source, temporary)
            return
        shutil.copyfile(source, temporary)
