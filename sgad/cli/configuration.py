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
@click.argument("file", required=False, metavar="[FILE]", type=click.Path(path_type=Path))
@click.option("--dataset", help="Data set: its key, or the path of its YAML file.")
@click.option("--model", help="Model: its key, or the path of its YAML file.")
@click.option("--variant", help="Variant: key or YAML file; parts joined by +, as in paper+tau=4.  [default: paper]")
@click.option("--seed", type=click.IntRange(0), help="Seed of the run.  [default: 0, or FILE's]")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one value; may be repeated.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print a file that `sgad train` takes.")
def show(
    file: Path | None,
    dataset: str | None,
    model: str | None,
    variant: str | None,
    seed: int | None,
    settings: tuple[str, ...],
    as_yaml: bool,
) -> None:
    """Print the resolved configuration of a run and where each value came from.

    FILE is a run file of ours or one of the authors' (top key `Network`): of theirs, each key is printed with what it was read
    as. Without FILE give --dataset and --model.

    \b
    Examples:
      sgad config show --dataset mnist --model sgad --variant paper
      sgad config show train/sgad_mnist.yaml
      sgad config show mine.yaml --model swgan --yaml
    """
    from sgad.config.yaml_files import dump_yaml

    values = parse_settings(settings)
    seed = values.pop("seed", seed)
    if file is not None:
        resolved, lines = _of_file(file, dataset, model, variant, seed, values)
    elif dataset and model:
        resolved, lines = resolve(dataset, model, variant or "paper", seed or 0, settings=values), ()
    else:
        raise InputError("nothing says which run; give FILE, or --dataset and --model")
    if as_yaml:
        click.echo(dump_yaml(resolved.config.model_dump(mode="json")), nl=False)
        return
    for line in lines:
        click.echo(line)
    _print_with_origins(resolved)


def _of_file(
    file: Path,
    dataset: str | None,
    model: str | None,
    variant: str | None,
    seed: int | None,
    values: dict[str, Any],
) -> tuple[Resolved, tuple[str, ...]]:
    """The configuration that a run file asks for, and what is to be said of how it was read."""
    from sgad.config.authors import resolve_authors_file
    from sgad.config.kinds import kind_of

    kind = kind_of(file)
    if dataset or variant or (model and kind != "authors"):
        raise InputError(f"{file} names data set, model and variant; leave out --dataset, --model and --variant")
    if kind == "authors":
        run = resolve_authors_file(file, values, seed, model)
        return run.resolved, (f"{file} is read as:", *(f"  {reading}" for reading in run.readings), "")
    if kind != "runs":
        raise InputError(f"{file} is no run file but one of {kind}; check it with `sgad config check {file}`")
    return resolve_file(file, values, seed), ()


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

    run = resolve_authors_file(path)
    ignored = ", ".join(reading.key for reading in run.readings if reading.is_ignored)
    return f"authors' file, {run.resolved.config.dataset}/{run.resolved.config.model}; ignored: {ignored}"


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
