"""The audit: a collected experiment passes, and whatever is changed in it afterwards is found, in one sentence."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sgad.analyses.toolbox.findings import Finding, write_findings
from sgad.cli import main
from sgad.config.compose import resolve_run
from sgad.config.experiment import ExperimentConfig
from sgad.config.yaml_files import dump_yaml
from sgad.errors import InputError
from sgad.machine.files import sha256_of
from sgad.reporting import audit as module
from sgad.reporting.audit import Audit, audit
from sgad.reporting.tables.save import write_tables
from sgad.runs.record import read_record
from sgad.store.collect import collect
from sgad.store.provenance import FILE_NAME, read_provenance, read_rows, trace_lines

EXPERIMENT = "results/experiments/fake"
RUN = "results/runs/digits/sgan/quick/seed0"


@pytest.fixture
def place(tmp_path: Path, whole: tuple[Path, ExperimentConfig]) -> tuple[Path, ExperimentConfig]:
    """A copy of the collected runs, to be spoilt by a test."""
    shutil.copytree(whole[0], tmp_path / "copy")
    return tmp_path / "copy", whole[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, fake: SimpleNamespace) -> tuple[Path, ExperimentConfig]:
    """Two collected runs that belong to the tree's configuration, with data, samples and logs."""
    tmp_path = tmp_path_factory.mktemp("audit")
    experiment = fake.experiment(
        datasets=("digits",),
        models=("sgan", "swgan"),
        seeds=(0,),
        analyses=("energy",),
        tables=("results", "energy", "runs"),
    )
    fake.write(tmp_path, experiment)
    data = tmp_path / "data/digits"
    (data / "train.npy").write_bytes(b"pixels")
    content = hashlib.sha256(b"pixels").hexdigest()
    manifest = json.loads((data / "manifest.json").read_text())
    manifest |= {"files": {"train.npy": content}, "content_hash": content}
    (data / "manifest.json").write_text(json.dumps(manifest))
    for key in experiment.run_keys():
        folder = tmp_path / "results/runs" / key.folder
        config = resolve_run(key)
        changes = {"config_hash": config.hash(), "data_hash": content}
        read_record(folder).model_copy(update=changes).write(folder)
        (folder / "config.yaml").write_text(dump_yaml(config.model_dump(mode="json")))
        energy = Finding(quantity="synaptic_operations", part="generator/all", value=2e6, n=10, protocol="counted")
        write_findings(folder / "analyses", {"energy": [energy]})
        (folder / "generator.safetensors").write_bytes(key.folder.encode())
        meta = {"weights_sha256": sha256_of(folder / "generator.safetensors")}
        np.savez(folder / "samples.npz", images=np.zeros((1, 1, 2, 2), np.uint8), meta=np.array(json.dumps(meta)))
        log = tmp_path / "logs/train" / f"{key.folder}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    collect(experiment, tmp_path / "results", tmp_path / "data")
    write_tables(experiment, tmp_path / "results")
    return tmp_path, experiment


def run(root: Path, experiment: ExperimentConfig) -> Audit:
    return audit(experiment, root / "results", root / "data", root / "logs")


def test_values_set_aside_beside_runs_that_are_gone_pass(place: tuple[Path, ExperimentConfig]) -> None:
    root, experiment = place
    shutil.rmtree(root / RUN)
    other = root / RUN.replace("sgan", "swgan") / "metrics.json"
    other.write_text(other.read_text().replace("classifier ab12cd34", "classifier ffffffff"))
    collect(experiment, root / "results", root / "data")
    write_tables(experiment, root / "results")
    statuses = [row["status"] for row in read_rows(root / EXPERIMENT / "metrics.csv") if row["model"] == "swgan"]
    assert any(status.startswith("set aside: ") for status in statuses)
    assert run(root, experiment).findings == []


def num_values(root: Path) -> int:
    return sum(row["value"] != "" for row in read_rows(root / EXPERIMENT / "metrics.csv"))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))


