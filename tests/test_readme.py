"""Every command in the README is understood; those in its code blocks are run, in order, as a reader types them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from sgad.cli import cli
from sgad.reporting.readme import fill_readme, reference_tables
from sgad.store.reference import reference_names

#: Shell words that set the scene and are not ours to test.
SCENERY = {"cd", "git", "source", "python3", "pip", "export"}


def code_blocks(text: str) -> list[str]:
    """Return the command lines of all ```bash blocks, continued lines joined, comments gone."""
    blocks = re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", text, re.M | re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.join(words) for line in lines if (words := shlex.split(line, comments=True))]


def inline_commands(text: str) -> list[str]:
    """Return the commands of ours that stand between back ticks in a sentence; mere names of stages are none."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    found = re.findall(r"`((?:sgad|snakemake|make) [^`]+)`", prose)
    whole = [command for command in found if " --" in command or "/" in command]
    return [command for command in whole if "..." not in command and not re.search(r"\b[A-Z]{3,}\b", command)]


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


def require_understood(command: str, repository: Path) -> None:
    """Parse a command as its program would, without running it."""
    program, *words = shlex.split(command)
    if program == "sgad":
        understand(cli, words)
    elif program == "make":
        assert re.search(rf"^{words[0]}:", (repository / "Makefile").read_text(), re.M), f"no target: {command}"
    elif program == "snakemake":
        from snakemake.cli import get_argument_parser

        get_argument_parser().parse_args([word for word in words if word != "regenerate"])
    else:
        assert program in SCENERY, f"the README has a command that no test knows: {command}"


def understand(command: click.Command, words: list[str]) -> None:
    """Parse words as click would, down to the subcommand; click raises where they are wrong."""
    if words[:1] in (["--help"], ["--version"]):
        return
    if isinstance(command, click.Group):
        subcommand = command.get_command(click.Context(command), words[0])
        assert subcommand is not None, f"no subcommand {words[0]}"
        understand(subcommand, words[1:])
    else:
        command.make_context(command.name, list(words))


def test_the_promised_commands_are_there(readme: str) -> None:
    commands = code_blocks(readme)
    assert "make quick" in commands
    assert "make test" in commands
    assert len(commands) > 5


def test_its_results_are_the_stored_ones(readme: str, repository: Path) -> None:
    assert fill_readme(readme, repository / "results") == readme, "run `make readme`"
    assert "| SGAD | 4 |" in readme


def test_the_markdown_tables_of_the_reference_follow_from_its_numbers(repository: Path, tmp_path: Path) -> None:
    for name in reference_names(repository / "results"):
        made = {path.name: path for path in reference_tables(name, repository / "results", tmp_path / name)}
        kept = sorted((repository / "results/reference" / name / "tables").glob("*.md"))
        assert {path.name for path in kept} == {file for file in made if file.endswith(".md")}, "run `make readme`"
        assert [path for path in kept if path.read_bytes() != made[path.name].read_bytes()] == [], "run `make readme`"


def test_its_python_runs(readme: str, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    (block,) = re.findall(r"^```python\n(.*?)^```", readme, re.M | re.S)
    names: dict[str, Any] = {}
    exec(block, names)
    assert names["images"].shape == (16, 1, 28, 28)


def test_every_command_is_understood(readme: str, repository: Path) -> None:
    commands = code_blocks(readme) + inline_commands(readme)
    for command in commands:
        require_understood(command, repository)
    assert len(commands) > 8


def test_links_and_pictures_lead_somewhere(readme: str, repository: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)", readme)
    missing = [target for target in targets if not target.startswith("http") and not (repository / target).exists()]
    assert targets
    assert missing == []


@pytest.fixture
def clone(tmp_path: Path, repository: Path) -> Path:
    """Return a folder that looks like a fresh clone with an activated environment."""
    names = (
        "Snakefile",
        "Makefile",
        "pyproject.toml",
        "constraints.txt",
        "workflow",
        "profiles",
        "configs",
        "README.md",
    )
    for name in names:
        (tmp_path / name).symlink_to(repository / name)
    for name in ("results/reference", "zoo"):
        shutil.copytree(repository / name, tmp_path / name)
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_block_runs(readme: str, clone: Path) -> None:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in code_blocks(readme):
        program = command.split()[0]
        if program in SCENERY:
            continue
        # `make` would build an environment of its own; what it would do is enough.
        typed = command.replace("make ", "make --dry-run ", 1) if program == "make" else command
        process = subprocess.run(
            typed, shell=True, cwd=clone, env=os.environ | {"PATH": programs}, capture_output=True, text=True
        )
        assert process.returncode == 0, f"{command}\n{process.stdout}{process.stderr}"
