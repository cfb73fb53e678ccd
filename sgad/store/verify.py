"""Whether a user's own results reproduce the reference: value by value, with the spread of the seeds as the yardstick.

A value that equals the reference's is `equal to the bit`. Otherwise the seeds of its cell (data set, model, variant, measure) are
compared, own against reference, by a two-sample t test with pooled variance; p values are corrected over all cells of an
experiment (Holm). `different` means that the corrected p is below 5 %. Another processor, other seeds and another number of
threads change the bits of a training, not its distribution: such values are `within the spread`. Baselines have no seeds; they
agree up to the rounding of one float32 pass.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from sgad.errors import InputError
from sgad.store.inference import holm, student
from sgad.store.provenance import read_provenance
from sgad.store.publish import require_own
from sgad.store.reference import require_unedited
from sgad.store.stored import Stored, read_folder, reference_folder, rows_of

if TYPE_CHECKING:
    import pandas as pd

#: Family-wise error rate of the verdict, over all cells of an experiment.
LEVEL = 0.05
#: Relative difference of a baseline that rounding explains: float32 features, summed in another order.
ROUNDING = 1e-3

Cell = tuple[str, str, str, str]


class Agreement(StrEnum):
    """How one own value stands to the reference."""

    EQUAL = "equal to the bit"
    WITHIN = "within the spread"
    DIFFERENT = "different"
    UNKNOWN = "spread unknown"
    OTHER = "other protocol"
    ABSENT = "not there"


@dataclass(frozen=True)
class Comparison:
    """The own seeds of one cell against the reference's: difference of means, 95 % interval, p, p after Holm's correction."""

    difference: float
    low: float
    high: float
    p: float
    adjusted: float = math.nan


@dataclass(frozen=True)
class Verification:
    """A table of values (one row each, columns of `COLUMNS`) and what follows from it."""

    experiment: str
    rows: "pd.DataFrame"

    def count(self, *agreements: Agreement) -> int:
        """Number of values of these kinds."""
        return int(self.rows["agreement"].isin([str(kind) for kind in agreements]).sum())

    @property
    def reproduces(self) -> bool:
        """Whether something was compared and nothing differs."""
        compared = self.count(Agreement.EQUAL, Agreement.WITHIN)
        return compared > 0 and self.count(Agreement.DIFFERENT) == 0

    def verdict(self, some: "pd.DataFrame | None" = None) -> str:
        """One sentence for the whole experiment, or for some of its rows."""
        rows = self.rows if some is None else some
        counts = Counter(rows["agreement"])
        compared = sum(counts[kind] for kind in (Agreement.EQUAL, Agreement.WITHIN, Agreement.DIFFERENT))
        agreeing = compared - counts[Agreement.DIFFERENT]
        if not compared:
            said = "cannot be told: no value could be compared"
        elif counts[Agreement.DIFFERENT]:
            said = f"differs from the reference: {counts[Agreement.DIFFERENT]} of {compared} values are different"
        else:
            said = f"reproduces the reference: {agreeing} of {compared} values within the seeds' spread"
            said += f", {counts[Agreement.EQUAL]} equal to the bit"
        others = (
            (Agreement.ABSENT, "not there"),
            (Agreement.UNKNOWN, "of a single seed each, so that no spread is known"),
            (Agreement.OTHER, "measured by another protocol"),
        )
        left = [f"{counts[kind]} {text}" for kind, text in others if counts[kind]]
        return "; ".join([said, *left])

    def by_dataset(self) -> dict[str, str]:
        """The verdict of each data set."""
        names = dict.fromkeys(self.rows["dataset"])
        return {name: self.verdict(self.rows[self.rows["dataset"] == name]) for name in names}


COLUMNS = (
    "dataset",
    "model",
    "variant",
    "seed",
    "metric",
    "value",
    "reference",
    "agreement",
    "reason",
    "difference",
    "low",
    "high",
    "p",
    "p_adjusted",
    "n",
    "n_reference",
)


def verify(name: str, results_dir: Path | str = "results", reference: Path | None = None) -> Verification:
    """Compare the own results of an experiment with the reference.

    Parameters
    ----------
    reference
        Folder of the reference experiment; by default the one that `sgad.store.reference` finds.

    Raises
    ------
    InputError
        If there are no own results, no reference, or one that was edited; or if configurations or measures differ, so that a
        comparison would say nothing.
    """
    own_folder = require_own(name, results_dir)
    folder = reference or reference_folder(results_dir, name)
    if folder is None:
        raise InputError(f"results/reference has no {name}; `sgad status` lists what can be verified")
    require_unedited(folder)
    found = compare(read_folder(own_folder), read_folder(folder))
    return replace(found, rows=name_threads(found.rows, thread_counts(own_folder), thread_counts(folder)))


def thread_counts(folder: Path) -> dict[str, str]:
    """CPU threads of each run, by the run's name: "1", or "1 + 2" of a run that was resumed with another number.

    Another number of threads adds in another order, so the bits of a training depend on it.
    """
    counts = {}
    for name, trace in read_provenance(folder)["runs"].items():
        record = trace["record"]
        sessions = [each.get("threads") for each in record.get("earlier_sessions", [])] + [record.get("threads")]
        known = dict.fromkeys(str(threads) for threads in sessions if threads is not None)
        counts[name] = " + ".join(known)
    return counts


def name_threads(rows: "pd.DataFrame", own: Mapping[str, str], reference: Mapping[str, str]) -> "pd.DataFrame":
    """Say of each value that is not equal to the bit where the two runs had other numbers of threads."""
    named = rows.copy()
    for index, row in zip(rows.index, rows_of(rows), strict=True):
        run = f"{row.dataset}/{row.model}/{row.variant}/seed{row.seed}"
        ours, theirs = own.get(run, ""), reference.get(run, "")
        if ours and theirs and ours != theirs and row.agreement in (Agreement.WITHIN, Agreement.DIFFERENT):
            named.loc[index, "reason"] = f"CPU threads {ours}, the reference's {theirs}"
    return named


def compare(own: Stored, reference: Stored) -> Verification:
    """Compare two stored experiments; reads no files.

    Raises
    ------
    InputError
        If they were trained with other configurations or measured by other measures.
    """
    import pandas as pd

    _require_same_configurations(own, reference)
    _require_same_measures(own, reference)
    tests = _holm(_tests(_by_cell(own), _by_cell(reference)))
    rows = list(_baseline_values(own, reference)) + list(_run_values(own, reference, tests))
    return Verification(str(own.captions["experiment"]), pd.DataFrame(rows, columns=list(COLUMNS)))


def _require_same_configurations(own: Stored, reference: Stored) -> None:
    hashes = {_run_key(row): row.config_hash for row in rows_of(reference.runs) if row.config_hash}
    for row in rows_of(own.runs):
        wanted = hashes.get(_run_key(row), row.config_hash)
        if row.config_hash and row.config_hash != wanted:
            raise InputError(
                f"{'/'.join(map(str, _run_key(row)))} was trained with configuration {row.config_hash}, the reference's is"
                f" {wanted}; a comparison says nothing of it. Train it with the shipped configuration files, under another"
                " experiment name if you want to keep yours"
            )
    if not {_run_key(row)[:3] for row in rows_of(own.runs)} & {_run_key(row)[:3] for row in rows_of(reference.runs)}:
        raise InputError(f"{own.folder} and {reference.folder} have no run in common; nothing can be compared")


def _require_same_measures(own: Stored, reference: Stored) -> None:
    ours, theirs = (set(each.metrics["metric"]) for each in (own, reference))
    if not ours & theirs:
        raise InputError(
            f"{own.folder / 'metrics.csv'} has none of the reference's measures ({', '.join(sorted(theirs))}); measure"
            " with the shipped experiment file"
        )


def _run_key(row: Any) -> tuple[str, str, str, int]:
    return row.dataset, row.model, row.variant, int(row.seed)


def _runs(stored: Stored) -> "pd.DataFrame":
    return stored.metrics[stored.metrics["seed"].notna()]


def _by_cell(stored: Stored) -> dict[Cell, list[Any]]:
    """The rows that hold a value, by cell."""
    cells: dict[Cell, list[Any]] = {}
    for row in rows_of(_runs(stored)):
        if math.isfinite(row.value):
            cells.setdefault((row.dataset, row.model, row.variant, row.metric), []).append(row)
    return cells


def _tests(own: Mapping[Cell, Sequence[Any]], reference: Mapping[Cell, Sequence[Any]]) -> dict[Cell, Comparison]:
    tests = {}
    for cell, rows in own.items():
        theirs = reference.get(cell, ())
        if theirs and rows[0].protocol == theirs[0].protocol:
            test = two_sample([row.value for row in rows], [row.value for row in theirs])
            if test is not None:
                tests[cell] = test
    return tests


def two_sample(own: Sequence[float], reference: Sequence[float]) -> Comparison | None:
    """Student's two-sample t test with pooled variance; None where two single values leave no spread to judge by.

    Pooled, so that one own seed can be judged by the spread of the reference's.

    Examples
    --------
    >>> two_sample([1.0], [1.0, 3.0]).difference
    -1.0
    >>> two_sample([1.0], [2.0]) is None
    True
    """
    counts = len(own), len(reference)
    freedom = sum(counts) - 2
    if freedom < 1:
        return None
    squares = sum(math.fsum((value - fmean(values)) ** 2 for value in values) for values in (own, reference))
    found = student(fmean(own) - fmean(reference), math.sqrt(squares / freedom * sum(1 / n for n in counts)), freedom)
    return Comparison(found.mean, found.low, found.high, found.p)


def _holm(tests: Mapping[Cell, Comparison]) -> dict[Cell, Comparison]:
    """Add Holm's step-down correction over all tests."""
    corrected = holm([test.p for test in tests.values()])
    return {cell: replace(test, adjusted=p) for (cell, test), p in zip(tests.items(), corrected, strict=True)}


