"""The fault suite itself: its page tells what happened, and each fault is really made and survived."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.chaos.__main__ import SUITE
from benchmarks.chaos.report import Result, page


def test_the_page_tells_passed_failed_and_skipped() -> None:
    results = [
        Result(
            "SIGKILL", "no loss", tried=50, passed=49, seconds=100.4, problems=["trial 7: the final weights differ"]
        ),
        Result("disk full", "one sentence", skipped="mounting needs root"),
    ]
    text = page(results, 123.0, 1.5, 9, 12, 3)
    assert "| SIGKILL | no loss | 49 of 50 | 100 |" in text
    assert "| disk full | one sentence | - (skipped: mounting needs root) | 0 |" in text
    assert "## What went wrong\n\n- SIGKILL: trial 7: the final weights differ" in text
    assert "50 trials in 123 s" in text
    assert [result.is_fine for result in results] == [False, True]


def test_the_suite_makes_as_many_faults_as_the_issue_asks_for() -> None:
    counts = {name: count for name, (count, *_) in SUITE.items()}
    assert (counts["kill"], counts["terminate"], counts["full-disk"], counts["damaged"]) == (50, 20, 10, 10)
    assert set(counts) == {
        "kill", "terminate", "user-signal", "full-disk", "damaged", "two-writers", "changed", "rerun", "read-only", "orphan",
        "orphan-done",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_fault_of_each_kind_is_survived(tmp_path: Path, repository: Path) -> None:
    words = [word for name in SUITE for word in (f"--{name}", "1")]
    command = [sys.executable, "-m", "benchmarks.chaos", *words, "--out", str(tmp_path / "page.md")]
    process = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert text.count("1 of 1") + text.count("skipped: ") == len(SUITE)
