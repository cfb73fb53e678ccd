"""`python -m benchmarks`: which commands it runs, and how entries of RESULTS.md are replaced."""

import importlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks.suite import ABSENT, SECTIONS, chosen_entries, entries, read_results, render_results


def test_the_committed_file_has_every_entry_and_no_other(repository: Path):
    text = (repository / "benchmarks/RESULTS.md").read_text(encoding="utf-8")
    assert render_results(read_results(text)) == text


def test_what_was_not_run_is_said_to_be_absent():
    text = render_results({})
    assert text.count(ABSENT) == len(entries())
    assert all(f"## {section.name}\n" in text for section in SECTIONS)


def test_replacing_an_entry_leaves_the_others():
    first = render_results({"frechet/few_traces": "superseded\n\n| a |", "data/data": "kept"})
    second = render_results(read_results(first) | {"frechet/few_traces": "new"})
    assert "superseded" not in second
    assert read_results(second)["frechet/few_traces"] == "new"
    assert read_results(second)["data/data"] == "kept"


def test_names_choose_sections_and_single_entries():
    assert list(chosen_entries(["frechet", "train_step/sweep"])) == [
        "train_step/sweep",
        "frechet/few_traces",
        "frechet/few_distances",
        "frechet/many_traces",
        "frechet/many_distances",
    ]
    assert chosen_entries([]) == entries()


def test_an_unknown_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]):
    assert command.main(["frechte"]) == 2
    assert re.search(r"'frechte'; use train_step, .*frechet", capsys.readouterr().err)


@pytest.mark.parametrize("module", sorted({entry.module for entry in entries().values()}))
def test_every_command_is_understood_by_its_module(module: str, monkeypatch: pytest.MonkeyPatch):
    # Its own parser reads the arguments; --help then ends it before anything is measured.
    main = importlib.import_module(f"benchmarks.{module}").main
    for entry in entries().values():
        if entry.module == module:
            words = entry.command("some-folder")[1:]
            monkeypatch.setattr("sys.argv", [module, *words, "--markdown", "--help"])
            with pytest.raises(SystemExit) as stop:
                main()
            assert stop.value.code == 0


def _answer(code: int, out: str, err: str = "") -> Any:
    return lambda words, **_: subprocess.CompletedProcess(words, code, out, err)


def test_a_run_writes_what_was_measured_and_on_which_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command.subprocess, "run", _answer(0, "| a | b |\n"))
    assert command.main(["train_step/sgad_mnist", "--reference", "/away", "--out", str(tmp_path / "R.md")]) == 0
    text = (tmp_path / "R.md").read_text()
    assert "| a | b |" in text
    assert "--reference DIR`" in text
    assert "/away" not in text
    assert "cores" in read_results(text)["train_step/sgad_mnist"]
    assert text.count(ABSENT) == len(entries()) - 1


def test_a_benchmark_that_fails_leaves_its_entry_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "R.md"
    out.write_text(render_results({"data/data": "measured before"}))
    monkeypatch.setattr(command.subprocess, "run", _answer(2, "", "no disk\n"))
    assert command.main(["data", "parallel", "--out", str(out)]) == 1
    assert read_results(out.read_text())["data/data"] == "measured before"
    assert "ended with 2: no disk" in capsys.readouterr().err


def test_a_benchmark_that_misses_its_promise_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command.subprocess, "run", _answer(1, "| 2000 | 99 s |\n"))
    assert command.main(["workflow", "--out", str(tmp_path / "R.md")]) == 0
    assert "exit code 1" in (tmp_path / "R.md").read_text()


def test_gpu_entries_stay_as_they_are_without_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "_has_cuda", lambda: False)
    monkeypatch.setattr(command.subprocess, "run", _answer(1, ""))
    assert command.main(["gpu", "--out", str(tmp_path / "R.md")]) == 0
    assert read_results((tmp_path / "R.md").read_text())["gpu/sgad_mnist"].endswith(f"{ABSENT}.")
