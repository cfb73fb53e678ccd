"""Each extra brings all that its commands import: fast by blocking imports, slow in environments of their own."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from sgad.cli import COMMANDS
from sgad.cli.missing import EXTRA_OF, missing_package

#: Name on PyPI -> name that is imported, where they differ.
IMPORTED = {"pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn", "pytorch-fid": "pytorch_fid"}
#: What else the package may meet in this environment.
OTHERS = {"cleanfid", "hypothesis", "tonic", "mkdocs", "nir", "onnx", "onnxruntime", "snntorch"}
#: Extra -> the commands that must work with it and the base alone.
EXTRAS_OF_COMMANDS = {
    "base": ("sample", "config", "zoo"),
    "train": ("prepare", "dataset", "train", "sample", "doctor"),
    "measures": ("measure", "classifier", "baselines", "neurons", "analyse"),
    "reports": ("collect", "tables", "figures", "report", "regenerate", "halve", "status", "audit", "verify", "export"),
}


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


def importable(lines: list[str]) -> set[str]:
    names = {Requirement(line).name.lower() for line in lines}
    return {IMPORTED.get(name, name.replace("-", "_")) for name in names}


def packages(project: dict[str, Any]) -> dict[str, set[str]]:
    """What each extra and the base may import; `reports` are without torch."""
    groups = project["project"]["optional-dependencies"]
    base = importable(project["project"]["dependencies"])
    found = {name: base | importable(lines) for name, lines in groups.items() if name != "all"}
    return found | {"base": base, "reports": importable(project["dependency-groups"]["reports"])}


#: Makes packages look as if they were not installed, to `import` and to `find_spec` alike.
BLOCKER = """
import importlib.machinery, sys

class WithoutBlocked(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in BLOCKED else super().find_spec(name, path, target)

BLOCKED = set(sys.argv[1].split(","))
sys.meta_path = [WithoutBlocked if each is importlib.machinery.PathFinder else each for each in sys.meta_path]
"""


def run_without(blocked: set[str], code: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKER + code, ",".join(sorted(blocked))],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )


def test_the_extra_of_every_package_is_known(project: dict[str, Any]) -> None:
    groups = {name: importable(lines) for name, lines in project["project"]["optional-dependencies"].items()}
    for package, extra in EXTRA_OF.items():
        assert package in groups[extra], f"{package} is not in [{extra}]"
    ours = {name for extra in ("train", "measures", "reports", "workflow") for name in groups[extra]}
    assert ours == set(EXTRA_OF)
    assert "sgad[measures]" in missing_package("scipy.linalg") and "sgad[all]" in missing_package("elsewhere")


def test_reports_are_the_extra_without_torch(project: dict[str, Any]) -> None:
    lines = set(project["dependency-groups"]["reports"])
    base = {line for line in project["project"]["dependencies"] if not re.match("torch|safetensors", line)}
    assert lines == base | set(project["project"]["optional-dependencies"]["reports"])


@pytest.mark.parametrize("extra", EXTRAS_OF_COMMANDS)
def test_commands_import_no_more_than_their_extra(project: dict[str, Any], extra: str) -> None:
    allowed = packages(project)
    blocked = set().union(*allowed.values()) | OTHERS
    names = [name for name in EXTRAS_OF_COMMANDS[extra] if name in COMMANDS]
    # What a command imports when it runs is in the modules behind it, too.
    code = f"""
import contextlib, importlib, io
from sgad.cli import COMMANDS, cli
for name in {names!r}:
    module, function, _ = COMMANDS[name]
    getattr(importlib.import_module(module), function)
for name in {BEHIND[extra]!r}:
    importlib.import_module(name)
"""
    done = run_without(blocked - allowed[extra], code)
    assert done.returncode == 0, done.stderr


#: Modules that the commands of an extra import when they run.
BEHIND = {
    "base": ("sgad.zoo.shelf", "sgad.training.start", "sgad.sampling", "sgad.zoo.pretrained", "sgad.models.registry"),
    "train": ("sgad.training.run", "sgad.data.prepare", "sgad.data.show", "sgad.doctor", "sgad.sampling"),
    "measures": ("sgad.measures.stage", "sgad.analyses.analyse", "sgad.measures.baselines"),
    "reports": (
        "sgad.store.collect",
        "sgad.reporting.tables.save",
        "sgad.reporting.figures.save",
        "sgad.reporting.page.report",
        "sgad.reporting.regenerate",
        "sgad.reporting.audit",
        "sgad.runs.status",
    ),
}


def test_help_needs_only_the_base_without_torch() -> None:
    code = "import sys; from sgad.cli import main; main(['--help'])"
    blocked = {"torch", "numpy", "pandas", "matplotlib", "PIL", "tqdm", "scipy", "safetensors"}
    done = run_without(blocked, code)
    assert done.returncode == 0, done.stderr
    assert "Stages and tools" in done.stdout


def test_the_smallest_installation_samples_a_zoo_model_by_name(project: dict[str, Any], tmp_path: Path) -> None:
    allowed = packages(project)
    blocked = set().union(*allowed.values()) | OTHERS
    code = "import sgad; print(sgad.load('digits-sgad').sample(4).shape)"
    done = run_without(blocked - allowed["base"], code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(4, 1, 28, 28)"


def test_a_missing_package_is_one_sentence_with_its_extra(tmp_path: Path) -> None:
    code = "from sgad.cli import main; main(['measure', '--samples', 'x.npz', '--dataset', 'digits'])"
    done = run_without({"scipy"}, code, tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("install it with `pip install 'sgad[measures]'` (in a clone: '.[measures]')")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("extra", ["base", "train", "measures", "reports"])
def test_commands_run_in_an_environment_of_their_extra(repository: Path, tmp_path: Path, extra: str) -> None:
    """A wheel in a fresh virtual environment: every command of the extra shows its help, modules behind it import."""
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    pip = [str(python), "-m", "pip", "install", "-q", "-c", str(repository / "constraints.txt")]
    if extra == "reports":
        lines = tomllib.loads((repository / "pyproject.toml").read_text())["dependency-groups"]["reports"]
        subprocess.run([*pip, *lines], check=True)
        subprocess.run([*pip, "--no-deps", str(repository)], check=True)
    else:
        subprocess.run([*pip, str(repository) + ("" if extra == "base" else f"[{extra}]")], check=True)
    for name in EXTRAS_OF_COMMANDS[extra]:
        if name in COMMANDS:
            subprocess.run([python, "-m", "sgad", name, "--help"], check=True, cwd=tmp_path, capture_output=True)
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1].split(',')]"
    subprocess.run([python, "-c", code, ",".join(BEHIND[extra])], check=True, cwd=tmp_path)
    if extra != "reports":
        code = "import sgad; assert sgad.load('digits-sgad').sample(4).shape == (4, 1, 28, 28)"
        subprocess.run([python, "-c", code], check=True, cwd=tmp_path)
