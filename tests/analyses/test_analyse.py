"""The analyse stage on a run that was trained for two update pairs: everything that it writes, and what it refuses."""

import csv
from pathlib import Path

import pytest

from sgad.analyses.alignment.neurons import synthetic_neurons_of, write_neurons
from sgad.analyses.analyse import AnalyseRequest, analyse_run
from sgad.analyses.toolbox.findings import COLUMNS
from sgad.catalogue import lookup
from sgad.config.compose import resolve
from sgad.config.experiment import ExperimentConfig
from sgad.config.validation import validated
from sgad.errors import InputError
from sgad.runs.record import read_record
from sgad.sampling import Statistics
from sgad.training.run import TrainRequest, record_failure, train_run

ANALYSES = tuple(lookup.analyses())

SETTINGS = {"max_steps": 2, "time_steps": 2, "batch_size": 8, "grid_every": 10}


@pytest.fixture(scope="module")
def run(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    config = resolve("digits", "sgad", "quick", settings=SETTINGS).config
    train_run(TrainRequest(config, digits, folder, device="cpu", threads=1), lambda message: None)
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    found = []
    for path in sorted(folder.glob("*.csv")):
        with open(path, newline="", encoding="utf-8") as stream:
            found += list(csv.DictReader(stream))
    return found


def test_every_analysis_leaves_rows_and_pictures(run: Path, digits: Path, tmp_path: Path) -> None:
    write_neurons(tmp_path / "neurons.npz", synthetic_neurons_of(digits, 20))
    folder = analyse_run(AnalyseRequest(run, digits, ANALYSES, 24, tmp_path / "neurons.npz"))
    assert {path.stem for path in folder.iterdir()} == set(ANALYSES)
    rows = rows_of(folder)
    assert tuple(rows[0]) == COLUMNS
    computed = {row["analysis"] for row in rows if row["status"] == "computed"}
    assert computed == set(ANALYSES) - {"events"}
    absent = {row["status"] for row in rows if row["status"] != "computed"}
    # The digits' classifiers come with the package; FSVAE's autoencoder of them does not exist.
    assert any(status.startswith("not computed: weights absent") for status in absent)
    assert {row["status"] for row in rows if row["part"] == "classifier"} == {"computed"}
    assert "not computed: the run makes still images" in absent
    for name in ("through-time.png", "interpolation.png", "neighbours.png"):
        assert (run / name).stat().st_size > 100
    # Direct encoding, static images: the critic is shown what a person is shown, at both steps.
    gaps = [float(row["value"]) for row in rows if (row["quantity"], row["part"]) == ("critic_to_shown", "pixels")]
    assert gaps == [0.0, 0.0]
    layers = {row["part"] for row in rows if row["quantity"] == "rsa"}
    assert layers == {"pixels", "neurons1", "neurons2", "neurons3", "score"}


def test_the_statistics_are_those_that_samples_are_drawn_with(run: Path, digits: Path) -> None:
    def first_pixel_gap(statistics: Statistics | None) -> float:
        folder = analyse_run(AnalyseRequest(run, digits, ("domain_gap",), 24, statistics=statistics))
        rows = [row for row in rows_of(folder) if row["analysis"] == "domain_gap"]
        return next(
            float(row["value"]) for row in rows if (row["quantity"], row["part"]) == ("shown_to_data", "pixels")
        )

    own = first_pixel_gap(None)
    assert first_pixel_gap("recalibrated") == own != first_pixel_gap("running")


def test_a_run_in_double_precision_is_analysed(digits: Path, tmp_path: Path) -> None:
    config = resolve("digits", "sgad", "quick", settings={**SETTINGS, "dtype": "float64", "engine": "torch"}).config
    train_run(TrainRequest(config, digits, tmp_path, device="cpu", threads=1), lambda message: None)
    rows = rows_of(analyse_run(AnalyseRequest(tmp_path, digits, ("energy", "temporal_gap"), 24)))
    assert {row["analysis"] for row in rows if row["status"] == "computed"} == {"energy", "temporal_gap"}


def test_a_failed_run_says_so_in_every_analysis(digits: Path, tmp_path: Path) -> None:
    config = resolve("digits", "sgad", "quick", settings=SETTINGS).config
    record_failure(TrainRequest(config, digits, tmp_path / "run"), "loss was NaN")
    assert read_record(tmp_path / "run").status == "failed"
    rows = rows_of(analyse_run(AnalyseRequest(tmp_path / "run", digits, ("energy", "domain_gap"))))
    assert [row["status"] for row in rows] == ["not computed: run failed: loss was NaN"] * 2


@pytest.mark.parametrize(
    ("request_of", "sentence"),
    [
        (lambda folder: AnalyseRequest(folder, folder, ("enegy",)), "did you mean 'energy'"),
        (lambda folder: AnalyseRequest(folder, folder, ("alignment",)), "needs recorded responses"),
        (lambda folder: AnalyseRequest(folder, folder, ("energy",)), "train the run first"),
    ],
)
def test_wrong_requests_end_in_a_sentence(request_of, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        analyse_run(request_of(tmp_path))


def test_alignment_and_neurons_go_together() -> None:
    content = {"name": "a", "title": "A", "datasets": ["digits"], "models": ["sgad"]}
    for wrong in ({"analyses": ["alignment"]}, {"neurons": "synthetic"}):
        with pytest.raises(InputError, match="go together"):
            validated(ExperimentConfig, content | wrong, "a.yaml")
    assert validated(ExperimentConfig, content | {"analyses": ["alignment"], "neurons": "synthetic"}, "a.yaml")
