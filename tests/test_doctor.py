"""What the machine can do and what an experiment would cost on it."""

from pathlib import Path

import pytest

from sgad import doctor
from sgad.config.compose import resolve
from sgad.config.experiment import load_experiment


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
    assert len(lines) == 5
    assert lines[1].split()[:5] == ["digits/sgan/quick", "2", "2.000", str(steps), f"{2 * steps / 3600:.2f}"]
    assert f"in all: {6 * 2 * steps / 3600:.1f} hours" in lines[-1]


def test_a_step_is_really_measured() -> None:
    config = resolve("digits", "sgan", "paper", settings={"time_steps": 2, "batch_size": 4, "engine": "torch"}).config
    seconds, memory = doctor.measure_in_subprocess(config, (1, 28, 28), "cpu")
    assert 0 < seconds < 10
    assert 50 < memory < 20_000
