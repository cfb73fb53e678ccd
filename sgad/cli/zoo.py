"""`sgad export`."""

from pathlib import Path

import click

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("folder", type=_FOLDER, metavar="RUN_FOLDER")
@click.option("--out", required=True, type=_FOLDER, help="Folder to write, for example zoo/digits-sgad.")
@click.option(
    "--limit-mb", default=10.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Size of the weights."
)
def export(folder: Path, out: Path, limit_mb: float) -> None:
    r"""Pack a finished, measured run into a small folder with a model card.

    \b
    Example:
      sgad export results/runs/digits/sgad/quick/seed0 --out zoo/digits-sgad
      sgad sample zoo/digits-sgad --num 64
    """
    from sgad.zoo import WEIGHTS, export_run

    target = export_run(folder, out, int(limit_mb * 1e6))
    click.echo(f"{target}: {(target / WEIGHTS).stat().st_size / 1e6:.1f} MB")
