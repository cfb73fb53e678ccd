"""Documents whose numbers are stored ones: docs/numbers/NAME.md is a template, docs/NAME.md what comes of it.

`make docs-numbers` writes them; a test fails while a document says anything else than the stored results do, or while a template
holds a number that comes from nowhere. A template is Jinja; the functions of `Numbers` are its words, for example

    FAD {{ spread("fashion_cpu", "fashion_mnist", "sgad", "stable+max_steps=6000", "fad_fsvae") }}
"""

import math
import re
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgad.catalogue.metrics import MetricInfo, metric_info
from sgad.display.formats import Cell, Column, Table, to_markdown
from sgad.errors import InputError
from sgad.machine.files import write_text
from sgad.store.comparisons import Comparison, compare
from sgad.store.reported import reported_for
from sgad.store.stored import REFERENCE, Stored, read_folder, rows_of
from sgad.store.summary import summarise

if TYPE_CHECKING:
    import pandas as pd

TEMPLATES = "numbers"
_NOTICE = "<!-- Written by `make docs-numbers` from docs/{folder}/{name}, where the words are. -->\n"
_COUNTED = ("no seed", "one seed", "two seeds", "three seeds", "four seeds", "five seeds")


class Numbers:
    """What a template may say: each method looks a number up in results/reference and raises InputError if it is not there."""

    def __init__(self, results_dir: Path | str = "results") -> None:
        # Never own results: documents say what comes with the repository.
        self._stored = cache(lambda name: read_folder(Path(results_dir) / REFERENCE / name))
        self._summary = cache(lambda name: _summary_of(self._stored(name)))
        self._compared = cache(lambda name: compare(self._stored(name).metrics))

    def words(self) -> dict[str, Any]:
        """The functions by the names that templates call them by."""
        names = (
            "mean",
            "spread",
            "seed",
            "verdict",
            "difference",
            "found",
            "minutes",
            "ends",
            "reported",
            "scores",
        )
        return {name: getattr(self, name) for name in names} | {"note": note}

    def mean(self, experiment: str, dataset: str, model: str, variant: str, metric: str) -> str:
        """The mean over seeds, with the decimals that tables show."""
        row = self._row(experiment, dataset, model, variant, metric)
        return _text(row.mean, metric_info(metric))

    def spread(self, experiment: str, dataset: str, model: str, variant: str, metric: str) -> str:
        """Mean and standard deviation over seeds with their number, as in "12.05 ± 1.59 (three seeds)"."""
        row = self._row(experiment, dataset, model, variant, metric)
        text = _text(row.mean, metric_info(metric))
        if row.n > 1:
            text += f" ± {_text(row.std, metric_info(metric))}"
        return f"{text} ({_counted(int(row.n))})"

    def seed(self, experiment: str, dataset: str, model: str, variant: str, metric: str, seed: int) -> str:
        """The value of one run."""
        frame = self._stored(experiment).metrics
        values = frame[_is(frame, dataset, model, variant) & (frame["metric"] == metric) & (frame["seed"] == seed)][
            "value"
        ]
        if len(values.dropna()) != 1:
            raise _absent(experiment, dataset, model, variant, metric, f"seed {seed}")
        return _text(float(values.iloc[0]), metric_info(metric))

    def verdict(
        self, experiment: str, dataset: str, metric: str, this: tuple[str, str], against: tuple[str, str]
    ) -> str:
        """The verdict of (model, variant) against another one: better, worse, not told apart, too few seeds."""
        return self._comparison(experiment, dataset, metric, this, against).verdict

    def difference(
        self, experiment: str, dataset: str, metric: str, this: tuple[str, str], against: tuple[str, str]
    ) -> str:
        """The difference of means with its 95 % interval and verdict, as in "-3.52 (-4.90 to -2.15): better"."""
        found, info = self._comparison(experiment, dataset, metric, this, against), metric_info(metric)
        digits = info.decimals
        interval = "" if math.isnan(found.low) else f" ({found.low:+.{digits}f} to {found.high:+.{digits}f})"
        return f"{found.difference:+.{digits}f}{interval}: {found.verdict}"

    def found(
        self,
        experiment: str,
        analysis: str,
        dataset: str,
        model: str,
        variant: str,
        quantity: str,
        *,
        part: str | None = None,
        position: float | None = None,
        decimals: int = 2,
        scale: float = 1.0,
    ) -> str:
        """The mean over seeds (and positions, if none is given) of what an analysis found, with ± where there are several."""
        frame = self._stored(experiment).analyses
        here = _finding(frame, analysis, dataset, model, variant, quantity, part, position)
        if here is None or here.empty:
            raise _absent(experiment, dataset, model, variant, f"{analysis}.{quantity}", part or "")
        seeds = here.groupby("seed")["value"].mean() * scale
        text = f"{seeds.mean():,.{decimals}f}"
        return f"{text} ± {seeds.std():,.{decimals}f}" if len(seeds) > 1 else text

    def minutes(self, experiment: str, dataset: str, model: str, variant: str) -> str:
        """How long the runs of a model trained, as in "34 to 58"."""
        frame = self._stored(experiment).runs
        seconds = frame[_is(frame, dataset, model, variant)]["seconds"].dropna()
        if seconds.empty:
            raise _absent(experiment, dataset, model, variant, "seconds", "")
        low, high = round(seconds.min() / 60), round(seconds.max() / 60)
        return f"{low}" if low == high else f"{low} to {high}"

    def ends(self, experiment: str, dataset: str, model: str, variant: str, column: str, decimals: int = 1) -> str:
        """Where a column of histories ends, least to greatest over the runs, as in "-81.2 to -72.1"."""
        frame = self._stored(experiment).histories
        here = frame[_is(frame, dataset, model, variant)].dropna(subset=[column]) if column in frame else frame.iloc[:0]
        if here.empty:
            raise _absent(experiment, dataset, model, variant, column, "")
        last = here.sort_values("step").groupby("seed")[column].last()
        low, high = f"{last.min():.{decimals}f}", f"{last.max():.{decimals}f}"
        return low if low == high else f"{low} to {high}"

    def reported(self, dataset: str, model: str, time_steps: int | None, metric: str) -> str:
        """What others reported, as they print it; None for a model without time steps."""
        steps = "" if time_steps is None else str(time_steps)
        values = [f.value for f in reported_for(dataset) if (f.model, f.time_steps, f.metric) == (model, steps, metric)]
        if len(values) != 1:
            raise InputError(f"reported.csv has {len(values)} values of {metric} of {model}, T = {steps}, on {dataset}")
        return values[0]

    def scores(
        self, experiment: str, dataset: str, rows: Sequence[tuple[str, str, str]], metrics: Sequence[str]
    ) -> str:
        """A Markdown table: one row for each (label, model, variant), mean ± deviation of each metric, number of seeds."""
        infos = [metric_info(key) for key in metrics]
        columns = [
            Column(""),
            *(Column(f"{i.label} {'↑' if i.higher_is_better else '↓'}", is_number=True) for i in infos),
        ]
        lines = []
        for label, model, variant in rows:
            cells = [self._row(experiment, dataset, model, variant, key, may_be_absent=True) for key in metrics]
            most = max((int(row.n) for row in cells if row is not None), default=0)
            lines.append(
                [Cell(label), *(_cell(row, i, most) for row, i in zip(cells, infos, strict=True)), Cell(str(most))]
            )
        text = to_markdown(Table("", "", [*columns, Column("seeds", is_number=True)], [("", lines)], ""))
        return "\n".join(line for line in text.splitlines() if line.startswith("|"))

    def _row(
        self, experiment: str, dataset: str, model: str, variant: str, metric: str, *, may_be_absent: bool = False
    ) -> Any:
        frame = self._summary(experiment)
        rows = rows_of(frame[_is(frame, dataset, model, variant) & (frame["metric"] == metric) & (frame["n"] > 0)])
        found = list(rows)
        if not found and not may_be_absent:
            raise _absent(experiment, dataset, model, variant, metric, "")
        return found[0] if found else None

    def _comparison(
        self, experiment: str, dataset: str, metric: str, this: tuple[str, str], against: tuple[str, str]
    ) -> Comparison:
        for each in self._compared(experiment):
            pair = ((each.model, each.variant), (each.other_model, each.other_variant))
            if (each.dataset, each.metric) == (dataset, metric) and pair == (tuple(this), tuple(against)):
                return each
        raise InputError(
            f"{experiment} makes no comparison of {'/'.join(this)} against {'/'.join(against)} by {metric} on {dataset};"
            " its table `comparisons` lists those that it makes, in their order"
        )


