"""The examples of docs/library.md, run in order as they are."""

import re
from pathlib import Path

import pytest

from sgad.config.plugins import REGISTERED
from sgad.models import registry


@pytest.fixture(autouse=True)
def nothing_stays_registered():
    yield
    registry.GENERATORS.pop("mean_potential", None)
    REGISTERED["generator"].discard("mean_potential")


def test_the_examples_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    text = (repository / "docs" / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/library.md", "exec"), names)
    said = capsys.readouterr().out
    assert "torch.Size([4, 8, 1, 28, 28])" in said and "torch.Size([2, 1, 28, 28])" in said
    distance = float(said.strip().splitlines()[-1])
    assert 6 < distance < 12
