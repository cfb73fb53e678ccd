"""`sgad collect`, `tables`, `figures`, `report`, `regenerate` and `halve`: none of them imports torch."""

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
@click.option("--with-reference", is_flag=True, help="Take runs that are absent here from the reference.")
def collect(experiment: str, results: Path, data: Path, with_reference: bool) -> None:
    """Gather metrics.json and histories of EXPERIMENT's runs into results/experiments/EXPERIMENT/."""
    from sgad.config.experiment import load_experiment
    from sgad.store.collect import collect as run

    click.echo(run(load_experiment(experiment), results, data, with_reference=with_reference))


@click.command()
@_EXPERIMENT
@_RESULTS
def tables(experiment: str, results: Path) -> None:
    """Write EXPERIMENT's tables from its metrics.csv."""
    from sgad.config.experiment import load_experiment
    from sgad.reporting.tables.save import write_tables

    for path in write_tables(load_experiment(experiment), results):
        click.echo(path)


@click.command()
@_EXPERIMENT
@_RESULTS
def figures(experiment: str, results: Path) -> None:
    """Draw EXPERIMENT's figures from its metrics.csv and histories."""
    from sgad.config.experiment import load_experiment
    from sgad.reporting.figures.save import write_figures

    for path in write_figures(load_experiment(experiment), results):
        click.echo(path)


@click.command()
@_EXPERIMENT
@_RESULTS
def report(experiment: str, results: Path) -> None:
    """Write EXPERIMENT's report.html: one file that opens offline."""
    from sgad.config.experiment import load_experiment
    from sgad.reporting.page.report import write_report

    click.echo(write_report(load_experiment(experiment), results))


@click.command()
@_EXPERIMENT
@_RESULTS
def regenerate(experiment: str, results: Path) -> None:
    """Make EXPERIMENT's tables, figures and report again from stored results, without torch, in seconds.

    Where nothing was collected here, the reference that comes with the repository is read.
    """
    from sgad.config.experiment import load_experiment
    from sgad.reporting.regenerate import regenerate as run
    from sgad.store.reference import source_note

    if note := source_note(results, load_experiment(experiment).name):
        click.echo(note, err=True)
    for path in run(load_experiment(experiment), results):
        click.echo(path)


@click.command()
@_EXPERIMENT
@_RESULTS
@click.option(
    "--metric", default="fad_eval_val", show_default=True, help="What the variants are ranked by, on held-out images."
)
@click.option("--keep", default=3, show_default=True, type=click.IntRange(1), help="Variants that go on.")
@click.option("--steps", required=True, type=click.IntRange(1), help="Update pairs of the next round.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The next experiment's file.")
def halve(experiment: str, results: Path, metric: str, keep: int, steps: int, out: Path) -> None:
    """Write the next round of a search: EXPERIMENT's best variants, trained for longer.

    A round is an experiment like any other: many variants with few update pairs each. The first variant always goes on,
    as what the others are compared with. EXPERIMENT says `purpose: search`, so that it has seen held-out images only.

    \b
    Example:
      snakemake --config experiment=search_4
      sgad halve search_4 --keep 4 --steps 1500 --out configs/experiments/search_5.yaml
      snakemake --config experiment=search_5
    """
    from sgad.config.experiment import load_experiment
    from sgad.config.yaml_files import dump_yaml
    from sgad.machine.files import write_text
    from sgad.reporting.tables.effects import halve as choose
    from sgad.store.stored import read_stored
    from sgad.store.summary import summarise

    this = load_experiment(experiment)
    stored = read_stored(results, this.name)
    following = choose(this, summarise(stored.metrics, stored.runs), metric, keep, steps, out.stem)
    write_text(out, dump_yaml(following.model_dump(mode="json", exclude_defaults=True)))
    click.echo(out)
