"""`sgad verify`: own results against the reference, on made-up numbers and on stored ones of two processors."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from sgad.cli import main
from sgad.config.experiment import ExperimentConfig
from sgad.errors import InputError
from sgad.machine.files import write_json
from sgad.reporting.verification import verification_table
from sgad.store.publish import write_reference
from sgad.store.stored import Stored, read_folder, read_stored
from sgad.store.verify import COLUMNS, Agreement, compare, two_sample, verify

TWO = Path(__file__).with_name("two_processors")


def changed(stored: Stored, change: "dict[str, float]", **where: object) -> Stored:
    """The stored results with values of the named metrics multiplied."""
    metrics = stored.metrics.copy()
    for metric, factor in change.items():
        rows = metrics["metric"] == metric
        for column, value in where.items():
            rows &= metrics[column] == value
        metrics.loc[rows, "value"] *= factor
    return replace(stored, metrics=metrics)


@pytest.fixture
def both(tmp_path: Path, results: Path) -> Path:
    """A results folder with the made-up experiment as own results and as the reference."""
    target = tmp_path / "results"
    shutil.copytree(results / "experiments", target / "experiments")
    write_reference(target / "experiments/fake", target / "reference/fake", {})
    return target


def test_the_same_numbers_are_equal_to_the_bit(both: Path) -> None:
    found = verify("fake", both)
    assert found.reproduces
    assert tuple(found.rows.columns) == COLUMNS
    assert set(found.rows["agreement"]) == {str(Agreement.EQUAL)}
    count = len(found.rows)
    assert found.verdict() == (
        f"reproduces the reference: {count} of {count} values within the seeds' spread, {count} equal to the bit"
    )
    assert set(found.by_dataset()) == {"digits", "mnist"}


def test_another_number_of_threads_is_named_where_values_differ(both: Path) -> None:
    own = both / "experiments/fake"
    provenance = json.loads((own / "provenance.json").read_text())
    name = sorted(provenance["runs"])[0]
    record = provenance["runs"][name]["record"]
    provenance["runs"][name]["record"] = {**record, "threads": 2, "earlier_sessions": [{"threads": 1}]}
    write_json(own / "provenance.json", provenance)
    frame = pd.read_csv(own / "metrics.csv", keep_default_na=False, dtype=str)
    dataset, model, variant, seed = name.split("/")
    chosen = (frame[["dataset", "model", "variant"]] == [dataset, model, variant]).all(axis=1)
    chosen &= (frame["seed"] == seed.removeprefix("seed")) & (frame["value"] != "")
    frame.loc[chosen, "value"] = [f"{float(value) * (1 + 1e-9)!r}" for value in frame.loc[chosen, "value"]]
    frame.to_csv(own / "metrics.csv", index=False)
    rows = verify("fake", both).rows
    named = rows[rows["reason"] == "CPU threads 1 + 2, the reference's 1"]
    assert len(named) == chosen.sum() > 0
    assert set(named["agreement"]) == {str(Agreement.WITHIN)} and set(named["model"]) == {model}


def test_stored_numbers_of_another_processor_are_within_the_spread() -> None:
    own, reference = (read_folder(TWO / side) for side in ("own", "reference"))
    assert set(own.runs["machine"]) != set(reference.runs["machine"])
    found = compare(own, reference)
    assert found.reproduces
    assert set(found.rows["agreement"]) == {str(Agreement.WITHIN)}
    assert found.rows["p"].between(0.05, 1).all()


def test_a_broken_recipe_is_different(stored: Stored) -> None:
    # Twenty times the distance, as of a network that was never trained.
    broken = changed(stored, {"cfd": 20.0}, model="sgad", dataset="digits")
    found = compare(broken, stored)
    rows = found.rows[found.rows["agreement"] == str(Agreement.DIFFERENT)]
    assert not found.reproduces
    assert set(rows["model"]) == {"sgad"}
    assert set(rows["metric"]) == {"cfd"}
    assert (rows["p_adjusted"] < 0.05).all()
    assert "differs from the reference" in found.verdict()
    assert "cannot" not in found.by_dataset()["mnist"]


def test_small_changes_of_every_seed_are_within(stored: Stored) -> None:
    found = compare(changed(stored, {"cfd": 1.001}, model="sgan"), stored)
    assert found.reproduces
    assert found.count(Agreement.WITHIN) > 0


def test_one_own_seed_is_judged_by_the_reference_spread(stored: Stored) -> None:
    is_one = (stored.metrics["seed"] == 0) | stored.metrics["seed"].isna()
    one = replace(changed(stored, {"cfd": 1.01}), metrics=changed(stored, {"cfd": 1.01}).metrics[is_one.to_numpy()])
    found = compare(one, stored)
    assert found.count(Agreement.ABSENT) > 0
    cells = found.rows[(found.rows["metric"] == "cfd") & (found.rows["seed"] == 0)]
    assert set(cells["agreement"]) == {str(Agreement.WITHIN)}
    assert set(cells["n"]) == {1}


def test_a_run_that_diverged_here_alone_is_different(stored: Stored) -> None:
    metrics = stored.metrics.copy()
    rows = (metrics["model"] == "sgan") & (metrics["seed"] == 0)
    metrics.loc[rows, "value"] = math.nan
    metrics.loc[rows, "status"] = "diverged: loss was NaN"
    found = compare(replace(stored, metrics=metrics), stored)
    assert not found.reproduces
    assert set(found.rows[found.rows["agreement"] == str(Agreement.DIFFERENT)]["model"]) == {"sgan"}


def test_the_test_is_students(stored: Stored) -> None:
    own, reference = [1.0, 2.5, 2.0], [3.0, 4.0, 3.2]
    found = two_sample(own, reference)
    expected = stats.ttest_ind(own, reference, equal_var=True)
    interval = expected.confidence_interval(0.95)
    assert found is not None
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_single_values_leave_no_spread(stored: Stored) -> None:
    assert two_sample([1.0], [2.0]) is None
    single = stored.metrics[(stored.metrics["seed"] == 0)]
    runs = stored.runs[stored.runs["seed"] == 0]
    reference = replace(stored, metrics=single, runs=runs)
    found = compare(changed(reference, {"cfd": 1.5}), reference)
    assert found.count(Agreement.UNKNOWN) > 0
    assert "of a single seed each" in found.verdict()


def test_another_protocol_is_not_compared(stored: Stored) -> None:
    other = replace(stored, metrics=stored.metrics.assign(protocol="another classifier"))
    found = compare(other, stored)
    assert set(found.rows["agreement"]) == {str(Agreement.OTHER)}
    assert not found.reproduces
    assert "cannot be told" in found.verdict()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: shutil.rmtree(root / "experiments"), "holds no own results"),
        (lambda root: shutil.rmtree(root / "reference"), "has no fake"),
        (lambda root: (root / "reference/fake/metrics.csv").write_text("dataset\n"), "metrics.csv was edited"),
        (lambda root: (root / "reference/fake/runs.csv").unlink(), "runs.csv is gone"),
        (lambda root: (root / "reference/fake/provenance.json").write_text("{"), "provenance.json"),
        (lambda root: (root / "experiments/fake/metrics.csv").write_text("torn,"), "lacks the column"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(both: Path, spoil: object, said: str) -> None:
    assert callable(spoil)
    spoil(both)
    with pytest.raises(InputError, match=said):
        verify("fake", both)


def test_other_configurations_and_measures_are_refused(stored: Stored) -> None:
    other = replace(stored, runs=stored.runs.assign(config_hash="0ther"))
    with pytest.raises(InputError, match="was trained with configuration 0ther"):
        compare(other, stored)
    with pytest.raises(InputError, match="none of the reference's measures"):
        compare(replace(stored, metrics=stored.metrics.assign(metric="kid_classifier")), stored)


def test_the_command_says_its_verdict_and_exits_with_it(
    both: Path, tmp_path: Path, experiment: ExperimentConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fake.yaml"
    write_json(path, experiment.model_dump(mode="json"))  # JSON is YAML
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(path), "--results", str(both)])
    assert ended.value.code == 0
    assert "fake reproduces the reference" in capsys.readouterr().out
    table = pd.read_csv(both / "experiments/fake/verify.csv")
    assert tuple(table.columns) == COLUMNS
    assert "equal to the bit" in (both / "experiments/fake/verify.md").read_text()

    own = both / "experiments/fake/metrics.csv"
    frame = pd.read_csv(own, keep_default_na=False, dtype={"value": str})
    is_broken = (
        (frame["dataset"] == "digits")
        & (frame["model"] == "sgad")
        & (frame["metric"] == "cfd")
        & (frame["value"] != "")
    )
    frame.loc[is_broken, "value"] = [str(float(value) + 1000) for value in frame.loc[is_broken, "value"]]
    frame.to_csv(own, index=False)
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(path), "--results", str(both), "--brief"])
    out = capsys.readouterr()
    assert ended.value.code == 1
    assert "fake differs from the reference: 2 of " in out.out
    assert "does not reproduce the reference" in out.err


def test_the_table_has_a_row_for_every_value(both: Path) -> None:
    found = verify("fake", both)
    table = verification_table(found)
    assert sum(len(rows) for _, rows in table.blocks) == len(found.rows)
    assert read_stored(both, "fake").out == both / "experiments/fake"
