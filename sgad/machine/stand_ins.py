"""Files that are not what their name says: web pages, Git LFS and git-annex pointers, links to nothing."""

import os
from pathlib import Path

from sgad.errors import InputError

#: How every Git LFS pointer starts, and where a git-annex one leads.
_LFS, _ANNEX = b"version https://git-lfs", b"/annex/objects/"


def looks_like_html(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a web page."""
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")) or b"<html" in start


def stand_in(head: bytes) -> str:
    """What a file is instead of itself, with the remedy, judged by its first bytes; empty if it is none of these."""
    if head.startswith(_LFS):
        return "is a Git LFS pointer, not the file itself; run `git lfs install`, then `git lfs pull` in its repository"
    if len(head) < 1024 and _ANNEX in head:
        return "is a git-annex pointer, not the file itself; run `git annex get` in its repository"
    if looks_like_html(head):
        return "is a web page (a quota or login page saved under that name); delete it and fetch the file again"
    return ""


def refuse_stand_in(label: Path | str, head: bytes) -> None:
    """Raise InputError if a file is a web page or a pointer under the name of a data file."""
    problem = stand_in(head)
    if problem:
        raise InputError(f"{label} {problem}")


def damaged(path: Path, otherwise: str) -> InputError:
    """The error of a file that could not be parsed: what it is instead, or `otherwise`, which follows its path."""
    try:
        head = read_start(path)
    except InputError as error:
        return error
    return InputError(f"{path} {stand_in(head) or otherwise}")


def read_start(path: Path, count: int = 1024) -> bytes:
    """The first bytes of a file."""
    try:
        with open(path, "rb") as stream:
            return stream.read(count)
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path | str, error: OSError) -> InputError:
    """The error of a file that the system does not let us read."""
    link = Path(path)
    if isinstance(error, FileNotFoundError) and link.is_symlink():
        target = os.readlink(link)
        annexed = _ANNEX.decode() in target
        way = "run `git annex get` in its repository" if annexed else "remove it or restore its target"
        return InputError(f"{path} cannot be read: it is a link to {target}, which is not there; {way}")
    return InputError(f"{path} cannot be read ({error.strerror or error}); check the file and its permissions")
