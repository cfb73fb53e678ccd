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


def orphan(bench: Bench, index: int) -> str:
    """SIGKILL of Snakemake alone; `--unlock` and the same command while its training lives on."""
    place = bench.folder / f"orphan{index}"
    _workplace(place, bench.data)
    run = place / RUN
    first = _snakemake(place, f"{RUN}/run.json")
    while not checkpoint_steps(run):
        if first.poll() is not None:
            return f"Snakemake ended with {first.returncode} before there was a checkpoint"
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    if not is_locked(run):
        return "the training did not live on, nothing was tried"
    if _snakemake(place, "--unlock").wait(PATIENCE) != 0:
        return "--unlock failed"
    if _snakemake(place, f"{RUN}/run.json").wait(PATIENCE) != 0:
        return "the restarted Snakemake failed"
    log = (place / "logs/train/digits/swgan/chaos/seed0.log").read_text(encoding="utf-8")
    if "is in use by process" not in log or "already" not in log:
        return "the second training did not wait for the first"
    return "" if fingerprint(run) else "the run is not complete"
