"""What each change is worth, and which variants a search goes on with, on numbers made by hand."""

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from sgad.cli import cli
from sgad.config.experiment import ExperimentConfig, load_experiment
from sgad.errors import InputError
from sgad.reporting.tables.effects import effects_csv, effects_tables, halve, with_length
from sgad.store.collect import collect
from sgad.store.comparisons import compare
from sgad.store.stored import read_stored
from sgad.store.summary import summarise
from tests.experiments import fake_experiment, write_fake

VARIANTS = ("base+max_steps=5", "bad+max_steps=5", "good+max_steps=5", "better+max_steps=5")
VALUES = {"base": 10.0, "bad": 14.0, "good": 8.0, "better": 5.0}


def made_up(**changes: object) -> ExperimentConfig:
    fields = {"datasets": ("digits",), "models": ("sgad",), "variants": VARIANTS, "seeds": (0, 1), "title": "Search"}
    fields |= {"purpose": "search", "measures": ("cfd_val",)}
    return fake_experiment(**{**fields, **changes})


def numbers_of(values: dict[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Metrics and runs of three seeds a variant, around its value; ccs is better where cfd is worse."""
    rows, runs = [], []
    for variant, value in values.items():
        for seed, shift in ((0, -1.0), (1, 1.0), (2, 0.0)):
            key = {"dataset": "digits", "model": "sgad", "variant": f"{variant}+max_steps=5", "seed": seed}
            for metric in ("cfd", "ccs", "cfd_val"):
                row = {"family": "snn", "time_steps": 4, "metric": metric, "value": value + shift * (1 + value / 1e3)}
                rows.append(key | row | {"n": 100, "protocol": "p", "status": "completed"})
            runs.append(key | {"status": "completed", "steps": 5})
    runs = pd.DataFrame(runs)
    return pd.DataFrame(rows), runs


def summary_of(values: dict[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    metrics, runs = numbers_of(values)
    return summarise(metrics, runs), runs


CAPTIONS = {"title": "Search", "note": "", "variants": {}, "datasets": {"digits": {"title": "Digits", "note": ""}}}


def test_variants_stand_in_order_with_their_difference_to_the_first() -> None:
    metrics, runs = numbers_of(VALUES)
    summary, compared = summarise(metrics, runs), compare(metrics)
    (table,) = effects_tables(summary, runs, CAPTIONS, compared)
    rows = [[cell.text for cell in row] for row in table.blocks[0][1]]
    assert [row[0].partition("+")[0] for row in rows] == ["base", "better", "good", "bad"]
    assert {(row[1], row[2]) for row in rows} == {("4", "5")}
    assert [row[3] for row in rows] == ["10.00", "5.00 (-5.00)", "8.00 (-2.00)", "14.00 (+4.00)"]
    # Better than the first beyond chance is bold: lower for cfd, higher for ccs.
    assert [[cell.is_best for cell in row[3:5]] for row in table.blocks[0][1]] == [
        [False, False], [True, False], [True, False], [False, True],
    ]  # fmt: skip
    assert "difference to the first row, base+max_steps=5" in table.caption
    lines = list(csv.DictReader(io.StringIO(effects_csv(summary, compared))))
    differences = {line["variant"]: float(line["difference"]) for line in lines if line["metric"] == "cfd"}
    assert differences["better+max_steps=5"] == -5.0
    assert [line["verdict"] for line in lines if line["metric"] == "cfd"] == ["", "worse", "better", "better"]
    assert "" not in {line["p_holm"] for line in lines if line["variant"] != line["base"] and line["metric"] == "cfd"}


def test_a_variant_that_was_not_trained_has_no_length() -> None:
    summary, runs = summary_of(VALUES)
    runs["steps"] = runs["steps"].astype("Int64").mask(runs["variant"] == "bad+max_steps=5")
    (table,) = effects_tables(summary, runs, CAPTIONS, [])
    assert not any(cell.is_best for row in table.blocks[0][1] for cell in row)
    assert {row[0].text.partition("+")[0]: row[2].text for row in table.blocks[0][1]} == {
        "base": "5", "better": "5", "good": "5", "bad": "–",
    }  # fmt: skip


def test_the_better_variants_go_on_and_train_longer() -> None:
    summary, _ = summary_of(VALUES)
    following = halve(made_up(), summary, "cfd_val", keep=2, steps=20, name="next")
    assert (following.title, following.note) == (
        "The best of fake, trained longer",
        "successive halving of fake: 20 update pairs a run",
    )
    assert following.variants == ("base+max_steps=20", "good+max_steps=20", "better+max_steps=20")
    assert following.name == "next" and following.seeds == (0, 1)


def test_a_variant_without_a_value_goes_last() -> None:
    summary, _ = summary_of({name: value for name, value in VALUES.items() if name != "bad"})
    assert halve(made_up(), summary, "cfd_val", keep=2, steps=9, name="n").variants[1:] == (
        "good+max_steps=9",
        "better+max_steps=9",
    )


def test_a_length_is_replaced_or_added() -> None:
    assert with_length("stable+max_steps=5+tau=4", 9) == "stable+tau=4+max_steps=9"
    assert with_length("stable", 9) == "stable+max_steps=9"


@pytest.mark.parametrize(
    ("changes", "metric", "keep", "message"),
    [
        ({}, "fad_val", 1, "holds no values of 'fad_val'"),
        ({}, "cfd", 1, "--metric must be one of cfd_val, fad_eval_val, fad_val, got 'cfd'"),
        ({"purpose": "comparison"}, "cfd_val", 1, "purpose is 'comparison'; recipes are chosen by a search"),
        ({}, "cfd_val", 3, "--keep must be between 1 and 2, got 3"),
        ({"runs": ({"datasets": ("mnist",), "models": ("sgad",)},)}, "cfd_val", 1, "lists its variants in `variants`"),
    ],
)
def test_what_cannot_be_halved_is_said(changes: dict[str, object], metric: str, keep: int, message: str) -> None:
    summary, _ = summary_of(VALUES)
    with pytest.raises(InputError, match=message):
        halve(made_up(**changes), summary, metric, keep, 9, "next")


def test_the_command_writes_an_experiment_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = made_up(variants=("quick", "quick+tau=3", "quick+tau=4"), seeds=(0, 1), measures=("cfd_val",))
    write_fake(tmp_path, experiment)
    collect(experiment, tmp_path / "results", tmp_path / "data")
    (tmp_path / "fake.yaml").write_text(
        "title: Search\ndatasets: [digits]\nmodels: [sgad]\nvariants: [quick, quick+tau=3, quick+tau=4]\nseeds: [0, 1]\n"
        "purpose: search\nmeasures: [cfd_val]\n"
    )
    words = ["halve", "fake.yaml", "--metric", "cfd_val", "--keep", "1", "--steps", "50", "--out", "next.yaml"]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.output == "next.yaml\n"
    following = load_experiment("next.yaml")
    assert following.variants[0] == "quick+max_steps=50" and len(following.variants) == 2
    assert read_stored(tmp_path / "results", "fake").runs["variant"].nunique() == 3
