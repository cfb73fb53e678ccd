"""The examples of docs/adding-a-model.md, run as they stand there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import sgad
from docs import figures, generate
from sgad.cli import COMMANDS
from sgad.config.run import RunConfig


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_example_model_trains_samples_and_has_its_energy(tmp_path: Path, repository: Path, digits: Path) -> None:
    text = (repository / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
    (tmp_path / "mean_readout.py").write_text(blocks(text, "python")[0], encoding="utf-8")
    (tmp_path / "mean_readout.yaml").write_text(blocks(text, "yaml")[0], encoding="utf-8")
    (tmp_path / "data").symlink_to(digits.parent)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    script = blocks(text, "bash")[0].replace("--variant smoke", "--variant smoke --set max_steps=2")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ok     mean_readout.yaml: model Mean readout" in done.stdout
    assert (tmp_path / "runs" / "mean_readout" / "samples.npz").is_file()
    found = (tmp_path / "runs" / "mean_readout" / "analyses" / "energy.csv").read_text(encoding="utf-8")
    assert "energy_nanojoule,generator/all" in found and "energy_nanojoule,critic/all" in found
    assert sgad.load(tmp_path / "runs" / "mean_readout").sample(2).shape == (2, 1, 28, 28)


def test_figures_that_pages_show_are_drawn_from_the_reference_as_it_is(repository: Path) -> None:
    sources = json.loads(figures.SOURCES.read_text(encoding="utf-8"))
    wanted = figures.shown(repository)
    assert wanted
    assert set(sources) == {"/".join(figure) for figure in wanted}
    for experiment, kind, dataset in wanted:
        assert (figures.FOLDER / experiment / f"{kind}-{dataset}.webp").is_file()
        source = figures.source_hash(repository, experiment)
        assert sources[f"{experiment}/{kind}/{dataset}"] == source, "run `make docs-figures`"


def test_the_site_has_the_pages_of_the_reference(repository: Path, tmp_path: Path) -> None:
    generate.add_reports(repository / "results/reference", tmp_path / "reports", ["quick"])
    index = (tmp_path / "reports/index.html").read_text(encoding="utf-8")
    assert 'href="experiments/quick/report.html"' in index
    assert "Reference." in (tmp_path / "reports/experiments/quick/report.html").read_text(encoding="utf-8")
    pictures = re.findall(r'src="([^"]+)"', index)
    assert pictures
    assert all((tmp_path / "reports" / name).is_file() for name in pictures)


def test_generated_references_name_every_key_and_command() -> None:
    configuration = generate.configuration()
    for key in RunConfig.model_fields:
        assert configuration.count(f"| `{key}` |") == 1, key
    assert "| `time_steps` | whole number >= 1, <= 1,024 | `16` |".replace("<", "&lt;") in configuration
    commands = generate.commands()
    assert all(f"## sgad {name}" in commands for name in COMMANDS)


def test_charts_show_the_layers_that_train() -> None:
    networks = generate.networks()
    assert networks.count("```mermaid") == 3 and networks.count("subgraph") == 9
    # latent 10 to 1024, and 1024 to 128 x 7 x 7, each with a bias
    for weights in (10 * 1024 + 1024, 1024 * 6272 + 6272, 2 * (784 * 256 + 256)):
        assert f"{weights:,} weights" in networks


def test_pages_ask_for_parts_that_exist_and_link_to_files_that_exist(repository: Path) -> None:
    # Templates of pages have the links of the pages one folder further up.
    pages = [path for path in sorted((repository / "docs").rglob("*.md")) if path.parent.name != "numbers"]
    assert len(pages) > 8
    asked = {name for page in pages for name in re.findall(r"<!-- generated: ([\w-]+) -->", page.read_text())}
    assert asked == set(generate.PARTS)
    dead = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if not target.startswith("http") and not (page.parent / target).exists()
    ]
    assert dead == []


def test_the_menu_leaves_out_only_what_is_not_written(repository: Path) -> None:
    nav = [{"Home": "index.md"}, {"Claims": "claims.md"}, {"Reference": [{"Commands": "reference/commands.md"}]}]
    config = generate.on_config({"docs_dir": str(repository / "docs"), "nav": nav})
    written = (repository / "docs" / "claims.md").is_file()
    assert len(config["nav"]) == (3 if written else 2)
