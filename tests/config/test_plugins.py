"""Models, data sets and variants from outside the package: files, folders, installed packages."""

import importlib
import os
import sys
from pathlib import Path

import pytest

from sgad.config import plugins
from sgad.config.compose import resolve, resolve_file
from sgad.config.experiment import load_experiment
from sgad.config.kinds import kind_of
from sgad.config.paths import VARIABLE, config_folders, find_config
from sgad.config.yaml_files import dump_yaml
from sgad.errors import InputError
from sgad.models.registry import build_generator

CLASS = """
from sgad.models.generators import SwganGenerator

class Mine(SwganGenerator):
    pass
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder apart from the repository, with a model and its class next to each other."""
    monkeypatch.setenv(VARIABLE, "")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "mine.py").write_text(CLASS)
    defaults = {"generator": "mine.py:Mine", "discriminator": "em", "scoring_mode": "none"}
    (folder / "mine.yaml").write_text(dump_yaml({"title": "My model", "defaults": defaults}))
    (folder / "short.yaml").write_text(dump_yaml({"title": "Short", "defaults": {"max_steps": 3, "time_steps": 2}}))
    return folder


def test_a_model_and_a_variant_are_named_by_their_files(outside: Path) -> None:
    found = resolve("digits", str(outside / "mine.yaml"), str(outside / "short.yaml"))
    config = found.config
    assert (config.model, config.variant, config.max_steps) == ("mine", "short", 3)
    assert config.generator == f"{outside.resolve() / 'mine.py'}:Mine"
    assert found.origins["max_steps"] == str(outside / "short.yaml")
    assert type(build_generator(config, (1, 28, 28))).__name__ == "Mine"


def test_files_and_settings_join(outside: Path) -> None:
    config = resolve("digits", str(outside / "mine.yaml"), f"quick+{outside / 'short.yaml'}+tau=4").config
    assert (config.variant, config.tau, config.time_steps) == ("quick+short+tau=4", 4, 2)


def test_a_file_that_is_absent_is_named(outside: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml does not exist"):
        resolve("digits", str(outside / "nowhere.yaml"))


def test_the_hash_follows_the_text_of_the_class_and_not_its_place(outside: Path, tmp_path: Path) -> None:
    before = resolve("digits", str(outside / "mine.yaml")).config
    moved = tmp_path / "elsewhere"
    outside.rename(moved)
    after = resolve("digits", str(moved / "mine.yaml").replace("mine.yaml", "./mine.yaml")).config
    assert before.generator != after.generator
    # The file of the first is gone: found again by its name in a folder of configurations.
    (tmp_path / "configs" / "models").mkdir(parents=True)
    (tmp_path / "configs" / "models" / "mine.py").write_text(CLASS)
    os.environ[VARIABLE] = str(tmp_path / "configs")
    assert before.hash() == after.hash()
    (tmp_path / "configs" / "models" / "mine.py").write_text(CLASS + "\n# changed")
    assert before.hash() != after.hash()


def test_what_a_users_file_raises_is_one_sentence(outside: Path) -> None:
    (outside / "mine.py").write_text("1 / 0")
    config = resolve("digits", str(outside / "mine.yaml")).config
    with pytest.raises(InputError, match=r"mine\.py cannot be imported: ZeroDivisionError"):
        build_generator(config, (1, 28, 28))
    (outside / "mine.py").write_text("")
    with pytest.raises(InputError, match="Mine"):
        build_generator(config, (1, 28, 28))
    (outside / "mine.py").unlink()
    with pytest.raises(InputError, match=r"does not exist; put mine\.py into models/"):
        build_generator(config, (1, 28, 28))


def test_an_experiment_names_folders_of_its_own(outside: Path) -> None:
    (outside / "models").mkdir()
    for name in ("mine.py", "mine.yaml"):
        (outside / name).rename(outside / "models" / name)
    content = {
        "title": "E",
        "configs": ["."],
        "datasets": ["digits"],
        "models": ["mine", "sgad"],
        "variants": ["smoke"],
    }
    (outside / "own.yaml").write_text(dump_yaml(content))
    load_experiment(str(outside / "own.yaml"))
    assert find_config("models", "mine") == outside.resolve() / "models" / "mine.yaml"
    # Processes that the workflow starts find it, too.
    assert str(outside.resolve()) in os.environ[VARIABLE]
    (outside / "own.yaml").write_text(dump_yaml(content | {"configs": ["absent"]}))
    with pytest.raises(InputError, match="absent is not a folder"):
        load_experiment(str(outside / "own.yaml"))


def test_a_run_file_names_a_class_next_to_it(outside: Path) -> None:
    run = {"dataset": "digits", "model": "swgan", "variant": "smoke", "generator": "mine.py:Mine"}
    (outside / "run.yaml").write_text(dump_yaml(run))
    assert resolve_file(outside / "run.yaml").config.generator == f"{outside.resolve() / 'mine.py'}:Mine"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with a class and a folder of configurations."""
    code, metadata = tmp_path / "site" / "their_models", tmp_path / "site" / "their_models-1.0.dist-info"
    (code / "models").mkdir(parents=True)
    metadata.mkdir()
    (code / "__init__.py").write_text(CLASS)
    (code / "models" / "theirs.yaml").write_text(
        dump_yaml(
            {"title": "Theirs", "defaults": {"generator": "theirs", "discriminator": "em", "scoring_mode": "none"}}
        )
    )
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their_models\nVersion: 1.0\n")
    points = "[sgad.models]\ntheirs = their_models:Mine\nbroken = their_models:Absent\n[sgad.configs]\ntheirs = their_models\n"
    (metadata / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()
    plugins.installed.cache_clear()
    yield
    plugins.installed.cache_clear()
    sys.modules.pop("their_models", None)


@pytest.mark.usefixtures("package")
def test_an_installed_package_brings_classes_and_configurations(tmp_path: Path) -> None:
    assert tmp_path / "site" / "their_models" in config_folders()
    config = resolve("digits", "theirs").config
    assert config.generator == "theirs"
    assert type(build_generator(config, (1, 28, 28))).__name__ == "Mine"
    broken = config.model_copy(update={"generator": "broken"})
    with pytest.raises(InputError, match=r"entry point 'broken' \(their_models:Absent\) cannot be imported"):
        build_generator(broken, (1, 28, 28))


def test_an_unknown_class_is_told_what_may_stand_there() -> None:
    with pytest.raises(InputError, match=r"file\.py:Class"):
        resolve("digits", "sgad", settings={"generator": "nonsense"})


def test_the_kind_of_every_shipped_file_is_told_without_its_folder(tmp_path: Path) -> None:
    shipped = sorted((Path(__file__).parents[2] / "configs").glob("*/*.yaml"))
    assert len(shipped) > 30
    for path in shipped:
        copy = tmp_path / path.name
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        assert kind_of(copy) == path.parent.name, path
