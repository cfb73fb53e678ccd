"""What is there, what is missing, what is odd or wrong with a data set, each with the way to fix it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sgad.data.description import DatasetConfig, fetch_again, require_family
from sgad.data.labels import numbered, odd_labels
from sgad.data.locate import NoData, candidates, default_dirs, locate
from sgad.data.sources.base import UNREAD, Labels, RawData
from sgad.data.trees import is_archive, md5_of
from sgad.data.writing import blank_samples, nearly_black, num_blank, other_shape
from sgad.errors import InputError

#: Splits with more samples are checked by their first blocks; `sgad prepare` reads all of them anyway.
_READ_ALL = 5_000


@dataclass(frozen=True)
class Finding:
    """One thing found; `remedy` is the command or change that fixes it, empty if nothing needs fixing.

    What is odd may be a mistake or meant; it keeps nothing from being prepared.
    """

    level: Literal["ok", "odd", "missing", "wrong"]
    text: str
    remedy: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether the data can be prepared as far as this goes."""
        return self.level in ("ok", "odd")

    def __str__(self) -> str:
        line = f"{self.level:8s}{self.text}"
        return f"{line}\n        to fix it: {self.remedy}" if self.remedy else line


def finding_of(level: Literal["odd", "missing", "wrong"], error: Exception | str) -> Finding:
    """A sentence as a finding: what comes after its first semicolon is the remedy."""
    problem, _, way = str(error).partition("; ")
    return Finding(level, problem, way)


def check_dataset(description: DatasetConfig, dirs: Sequence[Path | str]) -> list[Finding]:
    """Look at a data set's raw files without writing anything; no `dirs`: the default places."""
    folders = [Path(folder) for folder in dirs] or default_dirs()
    findings = [_described(description)]
    places = candidates(description, folders)
    try:
        data = locate(description, folders)
    except NoData as error:
        return [*findings, finding_of("missing", error)]
    except InputError as error:
        return [*findings, finding_of("wrong", error), *_archives(description, places)]
    samples = _samples(data, description)
    try:
        data = data if _has_unread(data) else numbered(data)
    except InputError as error:
        samples.append(finding_of("wrong", error))
    findings += [Finding("ok", note) for note in data.notes]
    findings += _counts(data, description)
    findings += _archives(description, [data.root, *places])
    return [*findings, *samples, *(finding_of("odd", text) for text in (*data.oddities, *odd_labels(data)))]


def _has_unread(data: RawData) -> bool:
    return any(split.labels is not None and (split.labels == UNREAD).any() for split in data.splits.values())


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
            findings.append(Finding("wrong", f"{data.root}: {text}, {wanted} expected", fetch_again(description)))
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
            findings.append(Finding("wrong", text, f"delete it, then {fetch_again(description)}"))
    return findings


def _listed_archives(description: DatasetConfig, places: Sequence[Path]) -> list[Path]:
    files = [file for place in places for file in ([place] if place.is_file() else sorted(place.iterdir()))]
    return list(dict.fromkeys(file for file in files if is_archive(file) and _listed_name(description, file)))


def _listed_name(description: DatasetConfig, path: Path) -> str:
    return next((name for name in description.files if name.lower() == path.name.lower()), "")


def _samples(data: RawData, description: DatasetConfig) -> list[Finding]:
    findings = []
    shape: tuple[int, ...] = ()
    brightest: float | None = None
    blank, looked_at = 0, 0
    # A simulation is slow, and its samples can be no worse than the images that it records.
    enough = 1 if description.source == "simulated-events" else _READ_ALL
    for name, split in data.splits.items():
        read = 0
        try:
            for block in split.blocks():
                if shape and block.shape[1:] != shape:
                    raise other_shape(data, name, block.shape[1:], shape)
                shape, read = block.shape[1:], read + len(block)
                brightest = max(brightest or 0.0, float(block.max(initial=0)))
                blank, looked_at = blank + num_blank(block), looked_at + len(block)
                if read >= enough:
                    break
        except InputError as error:
            findings.append(finding_of("wrong", error))
            continue
        part = "all" if read == split.count else f"the first {read}"
        findings.append(Finding("ok", f"{name}: {part} samples can be read, shape {'x'.join(map(str, shape))}"))
    if brightest is not None and (problem := nearly_black(brightest, description)):
        findings.append(finding_of("wrong", problem))
    findings += [finding_of("odd", text) for text in blank_samples(blank, looked_at)]
    return [*findings, _family(shape)] if shape else findings


def _family(shape: tuple[int, ...]) -> Finding:
    channels, height, width = shape[-3:]
    try:
        return Finding("ok", f"fits the networks for {require_family((channels, height, width))}")
    except ValueError as error:
        return finding_of("wrong", error)


def verify_archives(data: RawData, description: DatasetConfig) -> None:
    """Raise InputError if an archive that was read is not the published one."""
    folder = data.root if data.root.is_dir() else data.root.parent
    paths = [folder / name for name in (*data.sizes, data.root.name) if is_archive(folder / name)]
    wrong = [item for item in _archives(description, paths) if item.level == "wrong"]
    if wrong:
        raise InputError(f"{wrong[0].text}; {wrong[0].remedy}")
