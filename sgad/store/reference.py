"""The reference: results that come with the repository, in results/reference/E, and that nobody's own run overwrites.

It holds what was computed and cannot be derived: metrics.csv, runs.csv, analyses.csv, histories (compressed), captions.json,
provenance.json, small pictures (WebP) and the tables as Markdown for readers on the web. `sgad publish` writes it, `sgad verify`
compares with it, and whatever reads stored results falls back to it where there are no own ones.
"""

from pathlib import Path

from sgad.errors import InputError, SgadError
from sgad.store.provenance import collected_hashes, read_provenance, read_rows, row_key
from sgad.store.stored import METRICS, REFERENCE, experiment_folder, reference_folder, stored_folder


def reference_names(results_dir: Path | str = "results") -> list[str]:
    """Sorted names of the experiments that `results_dir`/reference holds."""
    return sorted(path.parent.name for path in (Path(results_dir) / REFERENCE).glob(f"*/{METRICS}"))


def source_note(results_dir: Path | str, name: str) -> str:
    """Where the stored results of an experiment are read from, if not from own ones; else ""."""
    own, found = experiment_folder(results_dir, name), reference_folder(results_dir, name)
    if (own / METRICS).is_file() or found is None:
        return ""
    return f"{name}: no own results in {own}; the reference in {found} is shown"


def stored_note(results_dir: Path | str, name: str) -> str:
    """How many runs of an experiment are stored, with and without values; "" if nothing is."""
    try:
        folder = stored_folder(results_dir, name)
    except InputError:
        return ""
    rows = read_rows(folder / "runs.csv")
    completed = sum(row.get("status") == "completed" for row in rows)
    measured = {row_key(row) for row in read_rows(folder / METRICS) if row.get("seed") and row.get("value")}
    return f"stored in {folder}: {completed} completed, {len(measured)} measured"


def require_unedited(folder: Path) -> None:
    """Check a stored experiment against the hashes that were taken when it was written.

    Raises
    ------
    InputError
        If a file was changed, added or lost since then.
    """
    try:
        then = read_provenance(folder)["files"]
    except SgadError as error:
        raise InputError(
            f"{error}; get results/reference from the repository again (git checkout -- {folder})"
        ) from None
    now = collected_hashes(folder)
    for name in sorted(now.keys() | then.keys()):
        if now.get(name) != then.get(name):
            what = "is gone" if name not in now else "was added" if name not in then else "was edited"
            raise InputError(
                f"{folder / name} {what} after it was published, so that nothing can be compared with it; get it from the"
                f" repository again (git checkout -- {folder})"
            )
