"""`sgad analyse` and `sgad neurons`."""

from pathlib import Path

import click

_FOLDER = click.Path(path_type=Path)
_DATA = click.option(
    "--data", default="data", show_default=True, type=_FOLDER, help="Folder of the prepared data sets."
)


class _WithAnalyses(click.Command):
    """A command whose help lists the analyses of the catalogue, plugins' among them."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from sgad.catalogue import lookup

        with formatter.section("Analyses"):
            formatter.write_dl([(key, analysis.question) for key, analysis in lookup.analyses().items()])


@click.command(cls=_WithAnalyses)
@click.argument("folder", type=_FOLDER, metavar="RUN_FOLDER")
@click.option("--dataset", help="Prepared data set.  [default: the one that the run was trained on]")
@_DATA
@click.option("--analyses", required=True, help="Analyses, separated by commas.")
@click.option(
    "--num", default=1000, show_default=True, type=click.IntRange(20), help="Images drawn from the generator."
)
@click.option("--neurons", type=_FOLDER, help="Recorded responses (.npz), for alignment.")
@click.option(
    "--statistics",
    type=click.Choice(["running", "recalibrated", "batch"]),
    help="Batch norm statistics.  [default: sampling_statistics of the run]",
)
@click.option("--device", default="cpu", show_default=True, help="auto, cpu or cuda:N.")
@click.option("--threads", default=0, type=click.IntRange(0), help="CPU threads.  [default: all cores]")
def analyse(
    folder: Path,
    dataset: str | None,
    data: Path,
    analyses: str,
    num: int,
    neurons: Path | None,
    statistics: str | None,
    device: str,
    threads: int,
) -> None:
    """Look at the trained run in RUN_FOLDER; write analyses/NAME.csv and pictures into it.

    The analyses and the questions that they answer are listed below (docs/claims.md).

    \b
    Example:
      sgad analyse results/runs/digits/sgad/quick/seed0 --analyses domain_gap,temporal_gap,energy
    """
    from sgad.analyses.analyse import AnalyseRequest, analyse_run
    from sgad.machine.devices import held_device, set_threads
    from sgad.runs.record import read_record

    set_threads(threads)
    names = tuple(dict.fromkeys(name.strip() for name in analyses.split(",") if name.strip()))
    source = data / (dataset or read_record(folder).dataset)
    with held_device(device) as held:
        click.echo(analyse_run(AnalyseRequest(folder, source, names, num, neurons, str(held), statistics)))  # type: ignore[arg-type]


@click.command()
@click.argument("dataset")
@_DATA
@click.option("--num", default=200, show_default=True, type=click.IntRange(8), help="Images of the test split shown.")
@click.option("--out", type=_FOLDER, help="File to write.  [default: DATA/DATASET/neurons-synthetic.npz]")
def neurons(dataset: str, data: Path, num: int, out: Path | None) -> None:
    """Make up neurons (simple and complex cells with noise) that respond to DATASET's test images.

    They stand in for recordings, and every table says so.
    """
    from sgad.analyses.alignment.neurons import synthetic_neurons_of, write_neurons
    from sgad.data.prepared import SYNTHETIC_NEURONS

    target = out or data / dataset / SYNTHETIC_NEURONS
    write_neurons(target, synthetic_neurons_of(data / dataset, num))
    click.echo(target)
