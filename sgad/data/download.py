"""The published files of a data set, fetched for `sgad prepare NAME --download` and for nothing else."""

from pathlib import Path, PurePosixPath
from typing import Any

from sgad.data.description import DatasetConfig, Download
from sgad.data.trees import md5_of
from sgad.machine.download import fetch
from sgad.machine.locks import exclusive
from sgad.machine.stand_ins import looks_like_html, read_start


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
    def problem_of(path: Path) -> str:
        found = md5_of(path)
        if found == item.md5:
            return ""
        return "a web page" if looks_like_html(read_start(path)) else f"a file with MD5 {found}, {item.md5} expected"

    urls = [template.replace("{file}", PurePosixPath(item.to).name) for template in item.urls]
    by_hand = " ".join(description.manual.split()) or f"put the file at {target}"
    fetch(urls, target, problem_of, by_hand=by_hand, size=item.size, progress=progress)
