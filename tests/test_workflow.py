"""The workflow on an experiment small enough for a test: from raw digits to a report, and what a second call does."""

import csv
import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.timeout(600)

VARIANT = """
title: test
defaults: {time_steps: 2, batch_size: 8, max_steps: 3, latent_dim: 4, grid_every: 2, log_every: 1}
"""
EXPERIMENT = """
title: test of the workflow
note: three steps, not a result
datasets: [digits]
models: [swgan, sgad]
variants: [tiny]
seeds: [0]
measures: [cfd, ccs]
num_samples: 40
"""
#: A generator that fails when it is called: what a bug in a user's part looks like.
BROKEN = """
from torch import nn

class Broken(nn.Module):
    def __init__(self, *args, **kwargs):
        super().__init__()
        self.weight = nn.Linear(1, 1)

    def forward(self, *args, **kwargs):
        raise RuntimeError("this part is broken")
"""


@dataclass
class Workplace:
    """A folder in which the repository's workflow runs on configurations of its own."""

    folder: Path
    repository: Path
    environment: dict[str, str] = field(default_factory=dict)

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(self.repository / "Snakefile")]
        process = subprocess.run(
            [*command, "--directory", str(self.folder), *arguments],
            cwd=self.folder,
            # The repository, too: what is installed may be another tree.
            env=os.environ | {"PYTHONPATH": f"{self.folder}{os.pathsep}{self.repository}"} | self.environment,
            capture_output=True,
            text=True,
            timeout=500,
        )
        logs = "".join(path.read_text() for path in self.folder.glob("logs/**/*.log")) if check else ""
        assert not check or process.returncode == 0, process.stdout + process.stderr + logs
        return process

    def planned(self, *arguments: str) -> dict[str, list[str]]:
        """Return the rules that a run would execute and, for each of its jobs, the first output file."""
        text = self.snakemake("--dry-run", "--config", "experiment=tiny", *arguments).stdout
        jobs: dict[str, list[str]] = {}
        # Jobs of a group are indented below its name.
        pattern = r"^ *(?:local)?rule (\w+):\n(?: +input: .*\n)?(?: +output: ([^\s,]+))?"
        for rule, output in re.findall(pattern, text, re.M):
            jobs.setdefault(rule, []).append(output)
        return jobs

    def write(self, kind: str, name: str, text: str) -> None:
        path = self.folder / "configs" / kind / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_record(self, model: str) -> dict[str, Any]:
        return json.loads((self.folder / f"results/runs/digits/{model}/tiny/seed0/run.json").read_text())


def new_workplace(folder: Path, repository: Path) -> Workplace:
    """Return a workplace with 100 digits, its own copies of two models, and the experiment `tiny`."""
    place = Workplace(folder, repository)
    digits = yaml.safe_load((repository / "configs/datasets/digits.yaml").read_text())
    digits["max_samples"] = digits["counts"] = {"train": 100, "test": 60}
    place.write("datasets", "digits", yaml.safe_dump(digits))
    for model in ("swgan", "sgad"):
        place.write("models", model, (repository / f"configs/models/{model}.yaml").read_text())
    place.write("variants", "tiny", VARIANT)
    place.write("experiments", "tiny", EXPERIMENT)
    return place


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Workplace:
    """Return a workplace in which the experiment has run to its end."""
    place = new_workplace(tmp_path_factory.mktemp("finished"), repository)
    place.snakemake("--config", "experiment=tiny")
    return place


@pytest.fixture
def copied(finished: Workplace, tmp_path: Path) -> Workplace:
    """Return a copy of the finished workplace, times and records included, for tests that change something."""
    shutil.copytree(finished.folder, tmp_path / "copy")
    return Workplace(tmp_path / "copy", finished.repository)


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_one_command_ends_with_tables_figures_and_a_report(finished: Workplace) -> None:
    folder = finished.folder / "results/experiments/tiny"
    metrics = rows(folder / "metrics.csv")
    columns = "dataset,model,variant,family,time_steps,seed,metric,value,low,high,n,protocol,status"
    assert list(metrics[0]) == columns.split(",")
    values = {(row["model"], row["metric"]): float(row["value"]) for row in metrics if row["variant"] == "tiny"}
    assert set(values) == {(model, metric) for model in ("swgan", "sgad") for metric in ("cfd", "ccs")}
    assert all(math.isfinite(value) for value in values.values())
    assert {row["status"] for row in rows(folder / "runs.csv")} <= {"completed", "collapsed"}
    assert {path.suffix for path in (folder / "tables").iterdir()} >= {".csv", ".md", ".tex"}
    assert {path.suffix for path in (folder / "figures").iterdir()} >= {".svg", ".png"}
    assert "three steps, not a result" in (folder / "report.html").read_text().lower()


