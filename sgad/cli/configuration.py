"""`sgad config show` and `sgad config check`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sgad.config.compose import Resolved, check_runs, load_model, load_variant, parse_settings, resolve, resolve_file
from sgad.errors import InputError, SgadError


@click.group()
def config() -> None:
    """Show or check configurations."""


@config.command()
@click.option("--dataset", required=True, help="Data set: its key, or the path of its YAML file.")
@click.option("--model", required=True, help="Model: its key, or the path of its YAML file.")
@click.option(
    "--variant",
    default="paper",
    show_default=True,
    help="Variant: key or YAML file; parts joined by +, as in paper+tau=4.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the run.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one value; may be repeated.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print a file that `sgad train` takes.")
def show(dataset: str, model: str, variant: str, seed: int, settings: tuple[str, ...], as_yaml: bool) -> None:
    """Print the resolved configuration of a run and where each value came from.

    Example: sgad config show --dataset mnist --model sgad --variant paper
    """
    from sgad.config.yaml_files import dump_yaml

    values = parse_settings(settings)
    resolved = resolve(dataset, model, variant, values.pop("seed", seed), settings=values)
    if as_yaml:
        click.echo(dump_yaml(resolved.config.model_dump(mode="json")), nl=False)
        return
    _print_with_origins(resolved)


def _print_with_origins(resolved: Resolved) -> None:
    from sgad.config.run import RunConfig

    content: dict[str, Any] = resolved.config.model_dump(mode="json")
    texts = {key: _text(value) for key, value in content.items()}
    key_width, value_width = max(map(len, texts)), min(max(map(len, texts.values())), 40)
    for key, text in texts.items():
        origin = resolved.origins.get(key, "named on the command line")
        description = RunConfig.model_fields[key].description or ""
        click.echo(f"{key:<{key_width}}  {text:<{value_width}}  # {origin}: {description}")
    click.echo(f"{'hash':<{key_width}}  {resolved.config.hash()}")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@config.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def check(files: tuple[str, ...]) -> None:
    """Check configuration files of any kind, one line a file.

    Takes run files of ours and of the authors, experiments, data sets, models and variants, in any folder: the keys of a file
    tell its kind. Exit 2 if one is wrong.
    """
    wrong = 0
    for file in files:
        try:
            click.echo(f"ok     {file}: {_describe(Path(file))}")
        except SgadError as error:
            wrong += 1
            click.echo(f"wrong  {str(error) if file in str(error) else f'{file}: {error}'}")
    if wrong:
        raise InputError(f"{wrong} of {len(files)} files are wrong; each line above names the field and the remedy")


def _describe(path: Path) -> str:
    """Check one file as the kind that its content tells; say what it is."""
    from sgad.config.kinds import kind_of

    return _DESCRIBERS[kind_of(path)](path)


def _authors_file(path: Path) -> str:
    from sgad.config.authors import resolve_authors_file

    run = resolve_authors_file(path).resolved.config
    return f"authors' file, {run.dataset}/{run.model}"


def _experiment(path: Path) -> str:
    from sgad.config.experiment import load_experiment

    experiment = load_experiment(str(path))
    check_runs(experiment)
    return f"experiment, {len(experiment.run_keys())} runs"


def _dataset(path: Path) -> str:
    from sgad.data.description import load_description

    return f"data set {load_description(str(path)).name}"


def _model(path: Path) -> str:
    from sgad.config.compose import require_values

    content = load_model(path)
    require_values(path, content)
    return f"model {content.title}"


def _run(path: Path) -> str:
    config = resolve_file(path).config
    return f"run, {config.dataset}/{config.model}/{config.variant}/seed{config.seed}"


_DESCRIBERS: dict[str, Callable[[Path], str]] = {
    "authors": _authors_file,
    "experiments": _experiment,
    "datasets": _dataset,
    "models": _model,
    "variants": lambda path: f"variant {load_variant(path).title}",
    "runs": _run,
}
