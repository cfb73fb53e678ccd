"""What the report page shows, as plain values: pictures as data URIs, curves as JSON, cards of runs."""

import base64
import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgad.catalogue.metrics import metric_info
from sgad.display.labels import label_runs
from sgad.display.plotting import COLOURS
from sgad.names import label_of
from sgad.reporting.figures.histories import ACTIVITY, CURVES, HEALTH
from sgad.store.stored import Captions, Stored, model_title, rows_of, run_name

if TYPE_CHECKING:
    import pandas as pd

MAX_POINTS = 60_000
#: Of a data set: more lines cannot be told apart, and a browser takes long to draw them.
MAX_LINES = 36
DOWNLOAD_BYTES = 200_000
MAX_POINTS_A_RUN = 300
PANELS = CURVES | ACTIVITY | HEALTH | {"images_per_second": "images per second"}
_TYPES = {".png": "image/png", ".webp": "image/webp", ".gif": "image/gif", ".svg": "image/svg+xml"}


@dataclass
class Embedder:
    """Turns files into data URIs until `budget` bytes are spent; later ones become links beside the page."""

    folder: Path
    budget: int
    linked: list[str] = field(default_factory=list)

    def address(self, path: Path) -> str:
        """What goes into `src`; an empty string if there is no such file."""
        if not path.is_file():
            return ""
        size = path.stat().st_size
        if size > self.budget:
            relative = os.path.relpath(path, self.folder).replace(os.sep, "/")
            self.linked.append(relative)
            return relative
        self.budget -= size
        return data_uri(path.read_bytes(), _TYPES[path.suffix])


def data_uri(content: bytes, media_type: str) -> str:
    """Content as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def models_of(runs: "pd.DataFrame", captions: Captions) -> list[dict[str, Any]]:
    """The models and variants of some runs with labels and colour numbers, as figures have them."""
    cells = runs.drop_duplicates(["model", "variant"])
    labels = label_runs(cells, captions)
    return [
        {"model": row.model, "variant": row.variant, "label": label, "colour": index % len(COLOURS)}
        for index, (row, label) in enumerate(zip(rows_of(cells), labels, strict=True))
    ]


def _short_title(captions: Captions, dataset: str) -> str:
    """Title of a data set, without the note of a stand-in."""
    facts = captions["datasets"].get(dataset)
    return facts["title"] if facts else label_of("dataset", dataset)


def samples_of(stored: Stored, dataset: str, pictures: Embedder) -> list[dict[str, Any]]:
    """Return, seed by seed, each model's pictures: grid, per-step strip, event GIF, frames over training."""
    runs = stored.runs[stored.runs["dataset"] == dataset]
    found = {(run.model, run.variant, run.seed): run for run in rows_of(runs)}
    models, seeds = models_of(runs, stored.captions), sorted(set(runs["seed"]))
    return [
        {
            "seed": int(seed),
            "cards": [
                _card(stored, model, found[key], pictures)
                for model in models
                # An experiment may list other seeds for other models.
                if (key := (model["model"], model["variant"], seed)) in found
            ],
        }
        for seed in seeds
    ]


def _card(stored: Stored, model: dict[str, Any], run: Any, pictures: Embedder) -> dict[str, Any]:
    name, grids = run_name(run.dataset, run.model, run.variant, run.seed), stored.folder / "grids"
    frames = [
        {"step": int(path.stem.removeprefix("step-")), "source": pictures.address(path)}
        for path in sorted((grids / name).glob("step-*.webp"))
    ]
    return {
        **model,
        "status": run.status,
        "reason": run.reason,
        "time_steps": integer(run.time_steps),
        "grid": pictures.address(stored.picture(name)),
        "strip": pictures.address(stored.picture(f"{name}-steps")),
        "gif": pictures.address(grids / f"{name}.gif"),
        "frames": frames,
    }


