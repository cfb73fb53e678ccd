"""The figures that README and the documents show, drawn from the reference as small WebP: `make docs-figures`.

A page names one as figures/EXPERIMENT/KIND-DATASET.webp. sources.json says from which stored files each was drawn, so that a test
sees a figure that is older than its numbers.
"""

import io
import json
import re
import sys
from pathlib import Path

from PIL import Image

from sgad.catalogue.declarations import function_of
from sgad.catalogue.lookup import figure_of
from sgad.display.plotting import paper_style
from sgad.machine.files import atomic_write, read_json, sha256_of, write_text
from sgad.store.provenance import FILE_NAME
from sgad.store.stored import REFERENCE, read_folder

FOLDER = Path(__file__).with_name("figures")
SOURCES = FOLDER / "sources.json"
#: Sharp on a screen of twice the density at the width of a page.
PIXELS = 1600
_SHOWN = re.compile(r"figures/([\w.-]+)/([a-z_]+)-([\w.]+)\.webp")

Figure = tuple[str, str, str]


def shown(root: Path) -> list[Figure]:
    """The (experiment, kind, data set) of every figure that README.md or a page in docs/ shows."""
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    return sorted({match for page in pages for match in _SHOWN.findall(page.read_text(encoding="utf-8"))})


def source_hash(root: Path, experiment: str) -> str:
    """The hash of what an experiment's figures follow from: its provenance names every stored file by content."""
    return sha256_of(root / "results" / REFERENCE / experiment / FILE_NAME)


def draw(root: Path, figure: Figure) -> Path:
    """Draw one figure from the reference; return its path.

    Raises
    ------
    ValueError
        If the experiment has nothing to show in such a figure.
    """
    experiment, kind, dataset = figure
    stored = read_folder(root / "results" / REFERENCE / experiment)
    with paper_style():
        drawn = function_of(figure_of(kind).draw)(stored, dataset)
    if drawn is None:
        raise ValueError(f"{experiment} has nothing to show as {kind} of {dataset}; a page asks for it")
    content = io.BytesIO()
    drawn.savefig(content, dpi=220)
    picture = Image.open(content).convert("RGB")
    picture.thumbnail((PIXELS, 4 * PIXELS), Image.Resampling.LANCZOS)
    path = FOLDER / experiment / f"{kind}-{dataset}.webp"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        picture.save(temporary, quality=80, method=6)
    return path


def main() -> None:
    """Draw the figures whose stored numbers changed, or all with --all; remove those that no page shows."""
    root = FOLDER.parents[1]
    before = read_json(SOURCES) if SOURCES.is_file() and "--all" not in sys.argv else {}
    sources = {"/".join(figure): source_hash(root, figure[0]) for figure in shown(root)}
    for figure in shown(root):
        path = FOLDER / figure[0] / f"{figure[1]}-{figure[2]}.webp"
        if before.get("/".join(figure)) != sources["/".join(figure)] or not path.is_file():
            print(draw(root, figure))
    kept = {FOLDER / experiment / f"{kind}-{dataset}.webp" for experiment, kind, dataset in shown(root)}
    for path in sorted(FOLDER.rglob("*.webp")):
        if path not in kept:
            path.unlink()
    write_text(SOURCES, json.dumps(sources, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
