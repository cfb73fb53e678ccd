"""The fault suite: python -m benchmarks.chaos [--kill 50] [--terminate 20] ... [--out docs/reliability.md].

Exit code 1 if a training did not survive one of the faults.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.chaos import faults
from benchmarks.chaos.faults import CHANGED, Bench, Skipped
from benchmarks.chaos.report import Result, page
from benchmarks.chaos.trainings import CASES, CHECKPOINT_EVERY, STEPS, fingerprint, train
from benchmarks.chaos.workflow_faults import orphan, orphan_done
from sgad.data.description import load_description
from sgad.data.prepare import prepare
from sgad.machine.files import write_text

Fault = Callable[[Bench, int], str]
#: Option -> (the issue's count or ours, the fault, its name in the table, what is demanded).
SUITE: dict[str, tuple[int, Fault, str, str]] = {
    "kill": (50, faults.kill, "SIGKILL at a random instant", f"at most {CHECKPOINT_EVERY} steps lost"),
    "terminate": (20, faults.terminate, "SIGTERM at a random instant", "checkpoint and exit 130 within 10 s"),
    "user-signal": (5, faults.user_signal, "SIGUSR1 at a random instant", "checkpoint and exit 130 within 10 s"),
    "full-disk": (10, faults.full_disk, "disk full at a random point", "one sentence, old files whole, resumable"),
    "damaged": (10, faults.damaged, "newest checkpoint truncated or one bit flipped", "noticed; the one before it is used"),
    "two-writers": (4, faults.two_writers, "two processes on one run folder", "the second waits, or takes over from a dead one"),
    "changed": (2, faults.changed_configuration, "configuration changed after a kill", "old checkpoint refused, started afresh"),
    "rerun": (10, faults.rerun, "killed after its record, outputs deleted", "no step is trained again"),
    "read-only": (2, faults.read_only_data, "data on a read-only mount", "trains all the same"),
    "orphan": (1, orphan, "Snakemake killed, its training lives on", "restarted Snakemake waits for it (weights not compared)"),
    "orphan-done": (1, orphan_done, "Snakemake killed, training ends alone", "no step trained again (weights not compared)"),
}  # fmt: skip


def run(name: str, bench: Bench, count: int) -> Result:
    """Try one fault `count` times."""
    _, fault, title, demand = SUITE[name]
    result, begin = Result(title, demand), time.monotonic()
    for index in range(count):
        try:
            problem = fault(bench, index)
        except Skipped as reason:
            result.skipped = str(reason)
            break
        result.tried += 1
        result.passed += not problem
        result.problems += [f"trial {index}: {problem}"] if problem else []
        print(f"{title} {index + 1}/{count}: {problem or 'passed'}", file=sys.stderr, flush=True)
    result.seconds = time.monotonic() - begin
    return result


def undisturbed(folder: Path, data: Path) -> tuple[dict[faults.Case, str], float]:
    """Train each case twice without a fault; return the fingerprints and the seconds of the fastest training."""
    references, seconds = {}, []
    for index, case in enumerate((*CASES, CHANGED)):
        found = set()
        for turn in ("first", "second"):
            begin = time.monotonic()
            training = train(case, data, folder / f"reference{index}" / turn)
            seconds.append(time.monotonic() - begin)
            found.add(fingerprint(training.folder))
        if len(found) != 1 or "" in found:
            raise SystemExit(f"{case}: two undisturbed trainings do not end alike:\n{training.said()}")
        references[case] = found.pop()
    return references, min(seconds)


def warm_up(data: Path, folder: Path) -> None:
    """Train in this process, so that forked ones find everything imported and compiled."""
    from sgad.cli import main as command

    for index, case in enumerate(CASES):
        try:
            command(case.words(data, folder / str(index)))
        except SystemExit as ended:
            if ended.code:
                raise SystemExit(f"a training without any fault ended with {ended.code}") from ended


def main() -> None:
    """Run the suite and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, (count, _, title, _) in SUITE.items():
        parser.add_argument(f"--{name}", type=int, default=count, metavar="N", help=f"{title} (%(default)s)")
    parser.add_argument("--seed", type=int, default=9, help="of the random instants (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("docs/reliability.md"), help="page to write (%(default)s)")
    options = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sgad-chaos-") as name:
        folder = Path(name)
        data = folder / "data"
        prepare(load_description("digits"), [], data / "digits")
        warm_up(data, folder / "warm")
        references, life = undisturbed(folder, data)
        bench = Bench(folder, data, random.Random(options.seed), references, life)
        counts = {name: getattr(options, name.replace("-", "_")) for name in SUITE}
        results = [run(name, bench, count) for name, count in counts.items() if count]
    text = page(results, time.monotonic() - begin, life, options.seed, STEPS, CHECKPOINT_EVERY)
    write_text(options.out, text)
    print(f"{text}\nwritten to {options.out}")
    sys.exit(not all(result.is_fine for result in results))


if __name__ == "__main__":
    main()
