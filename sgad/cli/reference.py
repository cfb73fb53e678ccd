"""`sgad publish`, `verify` and `reports`: the results that come with the repository; none of them imports torch."""

from pathlib import Path

import click

from sgad.errors import RunFailure

_FOLDER = click.Path(path_type=Path)
_RESULTS = click.option("--results", default="results", show_default=True, type=_FOLDER, help="Folder of all results.")


@click.command()
@click.argument("experiment")
@_RESULTS
@click.option(
    "--reference", type=_FOLDER, help="Folder of the reference experiment.  [default: results/reference/EXPERIMENT]"
)
@click.option("--brief", is_flag=True, help="Print the verdict alone and write no files.")
def verify(experiment: str, results: Path, reference: Path | None, brief: bool) -> None:
    """Compare your own results of EXPERIMENT with the reference, value by value; exit 1 if one is different.

    Each value is equal to the bit | within the spread of the seeds (difference of the means, 95 % interval, p) | different |
    not there. Other seeds, another processor and another number of threads change the bits of a training, not its
    distribution. The table goes to results/experiments/EXPERIMENT/verify.csv and verify.md.

    \b
    Example:
      snakemake --config experiment=quick
      sgad verify quick
    """
    from sgad.config.experiment import load_experiment
    from sgad.reporting.verification import differing_lines, save_verification
    from sgad.store.stored import experiment_folder
    from sgad.store.verify import verify as run

    name = load_experiment(experiment).name
    found = run(name, results, reference)
    if not brief:
        for path in save_verification(found, experiment_folder(results, name)):
            click.echo(path)
        for line in differing_lines(found):
            click.echo(line)
        for dataset, verdict in found.by_dataset().items():
            click.echo(f"{dataset}: {verdict}")
    click.echo(f"{name} {found.verdict()}")
    if not found.reproduces:
        raise RunFailure(f"{name} does not reproduce the reference")


@click.command()
@click.argument("experiment")
@_RESULTS
@click.option("--data", default="data", show_default=True, type=_FOLDER, help="Folder of the prepared data sets.")
@click.option("--logs", default="logs", show_default=True, type=_FOLDER, help="Folder of the workflow's logs.")
@click.option("--mixed-machines", default="", metavar="WHY", help="Why runs of several machines are all right.")
@click.option("--incomplete", default="", metavar="WHY", help="Why runs without a result are all right.")
def publish(experiment: str, results: Path, data: Path, logs: Path, mixed_machines: str, incomplete: str) -> None:
    """Make your finished results of EXPERIMENT the reference: results/reference/EXPERIMENT.

    Refused are runs of a tree with uncommitted changes and results that `sgad audit` finds fault with; also, unless you say why
    that is all right, runs of several machines and runs without a result. The reasons are stored and shown.
    """
    from sgad.config.experiment import load_experiment
    from sgad.reporting.audit import audit
    from sgad.store.publish import publish as run
    from sgad.store.publish import require_own

    config = load_experiment(experiment)
    require_own(config.name, results)
    findings = audit(config, results, data, logs).findings
    click.echo(
        run(
            config.name,
            results,
            findings=findings,
            mixed_machines=mixed_machines,
            incomplete=incomplete,
            with_frames="evolution" in config.figures,
        )
    )


@click.command()
@click.argument("experiments", nargs=-1)
@_RESULTS
def reports(experiments: tuple[str, ...], results: Path) -> None:
    """Make the pages of EXPERIMENTS (default: all with stored results) and results/index.html that leads to them.

    Own results are shown where there are any, else the reference.
    """
    from sgad.reporting.page.index import write_reports

    click.echo(write_reports(experiments, results))
