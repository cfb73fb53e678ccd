"""The guides' examples, as they are printed: added from outside the package, found everywhere, no other file touched."""

import csv
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from sgad.analyses.toolbox.findings import write_findings
from sgad.catalogue.discovery import VARIABLE
from sgad.catalogue.lookup import analysis_of
from sgad.catalogue.metrics import metrics
from sgad.cli import cli
from sgad.measures.extractors.features import Features
from sgad.measures.quantities import Comparison
from sgad.reporting.regenerate import regenerate
from sgad.store.collect import collect
from tests.experiments import PROTOCOL, fake_experiment, write_fake


@pytest.fixture
def plugin(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """The Python file of a guide, written out and named by $SGAD_PLUGINS."""
    text = (repository / "docs" / f"{request.param}.md").read_text(encoding="utf-8")
    (name,) = re.findall(r"Save this as `(\w+\.py)`", text)
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    path = tmp_path / name
    path.write_text(code, encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def help_of(command: str, plugin: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(VARIABLE, "")
    done = CliRunner().invoke(cli, ["--plugin", str(plugin), command, "--help"])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("plugin", ["adding-a-metric"], indirect=True)
def test_a_metric_from_outside_is_in_help_rows_tables_figures_and_page(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.search(r"energy_distance\s+energy distance of features", help_of("measure", plugin, monkeypatch))
    rows = np.random.default_rng(0).normal(size=(60, 4))
    near, far = (Comparison(Features(rows + shift), Features(rows[::-1]), "classifier") for shift in (0.0, 3.0))
    assert near.estimate("energy_distance").value == pytest.approx(0, abs=1e-9)
    assert far.estimate("energy_distance").value > 1
    assert metrics()["energy_distance"].place > metrics()["kid"].place

    key = "energy_distance_classifier"
    experiment = fake_experiment(datasets=("digits",), measures=("cfd", key), figures=("bars",))
    write_fake(tmp_path, experiment, values={"cfd": 3.0, key: 0.25})
    collect(experiment, tmp_path / "results", tmp_path / "data")
    written = {path.name: path for path in regenerate(experiment, tmp_path / "results")}
    assert "energy distance (classifier) ↓" in written["results.md"].read_text(encoding="utf-8")
    assert "energy distance (classifier) ↓" in written["bars-digits.svg"].read_text(encoding="utf-8")
    page = written["report.html"].read_text(encoding="utf-8")
    assert "energy distance (classifier)" in page and PROTOCOL in page


@pytest.mark.parametrize("plugin", ["adding-an-analysis"], indirect=True)
def test_an_analysis_from_outside_is_in_help_findings_tables_figures_and_page(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Are samples as bright as the data?" in help_of("analyse", plugin, monkeypatch)
    images = np.full((3, 5, 1, 8, 8), 0.25, np.float32)
    subject = SimpleNamespace(made=SimpleNamespace(steps=images, shown=images[0]), real=2 * images[0])
    found = analysis_of("brightness").measure(SimpleNamespace(subject=subject))  # type: ignore[operator]
    assert [(row.part, row.value) for row in found[-2:]] == [("shown", 0.25), ("data", 0.5)]

    names = ("brightness",)
    experiment = fake_experiment(datasets=("digits",), analyses=names, tables=("results", *names), figures=names)
    write_fake(tmp_path, experiment)
    for key in experiment.run_keys():
        folder = tmp_path / "results/runs" / key.folder
        if folder.is_dir():
            write_findings(folder / "analyses", {"brightness": found})
    collect(experiment, tmp_path / "results", tmp_path / "data")
    written = {path.name: path for path in regenerate(experiment, tmp_path / "results")}
    assert "0.250" in written["brightness.md"].read_text(encoding="utf-8")
    with open(written["brightness.csv"], encoding="utf-8", newline="") as stream:
        assert {row["quantity"] for row in csv.DictReader(stream)} == {"brightness"}
    assert "mean pixel value" in written["brightness-digits.svg"].read_text(encoding="utf-8")
    assert "Brightness of each time step" in written["report.html"].read_text(encoding="utf-8")