def note(text: str, source: str) -> str:
    """A number that no stored result holds: `source`, which only the template shows, says where it is from."""
    if not source:
        raise InputError(f"note {text!r} names no source")
    return text


def _summary_of(stored: Stored) -> "pd.DataFrame":
    return summarise(stored.metrics, stored.runs)


def _is(frame: "pd.DataFrame", dataset: str, model: str, variant: str) -> "pd.Series[bool]":
    # Baselines have no variant.
    same = frame["variant"].fillna("") == variant
    return (frame["dataset"] == dataset) & (frame["model"] == model) & same


def _finding(
    frame: "pd.DataFrame | None",
    analysis: str,
    dataset: str,
    model: str,
    variant: str,
    quantity: str,
    part: str | None,
    position: float | None,
) -> "pd.DataFrame | None":
    if frame is None:
        return None
    here = frame[
        _is(frame, dataset, model, variant) & (frame["analysis"] == analysis) & (frame["quantity"] == quantity)
    ]
    here = here[here["value"].notna()]
    if part is not None:
        here = here[here["part"] == part]
    return here if position is None else here[here["position"] == position]


def _absent(*words: str) -> InputError:
    named = " / ".join(word for word in words if word)
    return InputError(f"no stored value of {named}; a document may say only what is stored")


