"""Every error of the data carries its own remedy: what stands after its first semicolon."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from sgad.data.check import check_dataset
from tests.data.broken import CASES
from tests.data.builders import describe

PLACES = "check the `places` of its description"


def literals(node: ast.AST) -> str:
    return "".join(
        part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def errors(repository: Path) -> Iterator[tuple[str, str]]:
    paths = [*(repository / "sgad" / "data").rglob("*.py"), *(repository / "sgad" / "measures").glob("*s.py")]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("InputError", "NoData")
            ):
                yield f"{path.name}:{node.lineno}", literals(node.args[0])


#: Their sentence is made elsewhere: by a description's check, or by `stand_in`.
MADE_ELSEWHERE = ("", " ", ": ")


def test_each_sentence_has_a_remedy(repository: Path) -> None:
    assert [place for place, text in errors(repository) if text not in MADE_ELSEWHERE and "; " not in text] == []


@pytest.mark.parametrize("name", CASES)
def test_check_gives_each_broken_set_its_own_remedy(tmp_path: Path, name: str) -> None:
    source, options, build, _ = CASES[name]
    build(tmp_path)
    places = ["set.zip", "cifar-10-python.tar.gz", "celeba.zip"]
    found = [item for item in check_dataset(describe(source, places=places, **options), [tmp_path]) if not item.is_fine]
    assert found
    for item in found:
        assert item.remedy, item
        assert (PLACES in item.remedy) == (item.level == "missing"), item
