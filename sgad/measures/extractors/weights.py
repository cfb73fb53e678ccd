"""Published Inception weights: where they are, whether they are the right ones, how to fetch them."""

import os
from pathlib import Path

from sgad.errors import InputError
from sgad.machine.download import fetch
from sgad.machine.files import expanded, sha256_of

#: Both public names hold one and the same file.
INCEPTION_NAMES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
INCEPTION_BYTES = 95_628_359
INCEPTION_URLS = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
)
#: Names the file for a whole workflow.
VARIABLE = "SGAD_INCEPTION_WEIGHTS"
DOWNLOAD_COMMAND = "sgad doctor --download-weights"


def checkpoint_folder() -> Path:
    """The folder in which torch keeps weights: $TORCH_HOME/hub/checkpoints, or under ~/.cache/torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or f"{cache}/torch"
    return expanded(home) / "hub" / "checkpoints"


def find_inception_weights(path: Path | str | None = None) -> Path | None:
    """The Inception weights: the given file, else $SGAD_INCEPTION_WEIGHTS, else a public name in torch's folder, else None.

    Raises
    ------
    InputError
        If a path is given and nothing is there, or a file under a public name is damaged.
    """
    path = path or os.environ.get(VARIABLE) or None
    if path is not None:
        if not Path(path).is_file():
            raise InputError(f"{path} does not exist; give the path of the Inception weights, or leave it out")
        return Path(path)
    for name in INCEPTION_NAMES:
        found = checkpoint_folder() / name
        if found.is_file():
            if found.stat().st_size != INCEPTION_BYTES:
                raise InputError(
                    f"{found} has {found.stat().st_size} bytes instead of {INCEPTION_BYTES};"
                    f" delete it and run `{DOWNLOAD_COMMAND}`"
                )
            return found
    return None


def is_published(sha256: str) -> bool:
    """Whether a file is the published FID Inception: only then may a distance be called FID."""
    return sha256 == INCEPTION_SHA256


def download_weights(
    folder: Path | str | None = None,
    *,
    urls: tuple[str, ...] = INCEPTION_URLS,
    sha256: str = INCEPTION_SHA256,
) -> Path:
    """Fetch the Inception weights into torch's folder, or into `folder`; return the file.

    An interrupted download goes on where it stood; the file takes its name only once its hash is right.

    Raises
    ------
    RunFailure
        If no source can be reached, or what came is another file.
    """
    target = (Path(folder) if folder is not None else checkpoint_folder()) / INCEPTION_NAMES[0]
    if target.is_file() and sha256_of(target) == sha256:
        return target

    def problem_of(path: Path) -> str:
        return "" if sha256_of(path) == sha256 else "another file than the published one: wrong sha256"

    by_hand = f"fetch it elsewhere and put it at {target}, or give --weights PATH"
    fetch(urls, target, problem_of, by_hand=by_hand)
    return target
