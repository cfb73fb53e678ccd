"""What --config takes: names that look like numbers, braces, empty values; titles with braces. Planned, never run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(300)

EXPERIMENT = """
title: Loss $\\mathcal{L}$ and {noise}
description: "{} {0} {wildcards.x}"
note: "100 % {a}"
datasets: [digits]
models: [sgan]
variants: [smoke]
"""


def plan(folder: Path, repository: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    """What Snakemake says of a plan of `EXPERIMENT`, here named 007."""
    path = folder / "configs/experiments/007.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(EXPERIMENT)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile"), "--cores", "1"]
    return subprocess.run(
        [*command, "--directory", str(folder), "--dry-run", "--config", "device=cpu", *settings],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=250,
    )


def test_titles_may_hold_braces_and_the_path_of_a_file_names_an_experiment(tmp_path: Path, repository: Path) -> None:
    settings = ("experiment=configs/experiments/007.yaml", "results=./2024_01", "from=")
    done = plan(tmp_path, repository, *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2024_01/runs/digits/sgan/smoke/seed0/run.json" in done.stdout


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("experiment=007", "read as 7, not as a name; write the path of the file"),
        ("results=2024_01", "read as 202401, not as a name; write results=./NAME"),
        ("data=1e3", "read as 1000.0, not as a name; write data=./NAME"),
        ("results=a{b}", "holds braces"),
        ("threads=two", "'two' is no whole number; write threads=1"),
    ],
)
def test_a_value_that_snakemake_misreads_is_refused(tmp_path: Path, repository: Path, setting: str, words: str) -> None:
    done = plan(tmp_path, repository, "experiment=configs/experiments/007.yaml", setting)
    assert done.returncode != 0
    assert words in " ".join((done.stdout + done.stderr).split())
