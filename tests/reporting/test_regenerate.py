import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sgad.config.experiment import ExperimentConfig
from sgad.errors import InputError
from sgad.reporting.figures.save import write_figures
from sgad.reporting.page.report import write_report
from sgad.reporting.regenerate import regenerate
from sgad.reporting.tables.save import write_tables
from sgad.store.collect import collect


@pytest.fixture
def collected(tmp_path: Path, fake: SimpleNamespace) -> tuple[Path, ExperimentConfig]:
    experiment = fake.experiment(
        datasets=("digits",), seeds=(0, 1), figures=("curves", "bars", "samples"), measures=("cfd", "ccs")
    )
    fake.write(tmp_path, experiment, num_rows=12)
    collect(experiment, tmp_path / "results", tmp_path / "data")
    return tmp_path / "results", experiment


def made(folder: Path) -> dict[str, bytes]:
    files = [*(folder / "tables").iterdir(), *(folder / "figures").iterdir(), folder / "report.html"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_everything_comes_back_byte_for_byte_without_the_runs(collected: tuple[Path, ExperimentConfig]) -> None:
    results, experiment = collected
    folder = results / "experiments" / "fake"
    write_tables(experiment, results)
    write_figures(experiment, results)
    write_report(experiment, results)
    before = made(folder)
    for name in ("tables", "figures"):
        shutil.rmtree(folder / name)
    (folder / "report.html").unlink()
    shutil.rmtree(results / "runs")
    written = regenerate(experiment, results)
    assert made(folder) == before
    assert {path.relative_to(folder).as_posix() for path in written} == set(before)


def test_an_experiment_never_collected_is_refused_at_once(tmp_path: Path, experiment: ExperimentConfig) -> None:
    with pytest.raises(InputError, match="run `sgad collect fake` first"):
        regenerate(experiment, tmp_path)


def test_reporting_imports_neither_torch_nor_scipy_stats(collected: tuple[Path, ExperimentConfig]) -> None:
    results, _ = collected
    code = """
import pkgutil, sys, importlib
import sgad.reporting
for module in pkgutil.iter_modules(sgad.reporting.__path__):
    importlib.import_module(f"sgad.reporting.{module.name}")
from sgad.reporting.figures.save import figure_jobs, save_figures
from sgad.reporting.page.report import save_report
from sgad.store.stored import read_stored
from sgad.store.summary import summarise
from sgad.reporting.tables.save import save_tables
stored = read_stored(sys.argv[1], "fake")
save_tables(stored, ("results", "runs"))
save_figures(stored, figure_jobs(stored, ("bars",)))
save_report(stored, summarise(stored.metrics, stored.runs))
loaded = {name.partition(".")[0] for name in sys.modules} | {"scipy.stats"} & set(sys.modules)
# The t distribution is that of scipy.special, which is quick to import.
print(sorted(loaded & {"torch", "torchvision", "numba", "scipy.stats", "sklearn"}))
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(results)], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
