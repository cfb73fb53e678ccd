"""Values once more by torch-fidelity and pytorch-fid, stored next to ours; a difference fails the stage."""

import json

import numpy as np
import pytest

from sgad.errors import InputError, RunFailure
from sgad.measures import cross_check
from sgad.measures.cross_check import Opinion, checked_by
from sgad.measures.mathematics.frechet import frechet_distance_of_features
from sgad.measures.stage import measure_to_file

N = 12


@pytest.fixture(scope="module")
def sets(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    np.save(folder / "a.npy", digits[0][:N])
    np.save(folder / "b.npy", digits[0][100 : 100 + N])
    return folder / "a.npy", folder / "b.npy"


def test_torch_fidelity_agrees(sets, small_inception, tmp_path):
    document = measure_to_file(
        *sets,
        ["is_inception_clean", "precision_inception_clean"],
        tmp_path / "m.json",
        weights=small_inception,
        cross_check=True,
    )
    score, precision = document["metrics"]
    assert checked_by(score) == checked_by(precision) == "torch-fidelity 0.4.0"
    assert score["details"]["cross_check"][0]["relative_difference"] < 1e-3


@pytest.mark.slow  # the root of two matrices of 2048 x 2048, twice, takes most of it
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("protocol", ["torch-fidelity", "pytorch-fid", "clean"])
def test_both_packages_agree_and_are_named(sets, small_inception, tmp_path, protocol):
    measures = ["fid", "is", "kid", "prc"] if protocol == "torch-fidelity" else ["fid"]
    out = tmp_path / "m.json"
    measure_to_file(*sets, measures, out, weights=small_inception, protocol=protocol, cross_check=True)
    rows = {row["metric"].split("_")[0]: row for row in json.loads(out.read_text())["metrics"]}
    assert checked_by(rows["fd"]) == "torch-fidelity 0.4.0, pytorch-fid 0.3.0"
    for row in rows.values():
        first = row["details"]["cross_check"][0]
        assert first["by"] == "torch-fidelity 0.4.0"
        assert first["relative_difference"] <= 1e-3 or row["metric"].startswith(("precision", "recall"))


def _opinion(monkeypatch, opinions):
    monkeypatch.setattr(cross_check, "_opinions", lambda *_: opinions)


def test_a_difference_fails_with_both_numbers_and_writes_nothing(sets, small_inception, tmp_path, monkeypatch):
    _opinion(monkeypatch, {"fid": [Opinion("torch-fidelity 9", 1e6)]})
    with pytest.raises(
        RunFailure, match=r"cross-check of fd_inception_clean_\w+: [\d.]+ here, 1000000 by torch-fidelity 9"
    ):
        measure_to_file(*sets, ["fid"], tmp_path / "m.json", weights=small_inception, cross_check=True)
    assert not (tmp_path / "m.json").exists()


def test_a_package_that_fails_is_no_failure_of_ours(sets, small_inception, tmp_path, monkeypatch):
    _opinion(monkeypatch, {"fid": [Opinion("pytorch-fid 0.3.0", None, "Imaginary component 0.075")]})
    document = measure_to_file(*sets, ["fid"], tmp_path / "m.json", weights=small_inception, cross_check=True)
    (row,) = document["metrics"]
    assert row["details"]["cross_check"][0]["reason"] == "Imaginary component 0.075"
    assert checked_by(row) == ""


def test_rounding_may_move_two_images_over_a_border(sets):
    row = {"metric": "recall_inception_tf1", "value": 0.5, "details": {}}
    assert cross_check._with(row, "recall", [Opinion("x", 0.501)], 1000)["details"]["cross_check"]
    with pytest.raises(RunFailure, match=r"0\.5 here, 0\.503 by x"):
        cross_check._with(row, "recall", [Opinion("x", 0.503)], 1000)


def test_a_kid_of_nearly_nothing_is_judged_by_its_spread():
    row = {"metric": "kid_inception_tf1", "value": 1e-9, "details": {"subsets_mean": 1e-9, "subsets_deviation": 1e-3}}
    assert cross_check._with(row, "kid", [Opinion("x", -1e-9)], 100)["details"]["cross_check"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"draws": 2}, "one set of images, not 2 draws"), ({"half": True}, "compares full precision")],
)
def test_what_cannot_be_checked_is_refused(sets, small_inception, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        measure_to_file(*sets, ["fid"], tmp_path / "m.json", weights=small_inception, cross_check=True, **options)


def test_statistics_cannot_be_checked(sets, small_inception, tmp_path):
    np.savez(tmp_path / "s.npz", mu=np.zeros(3), sigma=np.eye(3))
    with pytest.raises(InputError, match="needs reference images, not statistics"):
        measure_to_file(
            sets[0], tmp_path / "s.npz", ["fid"], tmp_path / "m.json", weights=small_inception, cross_check=True
        )


def test_the_distance_within_the_span_of_few_features_is_the_distance(random):
    from pytorch_fid import fid_score

    few, wide = random.normal(size=(12, 40)), random.normal(0.5, 1, (14, 40))
    shorter = few[:, :20], wide[:, :20]
    for sets in ((few, wide), shorter):
        expected = frechet_distance_of_features(*sets)
        with cross_check._quiet():
            assert cross_check._distance(fid_score, sets) == pytest.approx(expected, rel=1e-4)


def test_a_value_that_is_no_number_is_no_opinion():
    assert cross_check._opinion("x", 1.5) == Opinion("x", 1.5)
    assert cross_check._opinion("x", float("nan")) == Opinion("x", None, "its value is nan")
