"""Run the GPU check: stages in processes of their own, each with its limit, at most nine minutes in all, one JSON file.

    python -m benchmarks.gpu_check [--device cuda] [--out gpu-check.json] [--limit 540] [--only STAGE ...] [--small]
        [--golden FILE ...] [--reference DIR] [--data DIR]

Needs no network. The file is written after each stage, so that a stop loses one stage at most; figures go from it into
RESULTS.md by `python -m benchmarks --from-check FILE`. `--device cpu --small` rehearses everything in a few minutes. Exit 1:
a stage failed; 2: the check cannot begin, with one sentence.
"""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu_check.stages import NEEDED, Request, Stage, python, stages

ROOT = Path(__file__).resolve().parents[2]
#: Below so many seconds no stage is begun.
LEAST = 10.0
TAIL = 15


def parser() -> argparse.ArgumentParser:
    """Make the options."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_check", description="Check and time the CUDA paths"
    )
    options.add_argument("--device", default="cuda", help="cuda, or cpu for a rehearsal (%(default)s)")
    options.add_argument("--out", type=Path, default=Path("gpu-check.json"), help="file to write (%(default)s)")
    options.add_argument("--limit", type=float, default=540.0, help="seconds in all (%(default)s)")
    options.add_argument("--only", nargs="+", metavar="STAGE", default=(), help="these stages alone")
    options.add_argument("--small", action="store_true", help="small cases: a rehearsal, no figures")
    options.add_argument(
        "--golden", nargs="+", type=Path, default=(), metavar="FILE", help="golden files to run as well"
    )
    options.add_argument(
        "--reference", type=Path, metavar="DIR", help="checkout of the authors' release, timed next to ours"
    )
    options.add_argument("--data", type=Path, metavar="DIR", help="prepared data with digits, for a whole training")
    options.add_argument("--list", action="store_true", help="print the stages and stop")
    return options


def absent(packages: Sequence[str]) -> list[str]:
    """Name the packages that are not installed."""

    def is_absent(name: str) -> bool:
        try:
            return importlib.util.find_spec(name) is None
        except (ImportError, ValueError):
            return True

    return [name for name in packages if is_absent(name)]


def run_stage(stage: Stage, limit: float) -> dict[str, Any]:
    """Run one stage for at most `limit` seconds; its exit code (124: out of time), seconds, figures and last lines."""
    begun = time.monotonic()
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "MPLBACKEND": "Agg"} | dict(stage.environment)
    process = subprocess.Popen(
        [python(), *stage.command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        said, complaint = process.communicate(timeout=limit)
        code = process.returncode
    except subprocess.TimeoutExpired:
        # Trainings side by side are children of the stage.
        os.killpg(process.pid, signal.SIGKILL)
        said, complaint = process.communicate()
        code = 124
    found: dict[str, Any] = {"exit": code, "seconds": round(time.monotonic() - begun, 1), "values": figures(said)}
    if code != 0:
        found["tail"] = [*said.splitlines()[-TAIL:], *complaint.splitlines()[-TAIL:]]
    if stage.entry is not None and code == 0:
        found["entry"] = {"name": stage.entry, "command": " ".join(stage.command), "text": said.strip()}
    return found


def figures(text: str) -> list[Any]:
    """Read the lines that are JSON objects."""
    found = []
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def write(path: Path, report: dict[str, Any]) -> None:
    """Write the report under another name, then put it in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def check(
    chosen: Sequence[Stage],
    report: dict[str, Any],
    out: Path,
    limit: float,
    run: Callable[[Stage, float], dict[str, Any]] = run_stage,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Run the stages in order while time is left; says what it leaves out, and why, in the report."""
    begun = clock()
    for stage in chosen:
        left = limit - (clock() - begun)
        missing = absent(stage.needs)
        if missing:
            result: dict[str, Any] = {"left_out": f"needs {', '.join(missing)}"}
        elif left < LEAST:
            result = {"left_out": f"{max(left, 0):.0f} s left"}
        else:
            print(f"== {stage.name} (at most {min(stage.seconds, left):.0f} s)", file=sys.stderr, flush=True)
            result = run(stage, min(stage.seconds, left))
        said = result.get("left_out") or f"exit {result['exit']}, {result['seconds']} s"
        print(f"-- {stage.name}: {said}", file=sys.stderr, flush=True)
        report["stages"].append({"stage": stage.name, **result})
        write(out, report)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Do the check; return 1 if a stage failed, 2 if it cannot begin."""
    options = parser().parse_args(arguments)
    missing = absent(NEEDED)
    if missing:
        print(f"gpu-check needs the packages {', '.join(missing)}; pip install -c constraints.txt .", file=sys.stderr)
        return 2
    if options.device.startswith("cuda") and not _has_cuda():
        print("gpu-check: torch sees no CUDA device; --device cpu --small rehearses the check", file=sys.stderr)
        return 2
    # Timed on a CPU, entries would take hours.
    is_small = options.small or not options.device.startswith("cuda")
    request = Request(options.device, is_small, tuple(options.golden), options.reference, options.data)
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as work:
        found = stages(request, Path(work))
        unknown = set(options.only) - {stage.name for stage in found}
        if unknown:
            known = ", ".join(stage.name for stage in found)
            print(f"gpu-check has no stage {sorted(unknown)[0]!r}; use {known}", file=sys.stderr)
            return 2
        chosen = [stage for stage in found if not options.only or stage.name in options.only]
        if options.list:
            print("\n".join(f"{stage.name:<22} {stage.seconds:3.0f} s  {' '.join(stage.command)}" for stage in chosen))
            return 0
        report = check(chosen, _about(options.device, is_small), options.out, options.limit)
    print(options.out)
    return int(any(stage.get("exit", 0) != 0 for stage in report["stages"]))


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _about(device: str, is_small: bool) -> dict[str, Any]:
    import datetime

    from benchmarks.common import describe, machine
    from sgad.machine.devices import choose_device, make_current
    from sgad.machine.facts import commit

    make_current(choose_device(device))
    about = machine(device)
    day = datetime.date.today().isoformat()
    return {
        "device": device,
        "small": is_small,
        "machine": about,
        "about": f"{describe(about)}; {day}, commit {commit() or 'unknown'}",
        "stages": [],
    }


if __name__ == "__main__":
    sys.exit(main())
