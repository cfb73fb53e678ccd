"""The repository stays small: what follows from stored numbers is not stored."""

import subprocess
from pathlib import Path

import pytest

#: Bytes of the tracked tree outside zoo/, and of any one file there.
LARGEST_TREE, LARGEST_FILE = 25_000_000, 1_000_000


def tracked(repository: Path) -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    paths = [repository / name for name in done.stdout.split("\0") if name and not name.startswith("zoo/")]
    return [path for path in paths if path.is_file()]


def test_it_is_small(repository: Path) -> None:
    sizes = {path: path.stat().st_size for path in tracked(repository)}
    assert {path: size for path, size in sizes.items() if size > LARGEST_FILE} == {}
    assert sum(sizes.values()) <= LARGEST_TREE


def test_nothing_that_follows_from_stored_numbers_is_stored(repository: Path) -> None:
    results = [path for path in tracked(repository) if path.is_relative_to(repository / "results")]
    assert results
    assert {path.relative_to(repository).parts[1] for path in results} == {"reference"}
    assert {path.suffix for path in results} <= {".csv", ".gz", ".json", ".md", ".webp", ".gif"}


def test_the_published_reference_is_unedited(repository: Path) -> None:
    from sgad.store.reference import reference_names, require_unedited

    names = reference_names(repository / "results")
    assert "quick" in names
    for name in names:
        require_unedited(repository / "results/reference" / name)
