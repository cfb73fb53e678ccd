"""`sgad classifier`, `sgad baselines` and `sgad measure`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from sgad.config.experiment import DEFAULT_MEASURES
from sgad.errors import InputError, RunFailure

#: Measures that need neither weights nor a data set.
DEFAULT_OF_TWO = ("kid", "prdc", "nearest")
#: Extractors that need no file; repeated here so that `--help` stays fast (a test compares).
PIXELS, SHIPPED = "pixels", ("cifar10", "digits", "faces", "fashion_mnist", "mnist", "nmnist_sim")

_FOLDER = click.Path(path_type=Path)
_DATA = click.option(
    "--data", default="data", show_default=True, type=_FOLDER, help="Folder of the prepared data sets."
)
_THREADS = click.option("--threads", default=0, type=click.IntRange(0), help="CPU threads.  [default: all cores]")
_MEASURES = click.option(
    "--measures", default=",".join(DEFAULT_MEASURES), show_default=True, help="Measures, separated by commas."
)


@click.command()
@click.argument("dataset")
@_DATA
@click.option("--out", type=_FOLDER, help="Folder of the classifiers.  [default: DATA/DATASET/classifier]")
@click.option("--autoencoder", is_flag=True, help="Train the data set's own autoencoder as well, for fad_own.")
@click.option(
    "--classifiers/--no-classifiers",
    default=True,
    show_default=True,
    help="Train the classifiers; without them, the autoencoder alone.",
)
@click.option(
    "--shipped", is_flag=True, help="Take the networks that come with the package, if there are any for these data."
)
@click.option(
    "--pack", type=_FOLDER, help="Also write them as one half-precision file into this folder, to be shipped."
)
@_THREADS
def classifier(
    dataset: str,
    data: Path,
    out: Path | None,
    autoencoder: bool,
    classifiers: bool,
    shipped: bool,
    pack: Path | None,
    threads: int,
) -> None:
    """Train three small classifiers on DATASET's training split; cfd and ccs are measured with them.

    A data set without labels gets an autoencoder alone. For the data sets that come with the package nothing needs to be
    trained: their networks come with it, too, so that measured values are the same on every machine.
    """
    if not (classifiers or autoencoder):
        raise InputError("--no-classifiers leaves nothing to train; add --autoencoder")
    folder = out or data / dataset / "classifier"
    if shipped and (name := _unpacked(data / dataset, folder)):
        click.echo(f"{dataset}: classifiers and autoencoder {name}")
        return
    from sgad.machine.devices import set_threads
    from sgad.machine.files import require_writable

    set_threads(threads)
    require_writable(folder)
    if not classifiers:
        from sgad.measures.extractors.autoencoder import train_autoencoder

        _tell_loss(dataset, train_autoencoder(data / dataset, folder))
        return
    from sgad.measures.extractors.classifier import train_classifiers

    summary = train_classifiers(data / dataset, folder, autoencoder=autoencoder)
    accuracies = ", ".join(f"{value:.3f}" for value in summary.get("accuracy", []))
    click.echo(f"{dataset}: test accuracy {accuracies}" if accuracies else f"{dataset}: {summary['status']}")
    if "autoencoder" in summary:
        _tell_loss(dataset, summary["autoencoder"])
    if pack is not None:
        from sgad.measures.extractors.shipped import pack as write

        click.echo(write(folder, dataset, pack))


def _unpacked(data: Path, folder: Path) -> str:
    """Write the shipped networks of a prepared data set into `folder`; return the name of their file, or ""."""
    from sgad.machine.files import read_json
    from sgad.measures.extractors.shipped import find_shipped, unpack

    found = find_shipped(data.name, str(read_json(data / "manifest.json").get("content_hash", "")))
    return str(unpack(found, folder)["shipped"]) if found else ""


def _tell_loss(dataset: str, record: Mapping[str, Any]) -> None:
    click.echo(f"{dataset}: autoencoder, mean squared error {record['loss']:.4f} in training")


@click.command()
@click.argument("dataset")
@_DATA
@_MEASURES
@click.option(
    "--num", default=5000, show_default=True, type=click.IntRange(2), help="Images of each baseline, at most."
)
@click.option("--out", type=_FOLDER, help="File to write.  [default: results/baselines/DATASET.json]")
@_THREADS
def baselines(dataset: str, data: Path, measures: str, num: int, out: Path | None, threads: int) -> None:
    """Measure real training images (floor), noise (ceiling) and a copy of the training set (memorisation)."""
    from sgad.machine.devices import set_threads
    from sgad.machine.files import require_writable
    from sgad.measures.baselines import baselines_to_file

    set_threads(threads)
    target = out or Path("results/baselines") / f"{dataset}.json"
    require_writable(target.parent)
    baselines_to_file(data / dataset, _split(measures), target, num=num)
    click.echo(target)


def _split(measures: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in measures.split(",") if name.strip()))
    if not names:
        raise InputError("--measures is empty; name at least one, for example --measures cfd,ccs")
    return names


class _WithMeasures(click.Command):
    """A command whose help lists the metrics of the catalogue, plugins' among them."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from sgad.catalogue.metrics import measure_lines

        with formatter.section("Measures"):
            formatter.write_dl(measure_lines())


