"""The command line: help that is instant, exit codes, one sentence instead of a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sgad.cli import COMMANDS, main


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run the command in this process; return exit code, output and errors."""
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out, printed.err


def test_help_lists_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name in COMMANDS:
        assert name in out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_subcommand_explains_itself(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    assert "Usage: sgad" in out and len(out) > 150
    # click's mark for a paragraph that keeps its lines.
    assert r"\b" not in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tain",), "No such command 'tain'"),
        (("train", "--sed", "3"), "--sed"),
        (("train",), "give CONFIG.yaml, or --dataset and --model"),
        (("train", "absent.yaml"), "absent.yaml does not exist"),
        (("config", "show", "--dataset", "digit", "--model", "sgad"), "did you mean 'digits'"),
        (
            ("config", "show", "--dataset", "digits", "--model", "sgad", "--set", "epoch=3"),
            "did you mean 'epochs'",
        ),
        (("status", "quik"), "did you mean 'quick'"),
        (("measure", "--samples", "x"), "give one of --dataset and --reference"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    code, out, err = run(capsys, *words)
    assert code == 2
    assert err.startswith("sgad: ") and message in err
    assert err.count("\n") == 1 and "Traceback" not in err + out


def test_a_missing_package_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "status", ("package_that_is_absent", "status", ""))
    code, _, err = run(capsys, "status", "quick")
    assert code == 2
    assert "package 'package_that_is_absent' is missing; install it" in err


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    from sgad.errors import InputError

    with pytest.raises(InputError):
        main(["train", "--debug"])


def test_config_check_judges_each_file(capsys: pytest.CaptureFixture[str], tmp_path: Path, repository: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("dataset: digits\nmodel: sgad\nepoch: 3\n")
    good = [str(path) for path in sorted((repository / "configs").glob("*/*.yaml"))]
    code, out, err = run(capsys, "config", "check", *good, str(wrong))
    assert code == 2
    lines = out.splitlines()
    assert len(lines) == len(good) + 1
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert lines[-1].startswith("wrong") and "did you mean 'epochs'" in lines[-1]
    assert "1 of" in err


def test_importing_the_command_line_is_light() -> None:
    code = "import sys; import sgad.cli; print([name for name in ('torch', 'pandas', 'numpy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_threads_sleep_between_parallel_regions_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    with pytest.raises(SystemExit):
        main(["--version"])
    assert os.environ["OMP_WAIT_POLICY"] == "active"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    with pytest.raises(SystemExit):
        main(["--version"])
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
