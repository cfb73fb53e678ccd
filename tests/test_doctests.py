"""The examples in docstrings are run: a page whose example fails is wrong."""

import doctest
import importlib
from pathlib import Path

import pytest


def modules_with_examples() -> list[str]:
    """Return the modules of sgad that have a `>>>`."""
    root = Path(__file__).parents[1]
    files = sorted(path for path in (root / "sgad").rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))
    return [".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for path in files]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_print_what_they_say(name: str) -> None:
    if name == "sgad.measures.torchmetrics":
        pytest.importorskip("torchmetrics")
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried > 0
    assert failed == 0
