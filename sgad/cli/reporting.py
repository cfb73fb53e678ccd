"""`sgad collect`, `tables`, `figures`, `report` and `regenerate`: none of them imports torch."""

from pathlib import Path

import click

_EXPERIMENT = click.argument("experiment")
_RESULTS = click.option(
    "--results",
    default="results",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of all results.",
)


@click.command()
@_EXPERIMENT
@_RESULTS
@click.option("--data", default="data", show_default=True, type=click.Path(path_type=Path), help="Prepared data sets.")
def collect(experiment: str, results: Path, data: Path) -> None:
    """Gather metrics.json and histories of EXPERIMENT's runs into results/experiments/EXPERIMENT/."""
    from sgad.config.experiment import load_experiment
    from sgad.reporting.collect import collect as run

    click.echo(run(load_experiment(experiment), results, data))


@click.command()
@_EXPERIMENT
@_RESULTS
def tables(experiment: str, results: Path) -> None:
    """Write EXPERIMENT's tables from its metrics.csv."""
    from sgad.config.experiment import load_experiment
    from sgad.reporting.tables import write_tables

    for path in write_tables(load_experiment(experiment), results):
        click.echo(path)


@click.command()
@_EXPERIMENT
@_RESULTS
def figures(experiment: str, results: Path) -> None:
    """Draw EXPERIMENT's figures from its metrics.csv and histories."""
    from sgad.config.experiment import load_experiment
    from sgad.reporting.figures import write_figures

    for path in write_figures(load_experiment(experiment), results):
        click.echo(path)


@click.command()
@_EXPERIMENT
@_RESULTS
def report(experiment: str, results: Path) -> None:
    """Write EXPERIMENT's report.html: one file that opens offline."""
    from sgad.config.experiment import load_experiment
    from sgad.reporting.page import write_report

    click.echo(write_report(load_experiment(experiment), results))


@click.command()
@_EXPERIMENT
@_RESULTS
def regenerate(experiment: str, results: Path) -> None:
    """Make EXPERIMENT's tables, figures and report again from stored results, without torch, in seconds."""
    from sgad.config.experiment import load_experiment
    from sgad.reporting.regenerate import regenerate as run

    for path in run(load_experiment(experiment), results):
        click.echo(path)
