"""Downloads, the only place that opens connections, and only for `sgad prepare NAME --download`."""

import contextlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from sgad import __version__
from sgad.data.description import DatasetConfig, Download
from sgad.data.exclusive import exclusive
from sgad.data.trees import looks_like_html, md5_of
from sgad.errors import RunFailure

_CHUNK = 2**18
_TIMEOUT = 30.0


class _NotGood(Exception):
    """One address did not give the file; the next one is tried."""


def fetch_all(description: DatasetConfig, folder: Path, progress: Any) -> Path:
    """Fetch what is missing of a data set into `folder`, which is returned.

    A file that was cut off is continued; a file counts as fetched only when its MD5 is the published one.

    Raises
    ------
    RunFailure
        If no address gives a file; the sentence says how to get it by hand.
    """
    for item in description.downloads:
        target = folder / item.to
        with exclusive(target.absolute()):
            if not target.is_file() or md5_of(target) != item.md5:
                _fetch(item, target, description, progress)
    return folder


def _fetch(item: Download, target: Path, description: DatasetConfig, progress: Any) -> None:
    problems = []
    part = target.with_name(f"{target.name}.part")
    for template in item.urls:
        url = template.replace("{file}", PurePosixPath(item.to).name)
        try:
            _fetch_from(url, part, item, progress)
        except (_NotGood, OSError, http.client.HTTPException, ValueError) as error:
            problems.append(f"{url}: {_reason(error)}")
            continue
        os.replace(part, target)
        return
    by_hand = " ".join(description.manual.split()) or f"put the file at {target}"
    raise RunFailure(f"{target.name} could not be fetched ({'; '.join(problems)}); {by_hand}")


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error) or type(error).__name__


def _fetch_from(url: str, part: Path, item: Download, progress: Any) -> None:
    """Bring `part` to the whole file, going on where an earlier attempt was cut off."""
    have = part.stat().st_size if part.is_file() else 0
    with _open(url, have) as (response, start):
        _refuse_page(response)
        total = start + int(response.headers.get("Content-Length") or 0)
        if item.size is not None and total not in (0, item.size):
            raise _NotGood(f"offers {total} bytes, {item.size} expected")
        part.parent.mkdir(parents=True, exist_ok=True)
        with (
            open(part, "ab" if start else "wb") as stream,
            progress(max(total, 1), initial=start, title=f"fetch {PurePosixPath(item.to).name}", unit="bytes") as bar,
        ):
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                bar.update(len(chunk))
    size = part.stat().st_size
    if total and size < total:
        raise _NotGood(f"the connection broke after {size} of {total} bytes; run it again to go on")
    found = md5_of(part)
    if found != item.md5:
        what = "a web page" if looks_like_html(_head(part)) else f"a file with MD5 {found}, {item.md5} expected"
        # Going on from a wrong start could never end well.
        part.unlink()
        raise _NotGood(f"gave {what}")


def _head(path: Path) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(1024)


@contextlib.contextmanager
def _open(url: str, have: int) -> Iterator[tuple[Any, int]]:
    """Yield a response and the byte at which it starts: `have` if the server can go on, else 0."""
    headers = {"User-Agent": f"sgad/{__version__}"}
    request = urllib.request.Request(url, headers=headers | ({"Range": f"bytes={have}-"} if have else {}))
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        # The part is as long as the file, or longer: fetched whole before, or of another file.
        error.close()
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    with response:
        yield response, have if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0


def _refuse_page(response: Any) -> None:
    if "text/html" in (response.headers.get("Content-Type") or ""):
        raise _NotGood("answers with a web page (a quota or login page) instead of the file")