def test_what_was_collected_passes(place: tuple[Path, ExperimentConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_known", lambda commit: True)
    found = run(*place)
    assert found.findings == [] and found.notes == []
    assert (found.runs, found.with_folder) == (2, 2)
    assert found.values == num_values(place[0]) > 2 * 3  # three measures of two runs, and those of the baselines


def edit_metrics(root: Path) -> None:
    replace(root / EXPERIMENT / "metrics.csv", "60.0", "6.0")


def edit_metrics_and_its_hash(root: Path) -> None:
    before = sha256_of(root / EXPERIMENT / "metrics.csv")
    edit_metrics(root)
    replace(root / EXPERIMENT / FILE_NAME, before, sha256_of(root / EXPERIMENT / "metrics.csv"))


def edit_metrics_of_the_run(root: Path) -> None:
    replace(root / RUN / "metrics.json", "60.0", "6.0")


def edit_table(root: Path) -> None:
    replace(root / EXPERIMENT / "tables/results.md", "60.0", "6.0")


def lose_table(root: Path) -> None:
    (root / EXPERIMENT / "tables/runs.tex").unlink()


def edit_config(root: Path) -> None:
    replace(root / RUN / "config.yaml", "time_steps: 4", "time_steps: 5")


def edit_history(root: Path) -> None:
    replace(root / RUN / "history.csv", "\n10,", "\n11,")


def edit_weights(root: Path) -> None:
    (root / RUN / "generator.safetensors").write_bytes(b"others")


def edit_data(root: Path) -> None:
    (root / "data/digits/train.npy").write_bytes(b"others")


def prepare_other_data(root: Path) -> None:
    path = root / "data/digits/manifest.json"
    path.write_text(path.read_text().replace('"content_hash": "', '"content_hash": "0'))


def break_manifest(root: Path) -> None:
    (root / "data/digits/manifest.json").write_text("[1]")


def break_record(root: Path) -> None:
    (root / RUN / "run.json").write_text("{}")


def lose_picture(root: Path) -> None:
    (root / EXPERIMENT / "grids/digits-sgan-quick-seed0.png").unlink()


def lose_provenance(root: Path) -> None:
    (root / EXPERIMENT / FILE_NAME).write_text('{"files": 3}')


def lose_row(root: Path) -> None:
    path = root / EXPERIMENT / "runs.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (edit_metrics, "metrics.csv was changed by hand after it was collected"),
        (edit_metrics_and_its_hash, "sgan/quick/0 cfd: value is '6.0', its run folder gives '60.0'"),
        (edit_metrics_of_the_run, "metrics.json is not the file that was collected"),
        (edit_table, "results.md is not what metrics.csv gives; run `sgad regenerate fake`"),
        (lose_table, "runs.tex is absent; run `sgad regenerate fake`"),
        (edit_config, "one of them was edited; train again"),
        (edit_history, "histories.csv: digits/sgan/quick/0 11 has no row"),
        (edit_weights, "samples.npz was not drawn by generator.safetensors beside it"),
        (edit_data, "train.npy is not what its manifest says"),
        (prepare_other_data, "digits/swgan/quick/0 was trained on other data than"),
        (break_manifest, "manifest.json is not a manifest; prepare the data set again"),
        (break_record, "run.json: dataset: Field required"),
        (lose_picture, "digits-sgan-quick-seed0.png was collected and is gone"),
        (lose_provenance, "without it nobody can tell whether a number was edited"),
        (lose_row, "digits/swgan/quick/0 belongs to the experiment but has no row in runs.csv"),
    ],
)
def test_a_change_is_found(place: tuple[Path, ExperimentConfig], change: Callable[[Path], None], sentence: str) -> None:
    root, experiment = place
    change(root)
    found = run(root, experiment)
    assert any(sentence in finding for finding in found.findings), found.findings
    assert all("\n" not in finding for finding in found.findings)


def test_another_configuration_than_the_trees_is_found(
    place: tuple[Path, ExperimentConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, experiment = place
    shutil.rmtree(root / "results/runs")
    monkeypatch.setattr(module, "run_hash", lambda key: "0123456789abcdef")
    found = run(root, experiment)
    assert len(found.findings) == 2
    assert "the tree's is 0123456789abcdef; train it again or go back to commit 0123456789ab" in found.findings[0]


def test_without_run_folders_the_hashes_speak(place: tuple[Path, ExperimentConfig]) -> None:
    root, experiment = place
    shutil.rmtree(root / "results/runs")
    shutil.rmtree(root / "data")
    found = run(root, experiment)
    assert found.findings == []
    assert any("compared with the hashes in provenance.json alone" in note for note in found.notes)
    assert any("prepared data are not here: digits" in note for note in found.notes)
    edit_metrics(root)
    assert any("metrics.csv was changed by hand" in finding for finding in run(root, experiment).findings)


def test_every_value_leads_back_to_its_files(place: tuple[Path, ExperimentConfig]) -> None:
    root, experiment = place
    lines = list(trace_lines(experiment, root / "results"))
    assert len(lines) == num_values(root)
    cfd = next(line for line in lines if "sgan quick seed 0 cfd" in line)
    record = read_record(root / RUN)
    for part in (
        "= 60.0",
        "runs/digits/sgan/quick/seed0/metrics.json",
        record.config_hash,
        record.commit,
        "logs/train/",
    ):
        assert part in cfd
    assert record.data_hash[:12] in cfd and sha256_of(root / RUN / "run.json")[:12] in cfd
    stored = read_provenance(root / EXPERIMENT)["runs"]["digits/sgan/quick/seed0"]
    assert stored["record"]["machine"] == "2-core <test> machine"


def test_the_command_ends_with_1_and_says_what_it_found(
    place: tuple[Path, ExperimentConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    root, experiment = place
    path = root / "fake.yaml"
    path.write_text(dump_yaml(experiment.model_dump(mode="json")))
    words = ["audit", str(path)]
    words += [word for name in ("results", "data", "logs") for word in (f"--{name}", str(root / name))]
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert not stopped.value.code
    assert (
        f"{num_values(root)} values of 2 runs looked at, 2 of them against their run folders: 0 findings"
        in capsys.readouterr().out
    )
    edit_table(root)
    with pytest.raises(SystemExit) as stopped:
        main(words)
    printed = capsys.readouterr()
    assert stopped.value.code == 1
    assert printed.out.startswith("found  ") and "does not pass the audit" in printed.err
    with pytest.raises(SystemExit):
        main([*words[:4], "--trace"])
    assert "cfd = 60.0: runs/digits/sgan" in capsys.readouterr().out


def test_an_experiment_that_was_never_collected_is_bad_input(tmp_path: Path, experiment: ExperimentConfig) -> None:
    with pytest.raises(InputError, match="run `sgad collect fake` first"):
        audit(experiment, tmp_path)
