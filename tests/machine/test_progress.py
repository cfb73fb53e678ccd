"""Progress where there is no terminal: lines, now and then."""

import os

import pytest

from sgad.machine.progress import Progress


def test_lines_say_how_much_is_left(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SGAD_PROGRESS_SECONDS", "0")
    with Progress(4, initial=1, title="training", unit="steps") as progress:
        progress.update(1, "loss 0.5")
        progress.update(2)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("training: 2/4 steps (50 %)") and first.endswith("left, loss 0.5")
    assert last.startswith("training: 4/4 steps (100 %), 0:00 left")


def test_only_the_last_line_comes_when_time_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(100, title="fast") as progress:
        for _ in range(100):
            progress.update()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_workflow_gets_the_lines_on_its_own_descriptor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    monkeypatch.setenv("SGAD_PROGRESS_FD", str(writer))
    with Progress(1, title="training") as progress:
        progress.update()
    os.close(writer)
    assert os.read(reader, 1000).decode() == capsys.readouterr().err
    os.close(reader)
