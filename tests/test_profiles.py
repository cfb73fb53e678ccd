"""What the profiles bring along: the scripts that submit to Kubernetes, run with a stand-in for kubectl."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

KUBECTL = """#!/usr/bin/env bash
# Keeps what is created; answers `get` with what the test wrote.
case $1 in
create) cat >"$ANSWERS/created.yaml" && echo job.batch/created ;;
get) cat "$ANSWERS/state"; [ -e "$ANSWERS/fine" ] ;;
esac
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """Return a folder with a stand-in for kubectl and its answers."""
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL)
    program.chmod(0o755)
    return tmp_path


def run(script: Path, cluster: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{cluster}{os.pathsep}{os.environ['PATH']}", "ANSWERS": str(cluster)} | variables
    return subprocess.run(
        [script, *arguments], env=environment, cwd=cluster, capture_output=True, text=True, timeout=30
    )


def submitted(cluster: Path) -> dict[str, Any]:
    job: dict[str, Any] = yaml.safe_load((cluster / "created.yaml").read_text())
    return job


def test_a_job_asks_for_what_the_rule_asks_for(repository: Path, cluster: Path) -> None:
    settings = {"SGAD_IMAGE": "registry/sgad:1", "SGAD_CLAIM": "disk", "SGAD_MOUNT": "/work"}
    script = repository / "profiles/kubernetes/submit.sh"
    process = run(script, cluster, "2", "5000", "1", "30", "/work/.snakemake/tmp/job.sh", **settings)
    job = submitted(cluster)
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert process.stdout.strip() == job["metadata"]["name"]
    assert job["spec"]["activeDeadlineSeconds"] == 1800
    assert container["command"] == ["bash", "/work/.snakemake/tmp/job.sh"]
    assert container["workingDir"] == str(cluster)
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "5000M"}
    assert container["resources"]["limits"] == {"memory": "5000M", "nvidia.com/gpu": "1"}


def test_a_missing_setting_is_named(repository: Path, cluster: Path) -> None:
    process = run(repository / "profiles/kubernetes/submit.sh", cluster, "1", "1", "0", "1", "job.sh")
    assert process.returncode != 0
    assert "SGAD_IMAGE: name the container image" in process.stderr
    assert not (cluster / "created.yaml").exists()


@pytest.mark.parametrize(
    ("answer", "fine", "state"),
    [
        ("1/", True, "success"),
        ("/", True, "running"),
        ("/1", True, "failed"),
        ("Error from server (NotFound): jobs.batch not found", False, "failed"),
        ("Unable to connect to the server: i/o timeout", False, "running"),
    ],
)
def test_states_are_those_that_snakemake_knows(
    answer: str, fine: bool, state: str, repository: Path, cluster: Path
) -> None:
    (cluster / "state").write_text(answer)
    if fine:
        (cluster / "fine").touch()
    assert run(repository / "profiles/kubernetes/state.sh", cluster, "sgad-1").stdout.strip() == state
