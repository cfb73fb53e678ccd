"""The fault that only the workflow can have: Snakemake is gone, its training lives on."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.chaos.faults import Bench
from benchmarks.chaos.trainings import PATIENCE, SETTINGS, checkpoint_steps, fingerprint
from sgad.config.yaml_files import dump_yaml
from sgad.runs.lease import is_locked

REPOSITORY = Path(__file__).resolve().parents[2]
#: Long enough for Snakemake to be killed and started again meanwhile.
STEPS = 240
SPARSE = {"max_steps": STEPS, "checkpoint_every": 20, "log_every": 20, "grid_every": STEPS}
RUN = "results/runs/digits/swgan/chaos/seed0"


def _snakemake(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(REPOSITORY / "Snakefile"),
        "--directory",
        str(folder),
    ]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "SGAD_CONFIGS": str(folder / "configs")}
    output = open(folder / "snakemake.log", "a", encoding="utf-8")  # noqa: SIM115 - the child's, closed with it
    with output:
        return subprocess.Popen(
            [*command, *words, "--config", "experiment=chaos"], env=environment, cwd=folder, stdout=output, stderr=output,
            text=True,
        )  # fmt: skip


def _workplace(folder: Path, data: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    values = {**SETTINGS, **SPARSE}
    texts = {
        "variants": {"title": "chaos", "defaults": values},
        "experiments": {
            "title": "chaos",
            "datasets": ["digits"],
            "models": ["swgan"],
            "variants": ["chaos"],
            "seeds": [0],
        },
    }
    for kind, text in texts.items():
        (folder / "configs" / kind).mkdir(parents=True)
        (folder / "configs" / kind / "chaos.yaml").write_text(dump_yaml(text), encoding="utf-8")
    shutil.copytree(data, folder / "data")


def _left_alone(bench: Bench, name: str) -> tuple[Path, str]:
    """Kill Snakemake alone while it trains; return the folder, and what kept this from being tried."""
    place = bench.folder / name
    _workplace(place, bench.data)
    run = place / RUN
    first = _snakemake(place, f"{RUN}/run.json")
    while not checkpoint_steps(run):
        if first.poll() is not None:
            return place, f"Snakemake ended with {first.returncode} before there was a checkpoint"
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    return place, "" if is_locked(run) else "the training did not live on, nothing was tried"


def _again(place: Path) -> tuple[str, str]:
    """Unlock, give the same command; return the training's log, and what went wrong."""
    log = ""
    if _snakemake(place, "--unlock").wait(PATIENCE) != 0:
        return log, "--unlock failed"
    if _snakemake(place, f"{RUN}/run.json").wait(PATIENCE) != 0:
        return log, "the restarted Snakemake failed"
    log = (place / "logs/train/digits/swgan/chaos/seed0.log").read_text(encoding="utf-8")
    return log, "" if fingerprint(place / RUN) else "the run is not complete"


def orphan(bench: Bench, index: int) -> str:
    """SIGKILL of Snakemake alone; `--unlock` and the same command while its training lives on."""
    place, problem = _left_alone(bench, f"orphan{index}")
    if problem:
        return problem
    log, problem = _again(place)
    if "is in use by process" not in log or not ("already" in log or "were put back" in log):
        return problem or "the second training did not wait for the first"
    return problem


def orphan_done(bench: Bench, index: int) -> str:
    """SIGKILL of Snakemake alone; `--unlock` and the same command after its training has finished alone."""
    place, problem = _left_alone(bench, f"orphan-done{index}")
    if problem:
        return problem
    begin = time.monotonic()
    while is_locked(place / RUN):
        if time.monotonic() - begin > PATIENCE:
            return "the training that was left alone did not end"
        time.sleep(0.05)
    log, problem = _again(place)
    return problem or ("" if "were put back" in log else "the finished training was begun again")
