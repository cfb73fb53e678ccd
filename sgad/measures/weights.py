"""Published Inception weights: where they lie, whether they are the right ones, how to fetch them."""

import contextlib
import os
import urllib.error
import urllib.request
from pathlib import Path

from sgad.errors import InputError, RunFailure
from sgad.runs.files import sha256_of
from sgad.runs.progress import Progress

#: Both public names hold one and the same file.
INCEPTION_NAMES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
INCEPTION_BYTES = 95_628_359
INCEPTION_URLS = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
)
DOWNLOAD_COMMAND = "sgad doctor --download-weights"
CHUNK = 1 << 20
TIMEOUT = 30


def checkpoint_folder() -> Path:
    """Return the folder in which torch keeps weights: $TORCH_HOME/hub/checkpoints, or under ~/.cache/torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or f"{cache}/torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def find_inception_weights(path: Path | str | None = None) -> Path | None:
    """Return the Inception weights: the given file, else a public name in torch's folder, else None.

    Raises
    ------
    InputError
        If a path is given and nothing is there, or a file under a public name is damaged.
    """
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
    partial = target.with_name(f"{target.name}.part")
    problems = []
    for url in urls:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _fetch(url, partial)
        except (OSError, urllib.error.URLError) as error:
            problems.append(f"{url} ({getattr(error, 'reason', None) or error})")
            continue
        if sha256_of(partial) == sha256:
            os.replace(partial, target)
            return target
        problems.append(f"{url} (another file than the published one: wrong sha256)")
        with contextlib.suppress(OSError):
            partial.unlink()
    raise RunFailure(
        f"the Inception weights could not be fetched from {'; '.join(problems)}; fetch one of"
        f" them elsewhere and put it at {target}, or give --weights PATH"
    )


def _fetch(url: str, partial: Path) -> None:
    """Download to `partial`, from where it ends."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        # 416: the file is already whole.
        if error.code == 416 and have:
            return
        raise
    with response:
        # A server that ignores the range sends all of it with status 200.
        is_rest = response.status == 206
        total = int(response.headers.get("Content-Length") or 0) + (have if is_rest else 0)
        with (
            open(partial, "ab" if is_rest else "wb") as stream,
            Progress(max(total, 1), initial=have if is_rest else 0, title=partial.name, unit="bytes") as progress,
        ):
            while chunk := response.read(CHUNK):
                stream.write(chunk)
                progress.update(len(chunk))
