"""docs/reliability.md: what was tried, how often, and what came of it."""

import datetime
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.common import describe, machine, table
from sgad.machine.facts import commit, versions


@dataclass
class Result:
    """One row of the summary."""

    fault: str
    demand: str
    tried: int = 0
    passed: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether nothing went wrong; what could not be tried is not wrong."""
        return self.passed == self.tried


INTRODUCTION = """# Reliability: faults made on purpose

Written by `make chaos` (`python -m benchmarks.chaos`); nothing in here is typed by hand. Each trial disturbs a tiny training on
scikit-learn's digits ({steps} update pairs, a checkpoint every {every}; SWGAN with RMSProp, SGAD with Adam and a moving average,
SGAN with rate coding, in turn), then gives the same command again. A trial passes if what its row demands held *and* every tensor
of both networks equals, bit for bit, that of the training which nobody disturbed.
"""
METHOD = """## How it is done

- Trainings are children forked from a process that has imported the package and compiled its kernels; each runs the whole command
  line (`sgad.cli.main`). So a fault at a random instant of a life of about {life:.1f} s meets training, not the start of Python.
- Random instants, sizes and positions derive from `--seed` ({seed}); how far a training is at an instant depends on the machine.
- Full disks are tmpfs mounts of 1 to 120 MB that hold the run folder; then they are made larger and the same command goes on.
- The killed Snakemake is a real one with its real training, as the default profile runs them.
- A kill does not cut the power: files are flushed (`fsync`) before they are renamed, but no disk was pulled here. Network
  file systems were not at hand either; what they may break (locks, reads that fail) is tested with stand-ins in
  `tests/runs/test_lock.py` and `tests/training/test_checkpoint.py`.
  For Slurm see [running-at-scale.md](running-at-scale.md).
"""


def page(results: Sequence[Result], seconds: float, life: float, seed: int, steps: int, every: int) -> str:
    """Return the page in Markdown."""
    rows = [[result.fault, result.demand, _score(result), f"{result.seconds:.0f}"] for result in results]
    problems = [f"- {result.fault}: {problem}" for result in results for problem in result.problems]
    packages = ", ".join(f"{name} {number}" for name, number in versions().items())
    lines = [
        INTRODUCTION.format(steps=steps, every=every),
        table(["fault", "demanded beside identical weights", "passed", "seconds"], rows),
        "",
        f"{sum(result.tried for result in results)} trials in {seconds:.0f} s,"
        f" {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, commit {commit() or 'unknown'}.",
        f"Machine: {describe(machine())}. Versions: {packages}; {platform.platform()}.",
        "",
    ]
    lines += ["## What went wrong", "", *problems, ""] if problems else []
    return "\n".join([*lines, METHOD.format(life=life, seed=seed)])


def _score(result: Result) -> str:
    tried = f"{result.passed} of {result.tried}"
    return f"{tried if result.tried else '-'} (skipped: {result.skipped})" if result.skipped else tried
