"""What the machine can do and what an experiment would cost on it."""

from pathlib import Path

import pytest

from sgad import doctor
from sgad.config.cards import card_of
from sgad.config.compose import resolve
from sgad.config.experiment import load_experiment
from sgad.config.run import RunConfig
from sgad.errors import InputError


def test_the_diagnosis_names_what_matters(tmp_path: Path, digits: Path) -> None:
    text = doctor.diagnose(digits.parent)
    for word in ("machine:", "versions: python", "prepared data sets", "digits", "Inception weights:", "free disk"):
        assert word in text
    assert "run `sgad prepare digits`" in doctor.diagnose(tmp_path)


def test_an_estimate_multiplies_measured_steps(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "measure_in_subprocess", lambda config, shape, device: (2.0, 500.0))
    text = "\n".join(doctor.estimate_experiment(load_experiment("quick"), digits.parent, "cpu"))
    steps = resolve("digits", "sgad", "quick").config.max_steps
    assert steps is not None
    lines = text.splitlines()
    row = next(line.split() for line in lines if line.startswith("digits/sgan/quick"))
    assert row[:5] == ["digits/sgan/quick", "2", "2.000", str(steps), f"{2 * steps / 3600:.2f}"]
    assert any(line.startswith(f"in all: {6 * 2 * steps / 3600:.1f} hours") for line in lines)


def test_measuring_ends_when_its_time_is_over_and_marks_the_rest(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measured(config: RunConfig, shape: tuple[int, ...], device: str) -> tuple[float, float]:
        asked.append(config.model)
        return 2.0, 500.0

    monkeypatch.setattr(doctor, "measure_in_subprocess", measured)
    lines = list(doctor.estimate_experiment(load_experiment("quick"), digits.parent, "cpu", seconds=1.0))
    assert len(asked) == 1
    rows = [line.split() for line in lines if line.startswith("digits/")]
    assert sorted(row[2].startswith("~") for row in rows) == [False, True, True]


def test_the_paper_names_what_is_missing_and_its_hours_on_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("SGAD_INCEPTION_WEIGHTS", raising=False)
    lines = list(doctor.estimate_experiment(load_experiment("paper"), tmp_path, "cpu", card_of("h100")))
    missing = [line for line in lines if line.startswith("missing: ")]
    assert len(missing) == 2
    assert "sgad prepare celeba --download" in missing[0]
    assert "sgad doctor --download-weights" in missing[1]
    assert any("not measured" in line for line in lines)
    assert any("--resources gpu=" in line for line in lines)


def test_an_unknown_card_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="h100"):
        card_of("h10")
    assert card_of("h100").runs_at_once(1000) == 4
    assert card_of("rtx4090").runs_at_once(20_000) == 1


def test_a_step_is_really_measured() -> None:
    config = resolve("digits", "sgan", "paper", settings={"time_steps": 2, "batch_size": 4, "engine": "torch"}).config
    seconds, memory = doctor.measure_in_subprocess(config, (1, 28, 28), "cpu")
    assert 0 < seconds < 10
    assert 50 < memory < 20_000
