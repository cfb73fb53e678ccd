import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from sgad.config.compose import run_hash
from sgad.config.experiment import ExperimentConfig, RunKey
from sgad.errors import InputError
from sgad.reporting.tables.results import results_table
from sgad.runs.status import run_state
from sgad.store.collect import collect
from sgad.store.histories import DETAILED_ROWS, HISTORY_ROWS
from sgad.store.pictures import STEPS_KEPT
from sgad.store.stored import METRIC_COLUMNS, RUN_COLUMNS, read_stored
from sgad.store.summary import summarise


@pytest.fixture
def small(tmp_path: Path, fake: SimpleNamespace) -> tuple[Path, ExperimentConfig]:
    """A root with one data set of the fake experiment, to be spoilt by a test."""
    experiment = fake.experiment(datasets=("digits",), seeds=(0, 1))
    fake.write(tmp_path, experiment)
    return tmp_path, experiment


def collected(root: Path, experiment: ExperimentConfig) -> Path:
    return collect(experiment, root / "results", root / "data").parent


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_columns_are_the_promised_ones(results: Path) -> None:
    folder = results / "experiments" / "fake"
    assert (folder / "metrics.csv").read_text().splitlines()[0] == ",".join(METRIC_COLUMNS)
    assert (folder / "runs.csv").read_text().splitlines()[0] == ",".join(RUN_COLUMNS)


def test_every_listed_run_has_its_row_whatever_became_of_it(results: Path, experiment: ExperimentConfig) -> None:
    rows = rows_of(results / "experiments" / "fake" / "runs.csv")
    assert [(row["dataset"], row["model"], row["variant"], int(row["seed"])) for row in rows] == experiment.run_keys()
    ends = {(row["model"], row["seed"]): (row["status"], row["reason"]) for row in rows}
    assert ends["sgad", "1"] == ("absent", "not trained")
    assert ends["swgan", "1"][0] == "diverged"
    assert "NaN at step 40" in ends["swgan", "1"][1]


def test_metrics_say_why_a_value_is_missing(results: Path, fake: SimpleNamespace) -> None:
    rows = rows_of(results / "experiments" / "fake" / "metrics.csv")
    cells = {(row["dataset"], row["model"], row["seed"], row["metric"]): row for row in rows}
    good, bad = cells["digits", "sgad", "0", "cfd"], cells["digits", "swgan", "1", "cfd"]
    assert (good["value"], good["status"], good["protocol"]) == ("20.0", "completed", fake.protocol)
    assert (bad["value"], bad["status"]) == ("", f"diverged: {fake.reason}")
    assert cells["digits", "sgad", "1", "ccs"]["status"] == "absent: not trained"
    assert cells["digits", "real_train", "", "cfd"]["value"] == "0.5"


def test_an_unmeasured_run_and_a_measure_left_out_are_told_apart(small: tuple[Path, ExperimentConfig]) -> None:
    root, experiment = small
    runs = root / "results" / "runs" / "digits"
    (runs / "sgan/quick/seed0/metrics.json").unlink()
    path = runs / "sgan/quick/seed1/metrics.json"
    content = json.loads(path.read_text())
    content["metrics"] = [row for row in content["metrics"] if row["metric"] != "ccs"]
    content["metrics"][0] |= {"value": None, "status": "not computed: weights absent"}
    path.write_text(json.dumps(content))
    (runs / "sgad/quick/seed0/metrics.json").write_text("{broken")
    rows = rows_of(collected(root, experiment) / "metrics.csv")
    status = {(row["model"], row["seed"], row["metric"]): row["status"] for row in rows}
    assert status["sgan", "0", "cfd"] == "not computed: not measured"
    assert status["sgan", "1", "cfd"] == "not computed: weights absent"
    assert status["sgan", "1", "ccs"] == "not computed: not asked for when the run was measured"
    assert "not a readable JSON file" in status["sgad", "0", "cfd"]


def test_a_broken_record_is_a_failed_run(small: tuple[Path, ExperimentConfig]) -> None:
    root, experiment = small
    (root / "results/runs/digits/sgan/quick/seed0/run.json").write_text('{"dataset": "digits"}')
    rows = rows_of(collected(root, experiment) / "runs.csv")
    assert rows[0]["status"] == "failed"
    assert "run.json" in rows[0]["reason"]