def _run_values(own: Stored, reference: Stored, tests: Mapping[Cell, Comparison]) -> Iterable[tuple[Any, ...]]:
    ours, theirs = _by_run(own), _by_run(reference)
    cells_own, cells_reference = _by_cell(own), _by_cell(reference)
    for key in dict.fromkeys([*theirs, *ours]):
        dataset, model, variant, seed, metric = key
        cell = dataset, model, variant, metric
        mine, other = ours.get(key), theirs.get(key)
        if not any(row is not None and math.isfinite(row.value) for row in (mine, other)):
            continue
        test = tests.get(cell)
        agreement, reason = _agreement(mine, other, cells_reference.get(cell, ()), test)
        value, expected = (row.value if row is not None else math.nan for row in (mine, other))
        numbers = (test.difference, test.low, test.high, test.p, test.adjusted) if test else (math.nan,) * 5
        counts = len(cells_own.get(cell, ())), len(cells_reference.get(cell, ()))
        yield (*key[:3], seed, metric, value, expected, str(agreement), reason, *numbers, *counts)


def _by_run(stored: Stored) -> dict[tuple[str, str, str, int, str], Any]:
    return {(*_run_key(row), row.metric): row for row in rows_of(_runs(stored))}


def _agreement(mine: Any, other: Any, cell: Sequence[Any], test: Comparison | None) -> tuple[Agreement, str]:
    """Judge one own value; `cell` holds the reference's values of all seeds."""
    if mine is None or not math.isfinite(mine.value):
        has_value = other is not None and math.isfinite(other.value)
        if mine is not None and has_value and str(mine.status).split(":")[0] in ("diverged", "failed"):
            return Agreement.DIFFERENT, f"the own run {mine.status!s}"
        return Agreement.ABSENT, str(mine.status) if mine is not None else "no such run"
    if not cell:
        return Agreement.ABSENT, "the reference has no value of it"
    if mine.protocol != cell[0].protocol:
        return Agreement.OTHER, f"own: {mine.protocol}; reference: {cell[0].protocol}"
    if other is not None and mine.value == other.value:
        return Agreement.EQUAL, ""
    if test is None:
        return Agreement.UNKNOWN, "one seed on each side"
    return (Agreement.DIFFERENT if test.adjusted < LEVEL else Agreement.WITHIN), ""


