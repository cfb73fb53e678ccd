"""`sgad zoo list`, `get` and `add`."""

from pathlib import Path

import click


@click.group()
def zoo() -> None:
    """Trained generators by name, for `sgad.load(NAME)` and `sgad train --from NAME`."""


@zoo.command(name="list")
def list_models() -> None:
    """List the models that are here: name, data set, model, size, hash and folder."""
    from sgad.zoo.shelf import entries

    for entry in entries():
        size = f"{entry.size / 1e6:.1f} MB"
        click.echo(
            f"{entry.name:<24} {entry.dataset:<14} {entry.model:<8} {size:>8}  {entry.sha256[:12]}  {entry.folder}"
        )


@zoo.command()
@click.argument("address")
@click.option("--name", help="Name in the zoo.  [default: the last part of the address]")
def get(address: str, name: str | None) -> None:
    """Download a packed model into the user's zoo ($SGAD_ZOO, or sgad/zoo in the cache), each file checked.

    ADDRESS is hf:OWNER/MODEL[@REVISION], or the URL of a folder with a zoo.json, which `sgad export` writes.
    """
    from sgad.zoo.shelf import get_model

    click.echo(get_model(address, name))


@zoo.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", help="Name in the zoo.  [default: the folder's name]")
def add(folder: Path, name: str | None) -> None:
    """Copy a packed model, a folder that `sgad export` wrote, into the user's zoo."""
    from sgad.zoo.shelf import add_model

    click.echo(add_model(folder, name))
