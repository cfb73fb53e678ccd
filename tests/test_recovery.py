"""A finished training is never done twice: Snakemake killed, outputs declared incomplete, data or results moved."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from sgad.runs.finished import FOLDER as FINISHED
from tests.test_workflow import BROKEN, EXPERIMENT, Workplace, new_workplace

pytestmark = pytest.mark.timeout(600)

RUN = "results/runs/digits/swgan/tiny/seed0"
RECORD, LOG = f"{RUN}/run.json", "logs/train/digits/swgan/tiny/seed0.log"


def workplace(folder: Path, repository: Path) -> Workplace:
    place = new_workplace(folder, repository)
    place.write("experiments", "tiny", EXPERIMENT.replace("[swgan, sgad]", "[swgan]"))
    return place


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Workplace:
    """A workplace in which one run was trained."""
    place = workplace(tmp_path_factory.mktemp("trained"), repository)
    place.snakemake(RECORD, "--config", "experiment=tiny")
    return place


@pytest.fixture
def copied(trained: Workplace, tmp_path: Path) -> Workplace:
    shutil.copytree(trained.folder, tmp_path / "copy")
    return Workplace(tmp_path / "copy", trained.repository)


def assert_restored(place: Workplace, before: str) -> None:
    """The run's record is that of the first training, and its job said so."""
    assert (place.folder / RECORD).read_text() == before
    assert "its files were put back" in (place.folder / LOG).read_text()
    assert (place.folder / RUN / "generator.safetensors").is_file()


def test_data_of_the_same_content_under_another_path(copied: Workplace) -> None:
    before = (copied.folder / RECORD).read_text()
    shutil.copytree(copied.folder / "data", copied.folder / "elsewhere")
    copied.snakemake(RECORD, "--config", "experiment=tiny", "data=elsewhere")
    assert_restored(copied, before)


@pytest.mark.parametrize("version", ["this", "older"])
def test_results_that_came_without_records_and_with_new_times(copied: Workplace, version: str) -> None:
    before = (copied.folder / RECORD).read_text()
    shutil.rmtree(copied.folder / ".snakemake")
    if version == "older":
        shutil.rmtree(copied.folder / RUN / FINISHED)
    past = time.time() - 3600
    for path in (copied.folder / "results").rglob("*"):
        os.utime(path, (past, past))
    copied.snakemake(RECORD, "--config", "experiment=tiny")
    assert_restored(copied, before)


def test_snakemake_is_killed_and_its_training_finishes_alone(tmp_path: Path, repository: Path) -> None:
    """The recovery that the documents give: --unlock, then the same command."""
    place = workplace(tmp_path, repository)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile"), RECORD]
    with open(tmp_path / "snakemake.log", "w") as said:
        process = subprocess.Popen(
            [*command, "--config", "experiment=tiny"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(repository)},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    wait_for(lambda: (tmp_path / LOG).is_file() and process.poll() is None, "a training")
    process.send_signal(signal.SIGKILL)
    process.wait()
    state = tmp_path / RUN / FINISHED / "finished.json"
    wait_for(state.is_file, "the end of the training that was left alone")
    before = (tmp_path / RECORD).read_text()
    assert json.loads(before)["status"] in ("completed", "collapsed")
    place.snakemake("--unlock", RECORD, "--config", "experiment=tiny")
    place.snakemake(RECORD, "--config", "experiment=tiny")
    assert_restored(place, before)


def wait_for(condition: object, what: str) -> None:
    deadline = time.monotonic() + 240
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.05)


def test_a_job_on_a_node_leaves_further_attempts_to_the_workflow(copied: Workplace) -> None:
    """What an executor starts on a node is a second Snakemake: it runs a broken training once."""
    (copied.folder / "broken_part.py").write_text(BROKEN)
    path = copied.folder / "configs/models/swgan.yaml"
    model = yaml.safe_load(path.read_text())
    model["defaults"]["generator"] = "broken_part:Broken"
    path.write_text(yaml.safe_dump(model))
    job = "train:dataset=digits,model=swgan,variant=tiny,seed=0"
    words = ["--target-jobs", job, "--allowed-rules", "train", "--mode", "remote", "--cores", "1", "--attempt", "1"]
    words += [
        "--force",
        "--nolock",
        "--ignore-incomplete",
        "--retries",
        "0",
        "--no-hooks",
        "--config",
        "experiment=tiny",
    ]
    ended = copied.snakemake(*words, check=False)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert (copied.folder / LOG).read_text().count("this part is broken") == 1


@pytest.mark.parametrize(("minutes", "jobs"), [(5, 2), (1440, 0)])
def test_a_run_longer_than_a_job_is_said_before_anything_starts(copied: Workplace, minutes: int, jobs: int) -> None:
    ended = copied.snakemake("-n", "--config", "experiment=tiny", f"max_minutes={minutes}")
    said = f"takes up to 0 hours a run; where a job ends after {minutes / 60:g} hours (--config max_minutes={minutes})"
    assert (f"sgad: digits/swgan/tiny {said} that is {jobs} jobs" in ended.stderr) is (jobs > 1)


def test_a_checkout_that_may_only_be_read_is_one_sentence(repository: Path) -> None:
    """A bind mount, because permissions do not hold back root."""
    mounted = "mount --bind . /mnt && mount -o remount,bind,ro /mnt && cd /mnt"
    words = ["unshare", "--mount", "--map-root-user", "bash", "-c"]
    if subprocess.run([*words, mounted], cwd=repository, capture_output=True).returncode:
        pytest.skip("no mounts for this user")
    command = f"{mounted} && {sys.executable} -m snakemake -n -q --config experiment=smoke"
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(repository)}
    ended = subprocess.run([*words, command], cwd=repository, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert (
        "/mnt cannot be written" in ended.stdout + ended.stderr and "--directory FOLDER" in ended.stdout + ended.stderr
    )
    assert "Traceback" not in ended.stdout + ended.stderr