def test_progress_is_seen_while_logs_keep_it(finished: Workplace) -> None:
    log = (finished.folder / "logs/train/digits/sgad/tiny/seed0.log").read_text()
    assert "3/3 steps" in log


def test_the_second_time_there_is_nothing_to_do(finished: Workplace) -> None:
    assert "Nothing to be done" in finished.snakemake("--dry-run", "--config", "experiment=tiny").stdout


def test_a_changed_value_runs_again_what_it_touches_and_nothing_else(copied: Workplace) -> None:
    before = {model: copied.run_record(model) for model in ("swgan", "sgad")}
    path = copied.folder / "configs/models/swgan.yaml"
    path.write_text(path.read_text().replace("defaults:", "defaults:\n  warmup_steps: 2", 1))

    jobs = copied.planned()
    touched = "results/runs/digits/swgan/tiny/seed0"
    assert {rule: outputs for rule, outputs in jobs.items() if rule in ("train", "sample", "measure")} == {
        "train": [f"{touched}/run.json"],
        "sample": [f"{touched}/samples.npz"],
        "measure": [f"{touched}/metrics.json"],
    }
    assert not {"prepare", "classifier", "baselines"} & set(jobs)

    copied.snakemake("--config", "experiment=tiny")
    assert copied.run_record("sgad") == before["sgad"]
    assert copied.run_record("swgan")["config_hash"] != before["swgan"]["config_hash"]
    assert copied.planned() == {}


def test_sampling_options_do_not_train_again(copied: Workplace) -> None:
    copied.write("variants", "tiny", VARIANT.replace("defaults: {", "defaults: {sampling_statistics: batch, "))
    assert set(copied.planned()) == {"sample", "measure", "collect", "tables", "figures", "report", "all"}


def test_a_file_written_again_with_the_same_content_is_no_change(copied: Workplace) -> None:
    for path in copied.folder.glob("configs/**/*.yaml"):
        path.write_text(path.read_text())
    manifest = copied.folder / "data/digits/manifest.json"
    manifest.write_text(manifest.read_text())
    assert copied.planned() == {}


def test_regenerate_needs_neither_runs_nor_torch(copied: Workplace) -> None:
    for name in (
        "results/runs",
        "data",
        "results/experiments/tiny/tables",
        "results/experiments/tiny/figures",
    ):
        shutil.rmtree(copied.folder / name)
    (copied.folder / "torch.py").write_text("raise ImportError('torch is not needed here')\n")
    copied.snakemake("regenerate", "--config", "experiment=tiny")
    folder = copied.folder / "results/experiments/tiny"
    assert list((folder / "tables").iterdir())
    assert list((folder / "figures").iterdir())
    assert not (copied.folder / "results/runs").exists()


def test_stored_results_do_not_pass_for_runs(copied: Workplace) -> None:
    """A fresh clone has metrics.csv and the report, but no runs: the command trains them all the same."""
    shutil.rmtree(copied.folder / "results/runs")
    shutil.rmtree(copied.folder / ".snakemake")
    assert len(copied.planned()["train"]) == 2


def test_snakemake_makes_a_report_of_its_own_with_captions_and_categories(finished: Workplace) -> None:
    finished.snakemake("--report", "snakemake.html", "--config", "experiment=tiny")
    page = (finished.folder / "snakemake.html").read_text()
    for category in ("Tables", "Figures", "Report"):
        assert f'"{category}"' in page
    for text in (
        "curves",
        "colour and dashes tell the models apart",
        "Reported figures are other people",
        "works offline",
    ):
        assert text in page


@pytest.mark.slow
def test_a_run_that_crashes_stands_in_the_tables_and_stops_nothing(copied: Workplace) -> None:
    (copied.folder / "broken_part.py").write_text(BROKEN)
    path = copied.folder / "configs/models/swgan.yaml"
    model = yaml.safe_load(path.read_text())
    model["defaults"]["generator"] = "broken_part:Broken"
    path.write_text(yaml.safe_dump(model))
    copied.snakemake("--config", "experiment=tiny")
    runs = {row["model"]: row for row in rows(copied.folder / "results/experiments/tiny/runs.csv")}
    assert runs["swgan"]["status"] == "failed"
    assert "this part is broken" in runs["swgan"]["reason"]
    assert runs["sgad"]["status"] in ("completed", "collapsed")


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("experiment=quik", "experiment 'quik' is unknown, did you mean 'quick'?"),
        ("experimnt=quick", "--config experimnt=quick is unknown, did you mean 'experiment'?"),
        ("experiment=wrong", "max_stepz"),
        ("threads=0", "--config threads: 0 is below 1; write threads=1"),
    ],
)
def test_wrong_settings_end_in_a_sentence(setting: str, sentence: str, tmp_path: Path, repository: Path) -> None:
    place = new_workplace(tmp_path, repository)
    place.write("variants", "wrong", VARIANT.replace("max_steps", "max_stepz"))
    place.write("experiments", "wrong", EXPERIMENT.replace("[tiny]", "[wrong]"))
    process = place.snakemake("--dry-run", "--config", setting, check=False)
    assert process.returncode == 1
    said = process.stdout + process.stderr
    assert sentence in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["quick", "fashion_smoke", "smoke", "paper", "ablations"])
