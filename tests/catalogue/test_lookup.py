"""The catalogue: what is declared is found, resolves to a function, and unknown or double keys are refused."""

from pathlib import Path

import pytest

from sgad.catalogue import lookup
from sgad.catalogue.declarations import function_of
from sgad.catalogue.discovery import VARIABLE, add_plugins
from sgad.config.experiment import ExperimentConfig
from sgad.config.validation import validated
from sgad.errors import InputError
from sgad.reporting.tables.save import save_tables
from sgad.store.stored import Stored
from tests.experiments import experiment, fake, results, stored

__all__ = ["experiment", "fake", "results", "stored"]
TWICE = "from sgad.catalogue import FigureKind\nMINE = FigureKind(key='bars', title='', draw=print)\n"


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """No plugins to begin with, and those that a test adds gone after it."""
    monkeypatch.setenv(VARIABLE, "")


def test_the_order_of_tables_and_figures_is_declared() -> None:
    analyses = ["domain_gap", "temporal_gap", "energy", "events", "latent_space", "alignment"]
    assert list(lookup.analyses()) == analyses
    assert list(lookup.tables()) == ["results", "runs", "effects", "comparisons", "paper", *analyses]
    assert list(lookup.figures())[:7] == ["curves", "bars", "samples", "activity", "layers", "health", "evolution"]


def test_every_declaration_names_a_function() -> None:
    named = [analysis.measure for analysis in lookup.analyses().values()]
    named += [table.build for table in lookup.tables().values()]
    named += [figure.draw for figure in lookup.figures().values()]
    assert all(callable(function_of(function)) for function in named)


@pytest.mark.parametrize(
    ("find", "key", "hint"),
    [
        (lookup.table_of, "result", "table 'result' is unknown, did you mean 'results'"),
        (lookup.figure_of, "bar", "figure 'bar' is unknown, did you mean 'bars'"),
        (lookup.analysis_of, "energie", "analysis 'energie' is unknown, did you mean 'energy'"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(find: object, key: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        find(key)  # type: ignore[operator]


def test_tables_of_an_unknown_name_are_refused_and_nothing_is_written(stored: Stored) -> None:
    before = sorted(stored.folder.rglob("*"))
    with pytest.raises(InputError, match="table 'run' is unknown, did you mean 'runs'"):
        save_tables(stored, ("results", "run"))
    assert sorted(stored.folder.rglob("*")) == before


def test_an_experiment_refuses_an_unknown_table_with_its_field() -> None:
    content = {"name": "x", "title": "X", "datasets": ["digits"], "models": ["sgad"], "tables": ["resluts"]}
    with pytest.raises(InputError, match=r"x.yaml: tables.0 = 'resluts' is not allowed: table 'resluts' is unknown"):
        validated(ExperimentConfig, content, "x.yaml")


def test_two_declarations_of_one_key_are_refused(tmp_path: Path, plugins: None) -> None:
    (tmp_path / "mine.py").write_text(TWICE)
    add_plugins([tmp_path / "mine.py"])
    with pytest.raises(InputError, match=r"'bars' is declared twice, in sgad.reporting.figures.bars and in .*mine.py"):
        lookup.figures()


def test_a_broken_plugin_is_one_sentence(tmp_path: Path, plugins: None) -> None:
    (tmp_path / "broken.py").write_text("import no_such_package\n")
    add_plugins([tmp_path / "broken.py"])
    with pytest.raises(InputError, match=r"broken.py cannot be imported: ModuleNotFoundError: No module named"):
        lookup.figures()


def test_an_absent_plugin_is_refused(tmp_path: Path, plugins: None) -> None:
    with pytest.raises(InputError, match=r"--plugin .*absent.py does not exist"):
        add_plugins([tmp_path / "absent.py"])
