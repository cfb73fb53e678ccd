"""What is there, what is missing, what is wrong with a data set, each with the way to mend it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sgad.data.description import DatasetConfig, remedy, require_family
from sgad.data.locate import candidates, default_dirs, locate
from sgad.data.sources.base import UNREAD, Labels, RawData
from sgad.data.trees import is_archive, md5_of
from sgad.errors import InputError

#: Splits with more samples are checked by their first blocks; `sgad prepare` reads all of them anyway.
_READ_ALL = 5_000


@dataclass(frozen=True)
class Finding:
    """One thing found; `remedy` is the command or link that mends it, empty if nothing needs mending."""

    level: Literal["ok", "missing", "wrong"]
    text: str
    remedy: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether nothing needs mending."""
        return self.level == "ok"

    def __str__(self) -> str:
        line = f"{self.level:8s}{self.text}"
        return f"{line}\n        to mend it: {self.remedy}" if self.remedy else line


def check_dataset(description: DatasetConfig, dirs: Sequence[Path | str]) -> list[Finding]:
    """Look at a data set's raw files without writing anything; no `dirs`: the default places."""
    folders = [Path(folder) for folder in dirs] or default_dirs()
    findings = [_described(description)]
    places = candidates(description, folders)
    try:
        data = locate(description, folders)
    except InputError as error:
        level: Literal["missing", "wrong"] = "wrong" if places and "no files found" not in str(error) else "missing"
        text = str(error).removesuffix(f"; {remedy(description)}")
        return [*findings, Finding(level, text, remedy(description)), *_archives(description, places)]
    findings += [Finding("ok", note) for note in data.notes]
    findings += _counts(data, description)
    findings += _archives(description, [data.root, *places])
    return findings + _samples(data, description)


def _described(description: DatasetConfig) -> Finding:
    shape = "x".join(map(str, description.shape)) if description.shape else "as the images are"
    licence = f", licence: {description.licence}" if description.licence else ""
    return Finding(
        "ok", f"{description.name}: {description.title}, source {description.source}, shape {shape}{licence}"
    )


def _counts(data: RawData, description: DatasetConfig) -> list[Finding]:
    counts: Mapping[Any, int] = description.counts or {}
    findings = []
    for name, split in data.splits.items():
        wanted = counts.get(name) if not description.max_samples else None
        text = f"{split.count} {name} samples"
        if wanted is not None and wanted != split.count:
            findings.append(Finding("wrong", f"{data.root}: {text}, {wanted} expected", remedy(description)))
        else:
            findings.append(Finding("ok", f"{text}, {_labels(split.labels)}"))
    if "test" not in data.splits:
        findings.append(Finding("missing", f"{data.root}: no test split", "add a folder test, or `test_size: 0.1`"))
    return findings


def _labels(labels: Labels | None) -> str:
    if labels is None:
        return "without labels"
    if (labels == UNREAD).any():
        return "labels are read with the images"
    return f"{len(np.unique(labels))} classes"


def _archives(description: DatasetConfig, places: Sequence[Path]) -> list[Finding]:
    """Compare the archives that the description lists, which the readers look into without hashing them."""
    findings = []
    for path in _listed_archives(description, places):
        expected = description.files[_listed_name(description, path)]
        found = md5_of(path)
        if expected.md5 in (None, found):
            findings.append(Finding("ok", f"{path}: checksum as published"))
        else:
            text = f"{path}: MD5 {found}, published is {expected.md5}"
            findings.append(Finding("wrong", text, f"delete it, then {remedy(description)}"))
    return findings


def _listed_archives(description: DatasetConfig, places: Sequence[Path]) -> list[Path]:
    files = [file for place in places for file in ([place] if place.is_file() else sorted(place.iterdir()))]
    return list(dict.fromkeys(file for file in files if is_archive(file) and _listed_name(description, file)))


def _listed_name(description: DatasetConfig, path: Path) -> str:
    return next((name for name in description.files if name.lower() == path.name.lower()), "")


def _samples(data: RawData, description: DatasetConfig) -> list[Finding]:
    findings = []
    shape: tuple[int, ...] = ()
    # A simulation is slow, and its samples can be no worse than the images that it records.
    enough = 1 if description.source == "simulated-events" else _READ_ALL
    for name, split in data.splits.items():
        read = 0
        try:
            for block in split.blocks():
                shape, read = block.shape[1:], read + len(block)
                if read >= enough:
                    break
        except InputError as error:
            findings.append(Finding("wrong", str(error), f"mend or remove that file, or {remedy(description)}"))
            continue
        part = "all" if read == split.count else f"the first {read}"
        findings.append(Finding("ok", f"{name}: {part} samples can be read, shape {'x'.join(map(str, shape))}"))
    return [*findings, _family(shape)] if shape else findings


def _family(shape: tuple[int, ...]) -> Finding:
    channels, height, width = shape[-3:]
    try:
        return Finding("ok", f"fits the networks for {require_family((channels, height, width))}")
    except ValueError as error:
        return Finding("wrong", str(error), "add `resize:` and `channels:` as said")


def verify_archives(data: RawData, description: DatasetConfig) -> None:
    """Raise InputError if an archive that was read is not the published one."""
    folder = data.root if data.root.is_dir() else data.root.parent
    paths = [folder / name for name in (*data.sizes, data.root.name) if is_archive(folder / name)]
    wrong = [item for item in _archives(description, paths) if item.level == "wrong"]
    if wrong:
        raise InputError(f"{wrong[0].text}; {wrong[0].remedy}")