def test_every_experiment_plans(name: str, tmp_path: Path, repository: Path) -> None:
    process = Workplace(tmp_path, repository).snakemake(
        "--dry-run", "--quiet", "rules", "--config", f"experiment={name}"
    )
    assert re.search(r"^train +\d+$", process.stdout, re.M)


@pytest.mark.parametrize("profile", ["gpu", "slurm", "kubernetes"])
def test_every_profile_plans(profile: str, tmp_path: Path, repository: Path) -> None:
    options = ["--workflow-profile", str(repository / "profiles" / profile), "--config", "experiment=quick"]
    process = Workplace(tmp_path, repository).snakemake("--dry-run", *options)
    assert re.search(r"^train +6$", process.stdout, re.M)
    assert re.search(r"rule train:(?:.*\n)+?    resources: .*gpu=1", process.stdout), "a profile for GPUs asks for one"


def test_lint_finds_nothing(tmp_path: Path, repository: Path) -> None:
    process = Workplace(tmp_path, repository).snakemake("--lint", check=False)
    assert process.returncode == 0, process.stdout + process.stderr


def test_every_rule_that_runs_something_names_an_environment(repository: Path) -> None:
    for path in (repository / "workflow/rules").glob("*.smk"):
        text = path.read_text()
        assert text.count('conda:\n        "../envs/sgad.yaml"') == text.count("    shell:\n"), path.name
    assert len(re.findall(r"^container: ", (repository / "workflow/rules/common.smk").read_text(), re.M)) == 1


def test_what_the_catalogue_asks_for_is_there(tmp_path: Path, repository: Path) -> None:
    """The main file in workflow/ plans alone, the settings are described, and config/config.yaml is read."""
    place = Workplace(tmp_path, repository)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("experiment: smoke\n")
    words = ("-n", "--quiet", "rules", "--snakefile", str(repository / "workflow/Snakefile"))
    assert re.search(r"^train +\d+$", place.snakemake(*words).stdout, re.M)
    catalogue = yaml.safe_load((repository / ".snakemake-workflow-catalog.yml").read_text())
    assert catalogue["usage"]["software-stack-deployment"]["conda"] is True
    assert (repository / "config/README.md").is_file()
    schema = yaml.safe_load((repository / "workflow/schemas/config.schema.yaml").read_text())
    told = (repository / "docs/running-at-scale.md").read_text()
    assert all(f"`{key}`" in told and value["description"] for key, value in schema["properties"].items())
    assert set(yaml.safe_load((repository / "config/config.yaml").read_text())) <= set(schema["properties"])


ANALYSED = EXPERIMENT + "analyses: [energy, alignment]\nneurons: synthetic\ntables: [results, energy, alignment]\n"


def test_analyses_are_planned_for_every_run_and_only_if_asked_for(copied: Workplace) -> None:
    copied.write("experiments", "tiny", ANALYSED)
    jobs = copied.planned()
    folders = [f"results/runs/digits/{model}/tiny/seed0/analyses" for model in ("sgad", "swgan")]
    assert sorted(jobs["analyse"]) == [f"{folder}/energy.csv" for folder in folders]
    assert jobs["neurons"] == ["data/digits/neurons-synthetic.npz"]
    assert set(jobs) == {"neurons", "analyse", "collect", "tables", "figures", "report", "all"}


@pytest.mark.slow
def test_analyses_end_in_tables_of_the_report(copied: Workplace) -> None:
    copied.write("experiments", "tiny", ANALYSED)
    copied.snakemake("--config", "experiment=tiny")
    folder = copied.folder / "results/experiments/tiny"
    found = rows(folder / "analyses.csv")
    assert {row["analysis"] for row in found if row["status"] == "computed"} == {"energy", "alignment"}
    assert "SYNTHETIC neurons" in (folder / "tables/alignment.md").read_text()
    assert copied.planned() == {}
