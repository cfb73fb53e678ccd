"""docs/adding-a-dataset.md: its files are written and its commands are run, in order, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from sgad.data.description import DatasetConfig, Source
from sgad.data.manifest import read_manifest
from tests.data.builders import write_idx

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs" / "adding-a-dataset.md").read_text(encoding="utf-8")


def run(words: list[str], folder: Path) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SGAD_")}
    done = subprocess.run(words, cwd=folder, env=clean, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_example_works_as_it_stands(page: str, tmp_path: Path) -> None:
    # What `--download` would fetch, in small.
    write_idx(tmp_path / "data" / "raw" / "KMNIST" / "raw")
    said = ""
    for language, name, content in _BLOCK.findall(page):
        if language == "yaml":
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        elif language == "python":
            run([sys.executable, "-c", content], tmp_path)
        elif language == "sh":
            for line in content.splitlines():
                said += run([sys.executable, "-m", *line.split()], tmp_path)
    manifests = {name: read_manifest(tmp_path / "data" / name) for name in ("shapes", "colours", "kuzushiji", "waves")}
    assert {name: manifest.shape for name, manifest in manifests.items()} == {
        "shapes": (1, 28, 28),
        "waves": (2, 28, 28),
        "colours": (3, 32, 32),
        "kuzushiji": (1, 28, 28),
    }
    assert manifests["shapes"].class_counts == {"train": (32, 32), "test": (8, 8)}
    assert manifests["colours"].counts == {"train": 150, "test": 50}
    assert (tmp_path / "shapes.png").is_file()
    assert "80 images" in said


def test_the_table_has_every_key_and_every_source(page: str) -> None:
    table = page[page.index("## Every key") :]
    mentioned = set(re.findall(r"`([a-z_-]+)`", table))
    assert set(DatasetConfig.model_fields) - {"name"} <= mentioned
    assert set(get_args(Source)) <= mentioned
