"""The reference: written by `publish`, read where there are no own results, never written by anything else."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from sgad.config.experiment import ExperimentConfig
from sgad.errors import InputError
from sgad.reporting.audit import audit
from sgad.reporting.page.index import write_reports
from sgad.reporting.regenerate import regenerate
from sgad.store.collect import collect
from sgad.store.provenance import read_provenance
from sgad.store.publish import LARGEST_FILE, publish, remarks_of, write_reference
from sgad.store.reference import reference_names, require_unedited, source_note, stored_note
from sgad.store.stored import read_folder, read_stored


@pytest.fixture
def place(tmp_path: Path, results: Path) -> Path:
    """A results folder with the made-up experiment as own results."""
    shutil.copytree(results / "experiments", tmp_path / "results/experiments")
    return tmp_path / "results"


def committed(place: Path, **columns: str) -> None:
    """Give every run a commit and one machine, as a publishable experiment has, or other values."""
    path = place / "experiments/fake/runs.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    path.write_text(frame.assign(**{"commit": "0123456789ab", "machine": "one", **columns}).to_csv(index=False))


def test_the_small_copy_gives_the_same_numbers(place: Path) -> None:
    own = read_stored(place, "fake")
    write_reference(place / "experiments/fake", place / "reference/fake", {})
    copy = read_folder(place / "reference/fake")
    pd.testing.assert_frame_equal(copy.metrics, own.metrics)
    pd.testing.assert_frame_equal(copy.runs, own.runs)
    pd.testing.assert_frame_equal(copy.histories, own.histories)
    assert copy.picture("digits-sgan-quick-seed0").suffix == ".webp"
    assert copy.picture("digits-sgan-quick-seed0").is_file()
    names = {path.name for path in (place / "reference/fake").rglob("*") if path.is_file()}
    assert not {name for name in names if name.endswith((".svg", ".html", ".tex", ".png"))}
    require_unedited(place / "reference/fake")


def test_the_same_experiment_gives_the_same_bytes(place: Path) -> None:
    for name in ("a", "b"):
        write_reference(place / "experiments/fake", place / "reference" / name, {})
    first, second = (read_provenance(place / "reference" / name)["files"] for name in ("a", "b"))
    assert first == second


def test_whatever_reads_stored_results_falls_back_to_it_and_says_so(place: Path, experiment: ExperimentConfig) -> None:
    write_reference(place / "experiments/fake", place / "reference/fake", {})
    before = read_provenance(place / "reference/fake")["files"]
    shutil.rmtree(place / "experiments")
    assert source_note(place, "fake").startswith("fake: no own results")
    assert "completed" in stored_note(place, "fake")
    written = regenerate(experiment, place)
    assert place / "experiments/fake/report.html" in written
    page = (place / "experiments/fake/report.html").read_text(encoding="utf-8")
    assert "These results come with the repository" in page
    assert not [path for path in written if "reference" in path.parts]
    require_unedited(place / "reference/fake")
    assert read_provenance(place / "reference/fake")["files"] == before
    assert reference_names(place) == ["fake"]


def test_the_audit_looks_at_it(place: Path, experiment: ExperimentConfig) -> None:
    write_reference(place / "experiments/fake", place / "reference/fake", {})
    shutil.rmtree(place / "experiments")
    metrics = place / "reference/fake/metrics.csv"
    assert not [found for found in audit(experiment, place).findings if "metrics.csv" in found]
    metrics.write_text(metrics.read_text().replace("0.5", "0.7", 1))
    assert [found for found in audit(experiment, place).findings if "was changed by hand" in found]


def test_a_finished_experiment_is_published_with_its_reasons(place: Path) -> None:
    committed(place)
    with pytest.raises(InputError, match="have no result"):
        publish("fake", place, findings=[])
    folder = publish("fake", place, findings=[], incomplete="one run is absent on purpose")
    assert folder == place / "reference/fake"
    assert remarks_of(folder) == {"absent runs": "one run is absent on purpose"}


@pytest.mark.parametrize(
    ("columns", "findings", "said"),
    [
        ({"commit": "0123456789ab+"}, [], "changes that were not committed"),
        ({"commit": ""}, [], "from no commit"),
        ({}, ["metrics.csv was changed by hand"], "the audit of fake has 1 findings"),
    ],
)
def test_what_nobody_could_repeat_is_refused(
    place: Path, columns: dict[str, str], findings: list[str], said: str
) -> None:
    committed(place, **columns)
    with pytest.raises(InputError, match=said):
        publish("fake", place, findings=findings, incomplete="x")
    assert not (place / "reference").exists()


def test_several_machines_need_a_reason(place: Path) -> None:
    committed(place)
    path = place / "experiments/fake/runs.csv"
    path.write_text(path.read_text().replace(",one,", ",another,", 1))
    with pytest.raises(InputError, match="2 machines"):
        publish("fake", place, findings=[], incomplete="x")
    publish("fake", place, findings=[], incomplete="x", mixed_machines="seconds are not compared")


def test_a_file_too_large_leaves_the_reference_as_it_was(place: Path) -> None:
    write_reference(place / "experiments/fake", place / "reference/fake", {})
    before = (place / "reference/fake/provenance.json").read_bytes()
    with open(place / "experiments/fake/metrics.csv", "a") as stream:
        stream.write("x" * (LARGEST_FILE + 1))
    with pytest.raises(InputError, match="split the experiment"):
        write_reference(place / "experiments/fake", place / "reference/fake", {})
    assert (place / "reference/fake/provenance.json").read_bytes() == before
    assert [path.name for path in (place / "reference").iterdir()] == ["fake"]


def test_without_own_results_nothing_is_published(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no own results"):
        publish("fake", tmp_path, findings=[])


def test_another_machine_adds_its_seeds_to_the_reference(tmp_path: Path, fake: SimpleNamespace) -> None:
    """One machine trains seed 0 and publishes, the next trains seed 1 and takes seed 0 from the reference."""
    from sgad.config.compose import resolve_run
    from sgad.runs.record import read_record

    both = fake.experiment(datasets=("digits",), models=("sgan",), seeds=(0, 1), measures=("cfd",))
    fake.write(tmp_path, both)
    for key in both.run_keys():
        folder = tmp_path / "results/runs" / key.folder
        read_record(folder).model_copy(update={"config_hash": resolve_run(key).hash()}).write(folder)
    later = tmp_path / "results/runs/digits/sgan/quick/seed1"
    shutil.move(later, tmp_path / "seed1")
    collect(both, tmp_path / "results", tmp_path / "data")
    write_reference(tmp_path / "results/experiments/fake", tmp_path / "results/reference/fake", {})
    shutil.rmtree(tmp_path / "results/experiments")
    shutil.rmtree(tmp_path / "results/runs/digits/sgan/quick/seed0")
    shutil.move(tmp_path / "seed1", later)

    collect(both, tmp_path / "results", tmp_path / "data")
    assert set(read_stored(tmp_path / "results", "fake").runs["status"]) == {"absent", "completed"}
    collect(both, tmp_path / "results", tmp_path / "data", with_reference=True)
    found = read_stored(tmp_path / "results", "fake")
    assert list(found.runs["status"]) == ["completed", "completed"]
    assert set(found.metrics[found.metrics["seed"].isna()]["model"]) == {"real_train", "noise", "train_copy"}
    assert found.picture("digits-sgan-quick-seed0").is_file()
    assert found.picture("digits-sgan-quick-seed1").is_file()


def test_one_index_leads_to_all_pages(
    place: Path, tmp_path: Path, experiment: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs/experiments").mkdir(parents=True)
    (tmp_path / "configs/experiments/fake.yaml").write_text(json.dumps(experiment.model_dump(mode="json")))
    monkeypatch.chdir(tmp_path)
    write_reference(place / "experiments/fake", place / "reference/fake", {})
    shutil.rmtree(place / "experiments")
    index = write_reports((), "results", processes=1).read_text(encoding="utf-8")
    assert 'href="experiments/fake/report.html"' in index
    assert "reference" in index
    assert "FAKE fixture &lt;script&gt;" in index
    with pytest.raises(InputError, match="nothing is stored of 'fakes', did you mean 'fake'"):
        write_reports(["fakes"], "results")
