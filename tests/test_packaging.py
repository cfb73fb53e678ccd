"""The pins say one thing wherever they stand, and name what was really installed."""

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import sgad

#: Installed by venv or by the system, not by us.
NOT_OURS = {"pip", "setuptools", "wheel", "sgad"}


def normalised(name: str) -> str:
    """Return a package's name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pins(repository: Path) -> dict[str, str]:
    lines = (repository / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def environment(repository: Path) -> dict[str, Any]:
    return yaml.safe_load((repository / "environment.yml").read_text())


def requirements(project: dict[str, Any], *extras: str) -> list[Requirement]:
    """What the base and some extras ask for, by default all of them; an extra of ours stands for what is in it."""
    groups = project["optional-dependencies"]
    found = [Requirement(text) for text in project["dependencies"]]
    for extra in extras or tuple(groups):
        for requirement in map(Requirement, groups[extra]):
            inner = tuple(sorted(requirement.extras)) if requirement.name == project["name"] else ()
            found += requirements(project, *inner) if inner else [requirement]
    return found


def test_pins_are_sorted_exact_and_normalised(repository: Path) -> None:
    lines = [line for line in (repository / "constraints.txt").read_text().splitlines() if line[0] != "#"]
    assert lines == sorted(lines, key=lambda line: line.split("==")[0])
    assert all(re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.+]+", line) for line in lines)


def test_each_dependency_is_pinned_within_its_range(project: dict[str, Any], pins: dict[str, str]) -> None:
    outside = [
        requirement.name
        for requirement in requirements(project)
        if not requirement.specifier.contains(pins[normalised(requirement.name)], prereleases=True)
    ]
    assert outside == []


def test_the_rules_environment_has_what_the_package_needs_with_the_same_pins(
    project: dict[str, Any], pins: dict[str, str], repository: Path
) -> None:
    parts = yaml.safe_load((repository / "workflow/envs/sgad.yaml").read_text())["dependencies"]
    extras = [project["optional-dependencies"][extra] for extra in ("train", "measures", "reports")]
    texts = [text for group in (project["dependencies"], *extras) for text in group]
    wanted = {normalised(Requirement(text).name) for text in texts}
    assert parts[-1]["pip"] == [f"{name}=={pins[name]}" for name in sorted(wanted)]


def test_what_is_installed_is_what_is_pinned(pins: dict[str, str]) -> None:
    installed = {
        normalised(found.metadata["Name"]): found.version
        for found in importlib.metadata.distributions(path=[str(site_packages())])
    }
    differing = {
        name: (version, pins.get(name))
        for name, version in installed.items()
        if name not in NOT_OURS and pins.get(name) != version.partition("+")[0]
    }
    assert "torch" in installed
    assert differing == {}


def site_packages() -> Path:
    """Return the folder that holds torch: only there, not in a user's other folders, do our pins count."""
    return Path(str(importlib.metadata.distribution("torch").locate_file("")))


def test_the_conda_environment_says_the_same_pins(
    project: dict[str, Any], pins: dict[str, str], environment: dict[str, Any]
) -> None:
    lines = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    listed = dict(line.split("==") for line in lines if "==" in line)
    direct = requirements(project, "all", "test")
    assert listed == {normalised(requirement.name): pins[normalised(requirement.name)] for requirement in direct}
    assert lines[0] == "-c constraints.txt", "what is not listed must be pinned, too"


def test_the_conda_environment_has_a_supported_python(project: dict[str, Any], environment: dict[str, Any]) -> None:
    python = next(str(entry) for entry in environment["dependencies"] if str(entry).startswith("python="))
    assert python.removeprefix("python=") + ".0" in SpecifierSet(project["requires-python"])


def test_this_python_is_supported(project: dict[str, Any]) -> None:
    assert ".".join(map(str, sys.version_info[:3])) in SpecifierSet(project["requires-python"])


def test_versions_agree(repository: Path) -> None:
    citation = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert citation["version"] == sgad.__version__
    assert citation["license"] == "Apache-2.0"
    assert "## [" in (repository / "CHANGELOG.md").read_text()


def test_the_licence_is_whole(repository: Path) -> None:
    text = (repository / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_make_lists_the_promised_targets(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE))
    assert targets >= {"quick", "test", "test-slow", "test-gpu", "lint", "bench", "regenerate", "clean"}
