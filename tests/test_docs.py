"""The examples of docs/adding-a-model.md, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_example_model_trains_and_samples(
    tmp_path: Path, repository: Path, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (repository / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
    (tmp_path / "mean_readout.py").write_text(blocks(text, "python")[0], encoding="utf-8")
    model = tmp_path / "configs" / "models" / "mean_readout.yaml"
    model.parent.mkdir(parents=True)
    model.write_text(blocks(text, "yaml")[0], encoding="utf-8")
    (tmp_path / "data").symlink_to(digits.parent)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    script = blocks(text, "bash")[0].replace("--variant smoke", "--variant smoke --set max_steps=2")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ok     configs/models/mean_readout.yaml: model Mean readout" in done.stdout
    assert (tmp_path / "runs" / "mean_readout" / "samples.npz").is_file()
