"""Where the zoo's trained generators are found by name."""

import functools
import hashlib
import os
from pathlib import Path

from sgad.errors import InputError, nearest

VARIABLE = "SGAD_ZOO"
WEIGHTS, CRITIC = "generator.safetensors", "discriminator.safetensors"
_PACKAGE = Path(__file__).resolve().parents[1]


def cache_folder() -> Path:
    """Folder that `sgad zoo get` and `sgad zoo add` write to: $SGAD_ZOO, else sgad/zoo in the user's cache."""
    given = os.environ.get(VARIABLE)
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(given) if given else Path(cache).expanduser() / "sgad" / "zoo"


def zoo_folders() -> list[Path]:
    """Folders searched, first match wins: the user's, ./zoo, and the models that come with sgad."""
    places = [cache_folder(), Path("zoo"), _PACKAGE.parent / "zoo", _PACKAGE / "shipped" / "zoo"]
    return [place for place in places if place.is_dir()]


def installed_models() -> dict[str, Path]:
    """Folders of the models that are here, by name."""
    found: dict[str, Path] = {}
    for folder in zoo_folders():
        for path in sorted(folder.iterdir()):
            if not path.name.startswith(".") and (path / WEIGHTS).is_file():
                found.setdefault(path.name, path)
    return found


def find_weights(name_or_path: Path | str) -> Path:
    """Find the generator of a run or zoo folder, of a generator.safetensors, or of a model's name in the zoo.

    Raises
    ------
    InputError
        If there is none; the sentence lists the names that exist.
    """
    given = Path(name_or_path).expanduser()
    if given.is_file():
        return given
    if given.is_dir() or len(given.parts) != 1:
        weights = given / WEIGHTS
        if weights.is_file():
            return weights
        found = given.name in installed_models()
        hint = f"; the zoo has a {given.name!r}, named without a folder" if found else "; train the run first"
        raise InputError(f"{weights} does not exist{hint}")
    models = installed_models()
    if given.name in models:
        return models[given.name] / WEIGHTS
    raise InputError(
        f"{given} is neither a folder nor a model of the zoo{nearest(given.name, models)}"
        f" (here: {', '.join(models) or 'none'}); `sgad zoo list` names those that can be fetched"
    )


def content_of(source: str) -> str:
    """Name weights by content, for hashes: the SHA-256 of the file, of a generator with its critic; else as it is named."""
    try:
        weights = find_weights(source)
    except InputError:
        return source
    files = [weights, weights.parent / CRITIC] if weights.name == WEIGHTS else [weights]
    return "+".join(_sha256(path, path.stat().st_mtime_ns) for path in files if path.is_file())


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, _changed: int) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
