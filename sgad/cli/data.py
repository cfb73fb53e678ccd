"""`sgad prepare`, `sgad dataset check` and `sgad dataset show`."""

from pathlib import Path

import click

from sgad.errors import InputError

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("name_or_yaml")
@click.option("--from", "source", type=_FOLDER, help="Folder with the raw files, instead of the default places.")
@click.option("--download", is_flag=True, help="Fetch what is missing from the official places.")
@click.option("--out", type=_FOLDER, help="Folder of the prepared data set.  [default: data/NAME]")
def prepare(name_or_yaml: str, source: Path | None, download: bool, out: Path | None) -> None:
    """Turn raw files into memory-mapped arrays and a manifest.

    NAME_OR_YAML is a data set in configs/datasets/ or the path of a description of your own. Nothing is downloaded
    without --download; running it again does nothing.

    \b
    Examples:
      sgad prepare digits
      sgad prepare fashion_mnist --from ~/datasets
      sgad prepare mine.yaml --out data/mine
    """
    from sgad.data.description import load_description
    from sgad.data.prepare import prepare as run

    description = load_description(name_or_yaml)
    folder = out or Path("data") / description.name
    manifest = run(
        description,
        [source] if source else [],
        folder,
        download=download,
        tell=lambda text: click.echo(f"odd: {text}", err=True),
    )
    counts = ", ".join(f"{count} {split}" for split, count in manifest.counts.items())
    click.echo(f"{folder}: {manifest.title}, {'x'.join(map(str, manifest.shape))}, {counts}")


@click.group()
def dataset() -> None:
    """Check or show a data set."""


@dataset.command()
@click.argument("name_or_yaml")
@click.option("--from", "source", type=_FOLDER, help="Folder with the raw files, instead of the default places.")
def check(name_or_yaml: str, source: Path | None) -> None:
    """Say what is there, missing, ignored, odd or wrong, and what fixes it. Exit code 2 if it cannot be prepared."""
    from sgad.data.check import check_dataset
    from sgad.data.description import load_description

    findings = check_dataset(load_description(name_or_yaml), [source] if source else [])
    for finding in findings:
        click.echo(str(finding))
    if any(not finding.is_fine for finding in findings):
        raise InputError(f"{name_or_yaml} cannot be prepared yet; the lines above say what to do")


@dataset.command()
@click.argument("name")
@click.option("--data", default="data", show_default=True, type=_FOLDER, help="Folder of the prepared data sets.")
@click.option("--out", type=_FOLDER, help="Picture to write (PNG; a GIF for events).  [default: NAME.png or NAME.gif]")
def show(name: str, data: Path, out: Path | None) -> None:
    """Draw real samples of a prepared data set, with counts per class."""
    from sgad.data.show import show_dataset

    click.echo(show_dataset(data / name, out))