@click.command(cls=_WithMeasures)
@click.option(
    "--samples", required=True, type=_FOLDER, help="samples.npz, another .npz or .npy, or a folder of images."
)
@click.option("--dataset", help="Prepared data set to compare with (its reference split).")
@click.option("--reference", type=_FOLDER, help="Images to compare with, instead of --dataset.")
@_DATA
@click.option(
    "--measures",
    help=f"Measures, separated by commas.  [default: {','.join(DEFAULT_MEASURES)}; of two sets from elsewhere"
    f" {','.join(DEFAULT_OF_TWO)} of their pixels]",
)
@click.option(
    "--extractor",
    help="inception, classifier, fad, pixels, a shipped classifier (mnist, fashion_mnist, ...) or a weights file.",
)
@click.option("--weights", type=_FOLDER, multiple=True, help="Weights file of a network; may be repeated.")
@click.option(
    "--protocol",
    type=click.Choice(["torch-fidelity", "pytorch-fid", "clean"]),
    default="clean",
    show_default=True,
    help="Resize and scaling before the Inception network.",
)
@click.option(
    "--range",
    "value_range",
    type=click.Choice(["unit", "symmetric", "byte"]),
    help="What floats in --samples and --reference mean: 0..1, -1..1 or 0..255.",
)
@click.option(
    "--events",
    type=click.Choice(["mean", "accumulated", "frames"]),
    default="mean",
    show_default=True,
    help="How event clips become images: their mean, their sum, or each frame on its own.",
)
@click.option(
    "--draws",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Cut the samples into N sets of fresh latents; give mean and t interval over them.",
)
@click.option(
    "--cross-check",
    is_flag=True,
    help="Compute Inception's values once more by torch-fidelity and pytorch-fid; fail if they differ by 1e-3.",
)
@click.option("--device", default="cpu", show_default=True, help="Where the networks run: auto, cpu or cuda:N.")
@click.option("--half", is_flag=True, help="Inception in half precision; said in the protocol.")
@click.option("--batch-size", type=click.IntRange(1), help="Images a batch.  [default: what the free memory allows]")
@click.option("--cache", type=_FOLDER, help="Folder of kept features.  [default: DATA/DATASET/features]")
@click.option("--out", type=_FOLDER, default="metrics.json", show_default=True, help="File to write.")
@click.option("--allow-empty", is_flag=True, help="Exit 0 even if nothing could be computed; the rows say why.")
@_THREADS
def measure(
    samples: Path,
    dataset: str | None,
    reference: Path | None,
    data: Path,
    measures: str | None,
    extractor: str | None,
    weights: tuple[Path, ...],
    protocol: str,
    value_range: Literal["unit", "symmetric", "byte"] | None,
    events: Literal["mean", "accumulated", "frames"],
    draws: int,
    cross_check: bool,
    device: str,
    half: bool,
    batch_size: int | None,
    cache: Path | None,
    out: Path,
    allow_empty: bool,
    threads: int,
) -> None:
    """Compare images with a reference and write each value with its protocol.

    The measures are listed below (docs/measures.md); kid and its like take the features of --extractor. What cannot be
    computed is said in its row, with the command that fixes it.

    \b
    Examples:
      sgad measure --samples results/runs/digits/sgad/quick/seed0/samples.npz --dataset digits --out metrics.json
      sgad measure --samples generated/ --reference real/
      sgad measure --samples generated/ --reference real/ --measures fid,kid --weights inception.pth
    """
    if (dataset is None) == (reference is None):
        raise InputError("give one of --dataset and --reference")
    from sgad.machine.devices import held_device, set_threads
    from sgad.machine.files import require_writable
    from sgad.measures.stage import measure_to_file

    set_threads(threads)
    require_writable(out.parent)
    with held_device(device) as held:
        document = measure_to_file(
            samples,
            reference if reference is not None else data / str(dataset),
            _split(measures) if measures is not None else _default_measures(dataset, extractor, weights),
            out,
            extractor=extractor,
            weights=weights,
            protocol=protocol,
            value_range=value_range,
            event_view=events,
            draws=draws,
            cross_check=cross_check,
            device=str(held),
            half=half,
            batch_size=batch_size,
            cache=cache,
        )
    _tell(document["metrics"])
    if not allow_empty and all(row["value"] is None for row in document["metrics"]):
        raise RunFailure(f"nothing was computed; {out} and the lines above say why")


def _default_measures(dataset: str | None, extractor: str | None, weights: tuple[Path, ...]) -> tuple[str, ...]:
    """What is measured where nobody says: of two sets from elsewhere, what needs no file."""
    if dataset is None and not weights and extractor in (None, PIXELS, *SHIPPED):
        return DEFAULT_OF_TWO
    return DEFAULT_MEASURES


def _tell(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a line for each metric, then each warning and each remedy once."""
    for row in rows:
        value = "-" if row["value"] is None else f"{row['value']:.6g}"
        interval = f" [{row['low']:.4g}, {row['high']:.4g}]" if row["low"] is not None else ""
        note = "" if row["status"] == "computed" else f"; {row['status']}"
        click.echo(f"{row['metric']:<28} {value:>12}{interval:<20}  {row['protocol']}{note}")
        for check in row["details"].get("cross_check", []):
            click.echo(f"  {_checked(check)}")
    for row in rows:
        if "warning" in row["details"]:
            click.echo(f"warning: {row['metric']}: {row['details']['warning']}", err=True)
    # One command may fix several rows.
    for remedy in dict.fromkeys(row["details"].get("remedy") for row in rows):
        if remedy:
            click.echo(f"to compute what is missing: {remedy}")


def _checked(check: Mapping[str, Any]) -> str:
    """What another package says of a value."""
    if check["theirs"] is None:
        return f"not checked by {check['by']}: {check['reason']}"
    return f"{check['theirs']:.6g} by {check['by']}, {check['relative_difference']:.1g} of it apart"
