"""The record next to prepared data: what it is, where it came from, and what every number on it must say."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sgad.config.validation import validated
from sgad.data.description import Shape, Split
from sgad.errors import InputError
from sgad.machine.files import read_json, write_json

MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """data/X/manifest.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    kind: Literal["images", "events"]
    shape: Shape = Field(description="[C, H, W]")
    family: str = Field(description="the networks that take this shape")
    time_bins: int | None
    counts: dict[str, int] = Field(description="samples by split")
    classes: tuple[str, ...] | None
    class_counts: dict[str, tuple[int, ...]] | None = Field(description="by split, in the order of classes")
    licence: str
    citation: str
    origin: str
    substitute_for: str | None
    simulated: bool
    caption_note: str
    reference_split: Split
    flip: bool
    preprocessing: dict[str, str | int | float | None]
    source_files: dict[str, str] = Field(description="SHA-256 of each; a large folder is one entry over its listing")
    source_listing: str = Field(description="hash of the names and sizes of the source files")
    files: dict[str, str] = Field(description="SHA-256 of each prepared file")
    content_hash: str = Field(description="SHA-256 over `files`")
    description_hash: str
    sgad_version: str

    @property
    def is_events(self) -> bool:
        """Whether samples are event frames."""
        return self.kind == "events"


def read_manifest(folder: Path | str) -> Manifest:
    """Read a prepared folder's manifest.

    Raises
    ------
    InputError
        If the folder is not a prepared data set, or its manifest is broken.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise InputError(f"{path} does not exist; run `sgad prepare {Path(folder).name}` first")
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a manifest; delete {folder} and run `sgad prepare` again")
    return validated(Manifest, content, str(path))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest into a prepared folder."""
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))