def _baseline_values(own: Stored, reference: Stored) -> Iterable[tuple[Any, ...]]:
    """Real data, noise and copies: no training, so nothing but rounding may differ."""
    ours, theirs = (
        {(row.dataset, row.model, row.metric): row for row in rows_of(each.metrics[each.metrics["seed"].isna()])}
        for each in (own, reference)
    )
    for key, other in theirs.items():
        if not math.isfinite(other.value):
            continue
        mine = ours.get(key)
        value = mine.value if mine is not None else math.nan
        agreement, reason = _baseline_agreement(mine, other)
        dataset, model, metric = key
        numbers = (value - other.value, *(math.nan,) * 4)
        yield (
            dataset,
            model,
            "",
            "",
            metric,
            value,
            other.value,
            str(agreement),
            reason,
            *numbers,
            int(mine is not None),
            1,
        )


def _baseline_agreement(mine: Any, other: Any) -> tuple[Agreement, str]:
    if mine is None or not math.isfinite(mine.value):
        return Agreement.ABSENT, "no such baseline"
    if mine.protocol != other.protocol:
        return Agreement.OTHER, f"own: {mine.protocol}; reference: {other.protocol}"
    if mine.value == other.value:
        return Agreement.EQUAL, ""
    is_rounding = math.isclose(mine.value, other.value, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return (Agreement.WITHIN, "rounding") if is_rounding else (Agreement.DIFFERENT, "a baseline has no seeds")
