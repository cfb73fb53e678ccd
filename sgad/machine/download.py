"""Downloads: the only module of ours that opens connections, for commands that were asked to download."""

import contextlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sgad._version import __version__
from sgad.errors import RunFailure
from sgad.machine.progress import Progress

_CHUNK = 2**18
_TIMEOUT = 30.0


class _NotGood(Exception):
    """One address did not give the file; the next one is tried."""


def fetch(
    urls: Sequence[str],
    target: Path,
    problem_of: Callable[[Path], str],
    *,
    by_hand: str,
    size: int | None = None,
    progress: Callable[..., Any] = Progress,
) -> None:
    """Bring a file to `target`, from the first address that gives it.

    What came of a download that was cut off stays next to it as NAME.part, and the next one goes on from there.

    Parameters
    ----------
    problem_of
        Says what is wrong with a file that came whole; "" if it is the right one.
    by_hand
        How to get the file otherwise: the end of the error's sentence.
    size
        Bytes of the file, if they are known.
    progress
        Makes a progress bar, called as progress(total, initial=..., title=..., unit=...).

    Raises
    ------
    RunFailure
        If no address gives the file.
    """
    problems = []
    part = target.with_name(f"{target.name}.part")
    for url in urls:
        try:
            _fetch_from(url, part, problem_of, f"fetch {target.name}", size, progress)
        except (_NotGood, OSError, http.client.HTTPException, ValueError) as error:
            problems.append(f"{url}: {_reason(error)}")
            continue
        os.replace(part, target)
        return
    raise RunFailure(f"{target.name} could not be fetched ({'; '.join(problems)}); {by_hand}")


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error) or type(error).__name__


def _fetch_from(
    url: str,
    part: Path,
    problem_of: Callable[[Path], str],
    title: str,
    size: int | None,
    progress: Callable[..., Any],
) -> None:
    """Bring `part` to the whole file, going on where an earlier attempt was cut off."""
    have = part.stat().st_size if part.is_file() else 0
    if have and not problem_of(part):
        # Stopped after the last byte and before the file got its name.
        return
    with _open(url, have) as (response, start):
        _refuse_page(response)
        total = start + int(response.headers.get("Content-Length") or 0)
        if size is not None and total not in (0, size):
            raise _NotGood(f"offers {total} bytes, {size} expected")
        part.parent.mkdir(parents=True, exist_ok=True)
        with (
            open(part, "ab" if start else "wb") as stream,
            progress(max(total, 1), initial=start, title=title, unit="bytes") as bar,
        ):
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                bar.update(len(chunk))
    came = part.stat().st_size
    if total and came < total:
        raise _NotGood(f"the connection broke after {came} of {total} bytes; run it again to go on")
    problem = problem_of(part)
    if problem:
        # Going on from a wrong start could never end well.
        part.unlink()
        raise _NotGood(f"gave {problem}")


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
        # The part is as long as the file, or longer, and is not the file.
        error.close()
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    with response:
        yield response, have if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0


def _refuse_page(response: Any) -> None:
    if "text/html" in (response.headers.get("Content-Type") or ""):
        raise _NotGood("answers with a web page (a quota or login page) instead of the file")