def _text(value: float, metric: MetricInfo) -> str:
    return f"{value:.{metric.decimals}f}"


def _counted(n: int) -> str:
    return _COUNTED[n] if n < len(_COUNTED) else f"{n} seeds"


def _cell(row: Any, metric: MetricInfo, most: int) -> Cell:
    if row is None:
        return Cell("–")
    text = _text(row.mean, metric) + (f" ± {_text(row.std, metric)}" if row.n > 1 else "")
    # Values that were set aside: fewer seeds than the others of the row.
    return Cell(text if row.n == most else f"{text} ({_counted(int(row.n))})")


def fill(text: str, name: str, results_dir: Path | str = "results") -> str:
    """A template's document.

    Raises
    ------
    InputError
        If a reference has no stored value, or the template is broken; the message names the template.
    """
    from jinja2 import Environment, StrictUndefined, TemplateError

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    try:
        content = environment.from_string(text).render(Numbers(results_dir).words())
    except (TemplateError, InputError) as error:
        raise InputError(f"docs/{TEMPLATES}/{name}: {error}") from error
    return _NOTICE.format(folder=TEMPLATES, name=name) + content


#: What may hold digits in a template without being a measured value.
_NO_VALUES = (
    r"```[\s\S]*?```",  # code
    r"(?m)^    .*$",
    r"`[^`\n]*`",
    r"\{[{%#][\s\S]*?[}%#]\}",  # references
    r"<!--[\s\S]*?-->",
    r"(?m)^#+ .*$",  # headings
    r"\]\([^)]*\)",  # targets of links
    r"https?://\S+|arXiv:[\d.]+|doi:\S+",
    r"\b(?:19|20)\d\d(?:-\d\d-\d\d)?\b",  # years, dates
    # Settings: what a configuration says.
    r"\b[TBnk] = \d+(?:(?:, | and | or )\d+)*",
    r"\b\d+x\d+\b",
    r"\b\d[\d,]*(?:(?:, | and | to | or )\d[\d,]*)*(?: more| generated| training| held-out| real)?"
    r" (?:update pairs?|pairs?|images|seeds?|steps?|latent variables|variants|runs|epochs?|portraits|clips|frames|models)\b",
    r"\b(?:steps?|seeds?) \d+(?:(?:, | and )\d+)*",
    r"(?m)^\d+\. ",  # numbered lists
    r"\b(?:seeds?|step|steps|at|by|to|rates|rate|of|is) (?:\d+(?:\.\d+)?(?:e-\d+)?)(?= \(setting\))",
)


def bare_numbers(text: str) -> list[tuple[int, str]]:
    """Line and number of whatever a template states without a reference: measured values have to be looked up."""
    for pattern in _NO_VALUES:
        text = re.sub(pattern, lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return [
        (line, match[0])
        for line, content in enumerate(text.splitlines(), 1)
        for match in re.finditer(r"\d[\d.,]*", content)
        if not re.search(r"[A-Za-z_]-?$", content[: match.start()])
    ]


def write_documents(docs: Path | str, results_dir: Path | str = "results") -> list[Path]:
    """Write the document of every template below docs/numbers; return their paths.

    Raises
    ------
    InputError
        If a template states a number without a reference, or a reference has no value.
    """
    docs = Path(docs)
    written = []
    for template in sorted((docs / TEMPLATES).glob("*.md")):
        text = template.read_text(encoding="utf-8")
        bare = bare_numbers(text)
        if bare:
            line, number = bare[0]
            raise InputError(
                f"{template}:{line} states {number} without a reference; look it up, or give its source in note()"
            )
        write_text(docs / template.name, fill(text, template.name, results_dir))
        written.append(docs / template.name)
    return written


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    for path in write_documents(root, root.parent / "results"):
        sys.stdout.write(f"{path}\n")
