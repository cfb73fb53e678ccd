"""The rehearsal of the paper: archives in the official forms, and two runs from raw files to the page."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from benchmarks import rehearsal
from sgad.config.compose import check_runs
from sgad.config.experiment import load_experiment
from sgad.data.description import load_description


def test_celeba_is_made_in_the_official_form(tmp_path: Path) -> None:
    for person in range(1, 14):
        (tmp_path / "faces" / f"s{person}").mkdir(parents=True)
        for picture in range(1, 9):
            pixels = np.full((112, 92), person * 10 + picture, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "faces" / f"s{person}" / f"{picture}.pgm")
    rehearsal.fabricate_celeba(tmp_path / "faces", tmp_path / "celeba")
    lines = (tmp_path / "celeba" / "list_eval_partition.txt").read_text().splitlines()
    with zipfile.ZipFile(tmp_path / "celeba" / "img_align_celeba.zip") as archive:
        names = archive.namelist()
        with Image.open(archive.open(names[0])) as image:
            assert (image.size, image.mode, image.format) == ((178, 218), "RGB", "JPEG")
    assert names[0] == "img_align_celeba/000001.jpg"
    assert [line.split()[0] for line in lines] == [name.split("/")[1] for name in names]
    assert {line.split()[1] for line in lines} == {"0", "1", "2"}


def test_too_few_portraits_are_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds 0 portraits"):
        rehearsal.fabricate_celeba(tmp_path, tmp_path / "celeba")


def test_descriptions_are_the_shipped_ones_but_small_and_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal.write_descriptions(tmp_path / "datasets")
    monkeypatch.setenv("SGAD_CONFIGS", str(tmp_path))
    for name in ("mnist", "fashion_mnist", "cifar10", "celeba", "nmnist"):
        description = load_description(name)
        assert description.max_samples is not None
        assert description.simulated == (name in rehearsal.NOTES)
    assert load_description("celeba").source == "celeba"
    assert load_description("nmnist").source == "events"


@pytest.mark.parametrize("name", rehearsal.EXPERIMENTS)
def test_the_rehearsal_is_the_paper_but_for_its_size(name: str) -> None:
    experiment, paper = load_experiment(name), load_experiment("paper")
    check_runs(experiment)
    assert experiment.measures == paper.measures
    assert experiment.cross_check
    assert experiment.num_samples == rehearsal.TEST  # the analyses take no fewer
    if name == "paper_rehearsal":
        assert set(experiment.dataset_keys()) == set(paper.dataset_keys())
        assert {key.model for key in experiment.run_keys()} == {key.model for key in paper.run_keys()}
        assert (experiment.tables, experiment.figures) == (paper.tables, paper.figures)


@pytest.mark.slow
@pytest.mark.needs_data
@pytest.mark.timeout(2400)
def test_two_runs_from_raw_files_to_the_page(repository: Path, find_data, tmp_path: Path) -> None:
    # MNIST is found where the real files are: the folder that holds them all.
    given = find_data("faces").parent
    command = [sys.executable, "-m", "benchmarks.rehearsal", "--from", str(given), "--folder", str(tmp_path), "--small"]
    done = subprocess.run(command, cwd=repository, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False, timeout=2300)
    assert done.returncode == 0
    folder = tmp_path / "results" / "experiments" / "paper_rehearsal"
    assert (folder / "report.html").stat().st_size > 100_000
    table = (folder / "tables" / "results.md").read_text()
    assert "checked by torch-fidelity" in table
    assert "not CelebA" in table and "not N-MNIST" in table
    # A random network's distance is never called FID.
    assert "FID (clean-fid) ↓ (reproduced)" not in table
    assert yaml.safe_load((tmp_path / "configs" / "datasets" / "celeba.yaml").read_text())["simulated"]