@pytest.mark.parametrize("source", ["sgan/quick/seed0", "sgad/quick/seed0"])
def test_a_run_copied_into_the_folder_of_another_is_set_aside(
    small: tuple[Path, ExperimentConfig], source: str
) -> None:
    root, experiment = small
    runs = root / "results/runs/digits"
    before = rows_of(collected(root, experiment) / "metrics.csv")
    shutil.rmtree(runs / "sgan/quick/seed1")
    shutil.copytree(runs / source, runs / "sgan/quick/seed1")
    folder = collected(root, experiment)
    ends = {(row["model"], row["seed"]): row for row in rows_of(folder / "runs.csv")}
    assert ends["sgan", "1"]["status"] == "failed"
    assert f"set aside: run.json is of digits/{source}, a copy" in ends["sgan", "1"]["reason"]
    rows = rows_of(folder / "metrics.csv")
    copied = [row for row in rows if (row["model"], row["seed"]) == ("sgan", "1")]
    assert copied
    assert all(row["status"].startswith("set aside: run.json is of") for row in copied if row["value"])
    # What is used of the others is as before, and the pair of seeds is no longer one of equal values.
    others = [row for row in rows if (row["model"], row["seed"]) != ("sgan", "1")]
    assert others == [row for row in before if (row["model"], row["seed"]) != ("sgan", "1")]
    stored = read_stored(root / "results", experiment.name)
    table = summarise(stored.metrics, stored.runs)
    assert set(table[(table["model"] == "sgan") & (table["metric"] == "cfd")]["n"]) == {1}
    assert not [row for row in rows_of(folder / "histories.csv") if (row["model"], row["seed"]) == ("sgan", "1")]
    state = run_state(RunKey("digits", "sgan", "quick", 1), runs / "sgan/quick/seed1", root / "logs")
    assert (state.status, "delete digits/sgan/quick/seed1 and train it" in state.reason) == ("failed", True)


def test_long_histories_are_thinned_with_both_ends(tmp_path: Path, fake: SimpleNamespace) -> None:
    experiment = fake.experiment(datasets=("digits",), models=("sgan",), seeds=(0,))
    fake.write(tmp_path, experiment, num_rows=1003)
    with open(tmp_path / "results/runs/digits/sgan/quick/seed0/history.csv", "a") as stream:
        stream.write("10040,50.2,-0.1")  # cut short by a kill
    rows = rows_of(collected(tmp_path, experiment) / "histories.csv")
    steps = [int(row["step"]) for row in rows]
    assert len(rows) == HISTORY_ROWS
    assert (steps[0], steps[-1]) == (10, 10030)
    assert steps == sorted(set(steps))


def test_layers_stand_beside_what_was_logged_of_their_step(tmp_path: Path, fake: SimpleNamespace) -> None:
    experiment = fake.experiment(datasets=("digits",), models=("sgan",), seeds=(0,))
    fake.write(tmp_path, experiment, num_rows=1003)
    with open(tmp_path / "results/runs/digits/sgan/quick/seed0/layers.csv", "a") as stream:
        stream.write("10030,generator,neurons")  # cut short by a kill
    rows = rows_of(collected(tmp_path, experiment) / "histories.csv")
    detailed = [row for row in rows if row["firing_rate/generator/neurons1"]]
    assert len(detailed) == DETAILED_ROWS
    assert detailed[0] == rows[0] and detailed[-1] == rows[-1]
    for row in detailed:
        assert float(row["firing_rate/discriminator/neurons1"]) == pytest.approx(0.2 + int(row["step"]) / 1e5)


def test_pictures_are_small_and_those_of_other_runs_go(small: tuple[Path, ExperimentConfig]) -> None:
    root, experiment = small
    folder = collected(root, experiment)
    grids = folder / "grids"
    assert (grids / "digits-sgan-quick-seed0.png").stat().st_size < 60_000
    assert 1 < len(list((grids / "digits-sgan-quick-seed0").glob("step-*.webp"))) <= STEPS_KEPT
    assert not (grids / "digits-swgan-quick-seed1.png").exists()
    collect(experiment.model_copy(update={"models": ("sgad",)}), root / "results", root / "data")
    assert {path.name.split("-")[1] for path in grids.iterdir()} == {"sgad"}


def test_collecting_twice_gives_the_same_bytes(small: tuple[Path, ExperimentConfig]) -> None:
    root, experiment = small
    folder = collected(root, experiment)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    collected(root, experiment)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_stored_results_are_not_forgotten_with_the_runs(small: tuple[Path, ExperimentConfig]) -> None:
    root, experiment = small
    folder = collected(root, experiment)
    before = (folder / "metrics.csv").read_bytes()
    shutil.rmtree(root / "results" / "runs")
    with pytest.raises(InputError, match="sgad regenerate fake"):
        collected(root, experiment)
    assert (folder / "metrics.csv").read_bytes() == before


def by_todays_configuration(root: Path, experiment: ExperimentConfig) -> None:
    """Let the fake runs name the configuration that the tree has."""
    for key in experiment.run_keys():
        path = root / "results" / "runs" / key.folder / "run.json"
        if path.is_file():
            path.write_text(json.dumps(json.loads(path.read_text()) | {"config_hash": run_hash(key)}))


