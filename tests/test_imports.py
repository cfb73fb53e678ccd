"""Which module may import which: the design's arrows, read from the source and proved in new processes."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BASE = {"errors", "names", "_version", "catalogue"}
RECORDS = BASE | {"config", "machine", "runs"}
NETWORKS = RECORDS | {"data", "images", "snn", "models"}
#: Part of the package -> the other parts that its modules may import.
ALLOWED = {
    "__init__": {"zoo", "_version"},
    "_version": set(),
    "errors": set(),
    "names": {"errors"},
    "catalogue": {"errors"},
    "config": BASE,
    "machine": BASE,
    "runs": BASE | {"config", "machine"},
    "data": RECORDS | {"images"},
    "images": BASE | {"machine"},
    "snn": BASE | {"machine"},
    "models": RECORDS | {"snn", "data"},
    "training": NETWORKS,
    "sampling": NETWORKS | {"training"},
    "measures": RECORDS | {"data", "images"},
    "analyses": NETWORKS | {"training", "sampling", "measures", "store", "display"},
    "store": RECORDS,
    "display": RECORDS | {"store"},
    "reporting": RECORDS | {"store", "display"},
    "zoo": NETWORKS | {"sampling", "training"},
}
#: At the top: they may use every part, and nothing uses them but themselves and __main__.
TOP = {"cli", "doctor", "__main__"}
#: Part -> packages that it must not import, not even inside a function.
FORBIDDEN = {
    "errors": {"numpy", "torch", "pydantic", "pandas"},
    "names": {"numpy", "torch", "pydantic", "pandas"},
    "catalogue": {"numpy", "torch", "pydantic", "pandas", "yaml"},
    "config": {"numpy", "torch", "pandas"},
    "machine": {"pandas", "matplotlib"},
    "runs": {"torch", "pandas", "matplotlib"},
    "store": {"torch", "torchvision", "numba", "matplotlib"},
    "display": {"torch", "torchvision", "numba"},
    "reporting": {"torch", "torchvision", "numba"},
}
#: Oracles of the tests: the package itself must do without them.
TEST_ONLY = {"cleanfid", "hypothesis", "pytest", "tonic"}


def part_of(module: str) -> str:
    """Return the first name below sgad: "sgad.data.loader" belongs to "data", "sgad" itself to "__init__"."""
    return module.split(".")[1] if "." in module else "__init__"


def modules(repository: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((repository / "sgad").rglob("*.py")):
        name = ".".join(path.relative_to(repository).with_suffix("").parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever in it that stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports in full, so that they can be searched"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_follow_the_arrows(repository: Path) -> None:
    wrong = []
    for name, tree in modules(repository):
        part = part_of(name)
        for target in imported(tree):
            if part in TOP or not target.startswith("sgad."):
                continue
            assert part in ALLOWED, f"{name} belongs to no part of the design; add it to ALLOWED with its arrows"
            if part_of(target) not in ALLOWED[part] | {part}:
                wrong.append(f"{name} -> {target}")
    assert wrong == []


def test_every_import_of_the_package_exists(repository: Path) -> None:
    """Imports inside functions run late: a module that moved must not be found missing by a user."""
    known = {name for name, _ in modules(repository)} | {
        name.removesuffix(".__init__") for name, _ in modules(repository) if name.endswith(".__init__")
    }
    places = [(name, tree) for name, tree in modules(repository)]
    for folder in ("tests", "benchmarks"):
        paths = sorted((repository / folder).rglob("*.py"))
        places += [(str(path.relative_to(repository)), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]
    absent = [
        f"{name} -> {node.module}"
        for name, tree in places
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "sgad" and node.module not in known
    ]
    assert absent == []


def test_networks_say_which_layers_and_dispatch_says_how(repository: Path) -> None:
    """Only `sgad.snn` knows that there are kernels; others may ask `dispatch` for the name of the one in use."""
    wrong = []
    for name, tree in modules(repository):
        for target in imported(tree):
            is_kernel = target.startswith("sgad.snn.kernels") and not name.startswith("sgad.snn.kernels")
            if is_kernel and (part_of(name) == "models" or not may_import_kernel(name, target)):
                wrong.append(f"{name} -> {target}")
    assert wrong == []


def may_import_kernel(name: str, target: str) -> bool:
    own = ("sgad.snn.kernels.interface", "sgad.snn.kernels.torch_scan") if name.startswith("sgad.snn.") else ()
    return target.startswith(("sgad.snn.kernels.dispatch", *own))


def test_nothing_imports_the_command_line(repository: Path) -> None:
    users = [
        f"{name} -> {target}"
        for name, tree in modules(repository)
        if part_of(name) not in TOP
        for target in imported(tree)
        if target.startswith("sgad.") and part_of(target) in TOP
    ]
    assert users == []


def test_light_parts_import_nothing_heavy(repository: Path) -> None:
    heavy = [
        f"{name} -> {target}"
        for name, tree in modules(repository)
        for target in imported(tree)
        if target.split(".")[0] in FORBIDDEN.get(part_of(name), set())
    ]
    assert heavy == []


def test_the_package_does_without_the_test_oracles(repository: Path) -> None:
    users = [
        f"{name} -> {target}"
        for name, tree in modules(repository)
        for target in imported(tree)
        if target.split(".")[0] in TEST_ONLY
    ]
    assert users == []


def test_one_module_opens_connections(repository: Path) -> None:
    users = {
        name
        for name, tree in modules(repository)
        for target in imported(tree)
        if target.split(".")[0] in {"http", "requests", "urllib"} and not target.startswith("urllib.parse")
    }
    assert users == {"sgad.machine.download"}


def loaded_after(statement: str, repository: Path) -> set[str]:
    """Return the top names in sys.modules of a fresh process that ran `statement`."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True, timeout=60
    )
    return set(process.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import sgad", {"numpy", "pydantic", "click", "yaml", "torch"}),
        ("import sgad.cli", {"numpy", "pydantic", "pandas", "torch"}),
        ("import sgad.config.experiment, sgad.config.compose", {"numpy", "pandas", "torch"}),
        (
            "from sgad.catalogue.lookup import figures, tables; tables(), figures()",
            {"numpy", "pandas", "torch", "matplotlib", "PIL"},
        ),
    ],
)
def test_light_imports_stay_light(statement: str, absent: set[str], repository: Path) -> None:
    assert loaded_after(statement, repository) & absent == set()


def test_reporting_never_loads_torch(repository: Path) -> None:
    names = [
        name for name, _ in modules(repository) if name.startswith(("sgad.store", "sgad.display", "sgad.reporting"))
    ]
    assert len(names) > 3
    statement = "import " + ", ".join(name.removesuffix(".__init__") for name in names)
    assert loaded_after(statement, repository) & {"torch", "torchvision", "numba"} == set()
