"""The notebooks run from the first cell to the last in a fresh kernel."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = ("library", "watch-neurons")


def test_no_notebook_is_forgotten(repository: Path) -> None:
    assert tuple(path.stem for path in sorted((repository / "notebooks").glob("*.ipynb"))) == NOTEBOOKS


@pytest.mark.filterwarnings("default")  # kernel and sockets are other people's
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs(repository: Path, name: str) -> None:
    notebook = nbformat.read(repository / "notebooks" / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(repository / "notebooks")}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    said = "".join(output.get("text", "") for output in outputs)
    if name == "library":
        assert "torch.Size([4, 8, 1, 28, 28])" in said
        return
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 4
    assert "spikes an image" in said and "nearest neighbour" in said


def test_the_librarys_notebook_is_its_page(repository: Path) -> None:
    notebook = nbformat.read(repository / "notebooks" / "library.ipynb", as_version=4)
    page = (repository / "docs" / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    assert [cell.source for cell in notebook.cells if cell.cell_type == "code"] == [block.rstrip() for block in blocks]
