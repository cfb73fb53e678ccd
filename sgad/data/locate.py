"""Where raw data may be, and the first place that has it."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sgad.data.description import DatasetConfig, load_description, remedy
from sgad.data.sources.base import RawData, limited
from sgad.data.sources.registry import reader_of
from sgad.data.trees import is_archive
from sgad.errors import InputError
from sgad.machine.files import expanded

#: Sources that would take any images for theirs: a folder for raw data in general is not searched as a whole.
_GREEDY = ("image-folder", "npz")


class NoData(InputError):
    """None of the places has files of the data set; what is there may be whole or broken, but is not this."""


def default_dirs() -> list[Path]:
    """The folders for raw data: $SGAD_DATA, ./data/raw, ~/.cache/sgad, and the current folder."""
    given = [Path(part) for part in os.environ.get("SGAD_DATA", "").split(os.pathsep) if part]
    return [*given, Path("data/raw"), expanded("~/.cache/sgad"), Path()]


def search_dirs(given: Sequence[Path | str] = (), *, may_be_made: bool = False) -> list[Path]:
    """The folders to search: those given with --from and no others, or else the default ones.

    Raises
    ------
    InputError
        If a given one does not exist, unless it may be made, as a download would.
    """
    paths = [expanded(folder) for folder in given]
    for path in paths:
        if not path.exists() and not may_be_made:
            raise InputError(f"--from {path} does not exist; give the folder or archive that holds the data")
    return paths or default_dirs()


def candidates(description: DatasetConfig, dirs: Sequence[Path]) -> list[Path]:
    """The folders and archives that may hold the data, most specific first, each once."""
    general = {folder.resolve() for folder in default_dirs()}
    greedy = description.source in _GREEDY
    found: list[Path] = []
    for folder in dirs:
        named = [folder / expanded(place) for place in description.places if not Path(place).is_absolute()]
        found += named
        # A source that takes any images would read those of another data set where its own place is empty.
        is_general = greedy and (folder.resolve() in general or any(place.exists() for place in named))
        if not is_general and folder.resolve() != Path().resolve():
            found.append(folder)
    if any(folder.resolve() in general for folder in dirs):
        found += [expanded(place) for place in description.places if expanded(place).is_absolute()]
    return list(dict.fromkeys(path for path in found if path.is_dir() or is_archive(path)))


def locate(description: DatasetConfig, dirs: Sequence[Path], *, download: bool = False) -> RawData:
    """The raw data at the first place that has it.

    Raises
    ------
    InputError
        If no place has it, with the places searched and the remedy; or if the first that has it is broken.
    """
    if description.source == "sklearn-digits":
        from sgad.data.sources.digits import read_digits

        return limited(read_digits(description), description)
    if description.source == "simulated-events":
        from sgad.data.sources.simulated import read_simulated

        base = load_description(str(description.base))
        return limited(read_simulated(description, base, limited(locate(base, dirs), description)), description)
    read = reader_of(description, download=download)
    places = candidates(description, dirs)
    for place in places:
        data = read(place, description)
        if data is not None:
            return limited(data, description)
    searched = ", ".join(str(folder) for folder in dirs if str(folder) != ".") or "the current folder"
    looked = f" (also in {', '.join(description.places)} below)" if description.places else ""
    raise NoData(f"{description.name}: no files found in {searched}{looked}; {remedy(description)}")


def download_dir(dirs: Sequence[Path]) -> Path:
    """Where downloads go: the first folder searched."""
    first = dirs[0] if dirs else Path("data/raw")
    if first.is_file():
        raise InputError(f"--from {first} is a file, so that downloads have no folder; give a folder")
    return first


def scratch_name(target: Path) -> Path:
    """Make a temporary folder next to `target`, so that moving it there is one rename."""
    return Path(tempfile.mkdtemp(prefix=f".{target.name}-", suffix=".tmp", dir=target.parent))


def scratch_folders(target: Path) -> list[Path]:
    """The temporary folders of `target` that are there, those of a killed process included."""
    # Names may hold hyphens, what mkdtemp draws does not: .digits-small-x1y2.tmp belongs to digits-small, not to digits.
    return sorted(path for path in target.parent.glob(".*-*.tmp") if path.name.rpartition("-")[0] == f".{target.name}")