def curves_of(stored: Stored, dataset: str) -> dict[str, Any]:
    """The histories of a data set's runs: panels, and for each run its steps and one list a panel."""
    runs = stored.runs[stored.runs["dataset"] == dataset]
    rows = stored.histories[stored.histories["dataset"] == dataset]
    cells = len(runs.drop_duplicates(["model", "variant"]))
    first_seeds = sorted(set(rows["seed"]))[: max(1, MAX_LINES // max(cells, 1))]
    num_lines = len(rows.drop_duplicates(["model", "variant", "seed"]))
    rows = rows[rows["seed"].isin(first_seeds)] if num_lines > MAX_LINES else rows
    panels = {key: label for key, label in PANELS.items() if key in rows and rows[key].notna().any()}
    colours = {(model["model"], model["variant"]): model for model in models_of(runs, stored.captions)}
    points = max(20, min(MAX_POINTS_A_RUN, MAX_POINTS // max(min(len(stored.runs), MAX_LINES), 1)))
    series = []
    for (model, variant, seed), history in rows.groupby(["model", "variant", "seed"], sort=False):
        kept = history.iloc[:: math.ceil(len(history) / points)]
        shown = colours[model, variant]
        series.append(
            {
                "label": f"{shown['label']}, seed {seed}",
                "model": shown["label"],
                "colour": shown["colour"],
                "steps": [int(step) for step in kept["step"]],
                "values": {key: [_short(value) for value in kept[key].tolist()] for key in panels},
            }
        )
    return {"panels": panels, "series": series, "left_out": num_lines - len(series)}


def _short(value: float) -> float | None:
    """Five digits are more than a screen shows; JSON knows neither NaN nor infinity."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def run_rows(stored: Stored) -> tuple[list[str], list[dict[str, Any]]]:
    """The labels of the metrics shown, and a row for each run with values, provenance and folder."""
    metrics = list(dict.fromkeys(stored.metrics["metric"]))[:5]
    values = {
        (row.dataset, row.model, row.variant, row.seed, row.metric): row.value
        for row in rows_of(stored.metrics[stored.metrics["seed"].notna()])
    }
    rows = []
    for run in rows_of(stored.runs):
        key = (run.dataset, run.model, run.variant, run.seed)
        measured = [(metric_info(name), values.get((*key, name), math.nan)) for name in metrics]
        rows.append(
            {
                "run": run,
                "model": model_title(stored.captions, run.model),
                "dataset": _short_title(stored.captions, run.dataset),
                "time_steps": integer(run.time_steps),
                "steps": integer(run.steps),
                "seconds": None if math.isnan(run.seconds) else run.seconds,
                "values": [
                    {"text": f"{value:.{info.decimals}f}", "sort": value} if math.isfinite(value) else None
                    for info, value in measured
                ],
            }
        )
    return [metric_info(name).label for name in metrics], rows


def integer(value: Any) -> int | None:
    """A nullable integer cell as an int or None."""
    return None if str(value) == "<NA>" else int(value)


def script_json(content: Any) -> str:
    """JSON that may stand inside a script element: no character of it can end the element."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def downloads(folder: Path, stems: Iterable[str], suffixes: Iterable[str]) -> list[dict[str, str]]:
    """The files that exist among folder/STEM.SUFFIX: links that carry them, or lead to large ones."""
    types = {
        "csv": "text/csv",
        "md": "text/markdown",
        "tex": "text/x-tex",
        "svg": "image/svg+xml",
        "png": "image/png",
    }
    names = {"csv": "CSV", "md": "Markdown", "tex": "LaTeX", "svg": "SVG", "png": "PNG"}
    return [
        {"name": path.name, "label": names[suffix], "address": _address(path, types[suffix])}
        for stem in stems
        for suffix in suffixes
        if (path := folder / f"{stem}.{suffix}").is_file()
    ]


def _address(path: Path, media_type: str) -> str:
    if path.stat().st_size > DOWNLOAD_BYTES:
        return f"{path.parent.name}/{path.name}"
    return data_uri(path.read_bytes(), media_type)
