"""What the profiles bring along: the scripts that submit to Kubernetes, run with a stand-in for kubectl."""

import os
import shutil
import signal
import subprocess
import time
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
    # The deadline of a Job counts the time in the queue, a pod's does not.
    assert "activeDeadlineSeconds" not in job["spec"]
    assert job["spec"]["template"]["spec"]["activeDeadlineSeconds"] == 1800
    init = str(script.parent / "init.py")
    assert container["command"] == ["python3", init, "bash", "/work/.snakemake/tmp/job.sh"]
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
        ("Complete", True, "success"),
        ("SuccessCriteriaMet Complete", True, "success"),
        ("", True, "running"),
        ("Suspended", True, "running"),
        ("FailureTarget", True, "running"),
        ("FailureTarget Failed", True, "failed"),
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


#: Stands for a training below Snakemake's shells: what SIGTERM makes it write takes longer than they live.
TRAINEE = """
import pathlib, signal, sys, time
def stop(number, frame):
    time.sleep(1)
    pathlib.Path("checkpoint").write_text("whole")
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
pathlib.Path("started").touch()
time.sleep(60)
"""


def namespace(*command: str) -> list[str]:
    """The command as process 1 of a PID namespace of its own; the test is skipped where none can be made."""
    words = [
        "unshare",
        *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]),
        "--fork",
        "--pid",
        "--mount-proc",
    ]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("no PID namespaces for this user")
    return [*words, "--kill-child", *command]


def start_and_terminate(command: list[str], folder: Path) -> int:
    """Start the job script, send SIGTERM to process 1 of its namespace, return the exit code."""
    (folder / "trainee.py").write_text(TRAINEE)
    (folder / "job.sh").write_text("bash -c 'python3 trainee.py; true'\n")
    process = subprocess.Popen(namespace(*command, "bash", "job.sh"), cwd=folder)
    deadline = time.monotonic() + 60
    while not (folder / "started").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(first), signal.SIGTERM)
    try:
        return process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        # What Kubernetes does when the grace period is over.
        process.kill()
        return process.wait()


def test_sigterm_reaches_a_training_in_its_container_and_is_waited_for(repository: Path, tmp_path: Path) -> None:
    code = start_and_terminate(["python3", str(repository / "profiles/kubernetes/init.py")], tmp_path)
    assert (tmp_path / "checkpoint").read_text() == "whole"
    assert code == 128 + signal.SIGTERM


def test_the_exit_code_is_the_commands(repository: Path) -> None:
    process = subprocess.run([repository / "profiles/kubernetes/init.py", "bash", "-c", "sleep 0.2 & exit 3"])
    assert process.returncode == 3