def test_runs_that_were_collected_keep_their_rows_when_their_folders_are_gone(
    small: tuple[Path, ExperimentConfig],
) -> None:
    root, experiment = small
    by_todays_configuration(root, experiment)
    folder = collected(root, experiment)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    # Another machine: the repository has the results, neither runs nor data.
    shutil.rmtree(root / "results" / "runs" / "digits" / "sgan")
    shutil.rmtree(root / "data")
    collected(root, experiment)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    shutil.rmtree(root / "results" / "runs")
    collected(root, experiment)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_values_by_another_machine_s_classifiers_are_kept_and_set_aside(small: tuple[Path, ExperimentConfig]) -> None:
    root, experiment = small
    by_todays_configuration(root, experiment)
    folder = collected(root, experiment)
    before = (folder / "metrics.csv").read_bytes()
    runs = root / "results" / "runs" / "digits"
    shutil.move(runs / "sgan" / "quick" / "seed0", root / "gone")
    others = list(runs.rglob("metrics.json"))
    first = {path: path.read_text() for path in others}
    for path, text in first.items():
        path.write_text(text.replace("classifier ab12cd34", "classifier ffffffff"))
    collected(root, experiment)
    rows = [row for row in rows_of(folder / "metrics.csv") if row["metric"] == "cfd" and row["value"] and row["seed"]]
    aside = [row for row in rows if row["status"].startswith("set aside: ")]
    assert len(rows) > len(aside) > 0
    assert [(row["model"], row["seed"]) for row in aside] == [("sgan", "0")]
    assert aside[0]["status"] == f"set aside: measured by another protocol than {len(rows) - len(aside)} other runs"
    stored = read_stored(root / "results", experiment.name)
    summary = summarise(stored.metrics, stored.runs)
    cell = summary[(summary["model"] == "sgan") & (summary["metric"] == "cfd")].iloc[0]
    assert (cell["n"], cell["set_aside"]) == (1, 1)
    assert (
        ": without 1 run measured by other networks"
        in results_table(summary, stored.runs, stored.captions, "digits").caption
    )
    # The other runs measured again as the stored ones were: nothing is left of the mark.
    for path, text in first.items():
        path.write_text(text)
    collected(root, experiment)
    assert (folder / "metrics.csv").read_bytes() == before


def test_rows_of_another_configuration_are_not_kept(small: tuple[Path, ExperimentConfig]) -> None:
    root, experiment = small
    by_todays_configuration(root, experiment)
    old = root / "results" / "runs" / "digits" / "sgan" / "quick" / "seed0"
    record = json.loads((old / "run.json").read_text())
    (old / "run.json").write_text(json.dumps(record | {"config_hash": "0ld0ld0ld"}))
    folder = collected(root, experiment)
    shutil.rmtree(root / "results" / "runs" / "digits" / "sgan")
    collected(root, experiment)
    statuses = {(row["model"], row["seed"]): row["status"] for row in rows_of(folder / "runs.csv")}
    assert (statuses["sgan", "0"], statuses["sgan", "1"]) == ("absent", "completed")
    values = {
        (row["model"], row["seed"]): row["value"] for row in rows_of(folder / "metrics.csv") if row["metric"] == "cfd"
    }
    assert values["sgan", "0"] == "" and float(values["sgan", "1"]) > 0


def test_captions_name_the_stand_in(results: Path) -> None:
    captions = json.loads((results / "experiments/fake/captions.json").read_text())
    assert captions["datasets"]["digits"]["note"] == "digits (scikit-learn), not MNIST"
    assert captions["note"] == "fake numbers & no recipe"


def test_what_others_computed_as_well_is_a_last_column(tmp_path):
    from sgad.store.collect import _measured
    from sgad.store.stored import CHECKED_BY

    checks = [{"by": "torch-fidelity 0.4.0", "theirs": 2.0}, {"by": "pytorch-fid 0.3.0", "theirs": None}]
    entry = {"metric": "fid_inception_clean", "value": 2.0, "status": "computed", "details": {"cross_check": checks}}
    assert _measured(entry, "completed")[CHECKED_BY] == "torch-fidelity 0.4.0"
    assert CHECKED_BY not in _measured(entry | {"details": {}}, "completed")


def test_captions_say_which_runs_were_trained_with_rounded_products(small: tuple[Path, ExperimentConfig]) -> None:
    root, experiment = small
    assert "precision" not in json.loads((collected(root, experiment) / "captions.json").read_text())["note"]
    rounded = experiment.model_copy(update={"variants": (*experiment.variants, "paper+precision=tf32")})
    note = json.loads((collected(root, rounded) / "captions.json").read_text())["note"]
    assert "Trained with precision tf32 (variants paper+precision=tf32), all others with float32" in note


def test_a_value_by_other_weights_is_the_one_that_was_asked_for():
    from sgad.catalogue.metrics import as_asked_for

    assert as_asked_for("fd_inception_clean_1cf2796a") == "fid_inception_clean"
    assert as_asked_for("kid_inception_clean_1cf2796a") == "kid_inception_clean"
    assert as_asked_for("cfd") == "cfd"
    assert as_asked_for("mine_1cf2796a") == "mine_1cf2796a"
