"""Run the benchmarks and write benchmarks/RESULTS.md; with names, only those, and the rest of the file stays.

    python -m benchmarks [SECTION | SECTION/ENTRY ...] [--reference DIR] [--out FILE] [--list]
    python -m benchmarks --from-check FILE [--out FILE]

Each command runs in a process of its own, and the file is written after each, so that a stop loses one entry at most.
"""

import argparse
import datetime
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import describe, machine
from benchmarks.suite import Entry, chosen_entries, read_results, render_results
from sgad.machine.facts import commit
from sgad.machine.files import write_text

RESULTS = Path(__file__).with_name("RESULTS.md")


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description="Run benchmarks and write RESULTS.md")
    options.add_argument("names", nargs="*", metavar="NAME", help="sections or single entries; all by default")
    options.add_argument("--reference", metavar="DIR", help="checkout of the authors' release, timed next to ours")
    options.add_argument("--out", type=Path, default=RESULTS, help="file to write (%(default)s)")
    options.add_argument("--list", action="store_true", help="print the commands and stop")
    options.add_argument(
        "--from-check", type=Path, metavar="FILE", help="take the GPU entries from what `make gpu-check` wrote"
    )
    return options


def entries_of_check(path: Path) -> dict[str, str]:
    """Read the entries that a GPU check measured, as RESULTS.md has them.

    Raises
    ------
    ValueError
        If the file is no check's, or holds a rehearsal, which measures nothing.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        found = [stage["entry"] for stage in report["stages"] if "entry" in stage]
        about, is_small = str(report["about"]), bool(report["small"])
        texts = {str(entry["name"]): f"`python {entry['command']}`\n\n{entry['text']}\n\n*{about}*" for entry in found}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not the file of a GPU check ({type(error).__name__}); make it by `make gpu-check`"
        ) from error
    if is_small or not texts:
        raise ValueError(f"{path} holds no figures: it is of a rehearsal, or its timed stages did not run")
    unknown = sorted(set(texts) - set(chosen_entries([])))
    if unknown:
        raise ValueError(
            f"{path} has the entry {unknown[0]!r}, which RESULTS.md does not know; check out the commit it names"
        )
    return texts


def run(entry: Entry, reference: str | None) -> str:
    """Run one command and return its entry.

    Raises
    ------
    RuntimeError
        If it measures nothing; the sentence ends with the last line that it said.
    """
    words = entry.command(reference)
    about, begin = describe(machine("cuda" if entry.needs_cuda else "cpu")), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *words, "--markdown"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 and "|" not in done.stdout:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise RuntimeError(f"python -m {' '.join(words)} ended with {done.returncode}: {said}")
    # A benchmark that measured, and missed what is promised, ends with 1: that belongs into the file.
    missed = f"\n\n**Ended with exit code {done.returncode}.**" if done.returncode != 0 else ""
    # Where the release is on this machine is no part of the result.
    shown = " ".join("DIR" if word == reference else word for word in words)
    took = f"{datetime.date.today().isoformat()}, commit {commit() or 'unknown'}, {time.perf_counter() - begin:.0f} s in all"
    return f"`python -m {shown}`\n\n{done.stdout.strip()}{missed}\n\n*{about}; {took}*"


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; return 1 if a benchmark failed, 2 if a name is unknown."""
    options = parser().parse_args(arguments)
    try:
        chosen = chosen_entries(options.names)
    except ValueError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    if options.list:
        for name, entry in chosen.items():
            print(f"{name:<26} python -m {' '.join(entry.command(options.reference))}")
        return 0
    if options.from_check is not None:
        try:
            measured = entries_of_check(options.from_check)
        except ValueError as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            return 2
        known = read_results(options.out.read_text(encoding="utf-8")) if options.out.is_file() else {}
        write_text(options.out, render_results(known | measured))
        print(f"{options.out}: {', '.join(measured)}")
        return 0
    failed = 0
    for number, (name, entry) in enumerate(chosen.items(), 1):
        if entry.needs_cuda and not _has_cuda():
            print(f"[{number}/{len(chosen)}] {name}: left as it is, no CUDA device on this machine", file=sys.stderr)
            continue
        print(f"[{number}/{len(chosen)}] {name}", file=sys.stderr)
        try:
            text = run(entry, options.reference)
        except RuntimeError as error:
            print(f"  failed, left as it is: {error}", file=sys.stderr)
            failed += 1
            continue
        # Read again each time: another call may have written its own entries meanwhile.
        known = read_results(options.out.read_text(encoding="utf-8")) if options.out.is_file() else {}
        write_text(options.out, render_results(known | {name: text}))
    if not options.out.is_file():
        write_text(options.out, render_results({}))
    print(options.out)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
