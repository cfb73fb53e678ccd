"""`sgad classifier`, `sgad baselines` and `sgad measure`."""

from pathlib import Path

import click

from sgad.errors import InputError

_FOLDER = click.Path(path_type=Path)
_DATA = click.option(
    "--data", default="data", show_default=True, type=_FOLDER, help="Folder of the prepared data sets."
)
_THREADS = click.option("--threads", default=0, type=click.IntRange(0), help="CPU threads.  [default: all cores]")
DEFAULT_MEASURES = "cfd,ccs,kid_classifier,precision_classifier,recall_classifier"


def _set_threads(threads: int) -> None:
    import torch

    from sgad.runs.provenance import usable_cores

    torch.set_num_threads(threads or usable_cores())
    torch.set_flush_denormal(True)


@click.command()
@click.argument("dataset")
@_DATA
@click.option("--out", type=_FOLDER, help="Folder of the classifiers.  [default: DATA/DATASET/classifier]")
@_THREADS
def classifier(dataset: str, data: Path, out: Path | None, threads: int) -> None:
    """Train three small classifiers on DATASET's training split; cfd and ccs are measured with them."""
    _set_threads(threads)
    from sgad.measures.extractors.classifier import train_classifiers

    summary = train_classifiers(data / dataset, out or data / dataset / "classifier")
    accuracies = ", ".join(f"{value:.3f}" for value in summary.get("accuracy", []))
    click.echo(f"{dataset}: test accuracy {accuracies}" if accuracies else f"{dataset}: {summary['status']}")


@click.command()
@click.argument("dataset")
@_DATA
@click.option("--measures", default=DEFAULT_MEASURES, show_default=True, help="Measures, separated by commas.")
@click.option(
    "--num", default=5000, show_default=True, type=click.IntRange(2), help="Images of each baseline, at most."
)
@click.option("--out", type=_FOLDER, help="File to write.  [default: results/baselines/DATASET.json]")
@_THREADS
def baselines(dataset: str, data: Path, measures: str, num: int, out: Path | None, threads: int) -> None:
    """Measure real training images (floor), noise (ceiling) and a copy of the training set (memorisation)."""
    _set_threads(threads)
    from sgad.measures.baselines import baselines_to_file

    target = out or Path("results/baselines") / f"{dataset}.json"
    baselines_to_file(data / dataset, _split(measures), target, num=num)
    click.echo(target)


def _split(measures: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in measures.split(",") if name.strip()))
    if not names:
        raise InputError("--measures is empty; name at least one, for example --measures cfd,ccs")
    return names


@click.command()
@click.option(
    "--samples", required=True, type=_FOLDER, help="samples.npz, another .npz or .npy, or a folder of images."
)
@click.option("--dataset", help="Prepared data set to compare with (its reference split).")
@click.option("--reference", type=_FOLDER, help="Images to compare with, instead of --dataset.")
@_DATA
@click.option("--measures", default=DEFAULT_MEASURES, show_default=True, help="Measures, separated by commas.")
@click.option("--extractor", help="inception, classifier, fad, or the path of a weights file.")
@click.option("--weights", type=_FOLDER, help="Weights file of the extractor.")
@click.option(
    "--protocol",
    type=click.Choice(["torch-fidelity", "pytorch-fid", "clean"]),
    default="clean",
    show_default=True,
    help="Resize and scaling before the Inception network.",
)
@click.option("--out", type=_FOLDER, default="metrics.json", show_default=True, help="File to write.")
@_THREADS
def measure(
    samples: Path,
    dataset: str | None,
    reference: Path | None,
    data: Path,
    measures: str,
    extractor: str | None,
    weights: Path | None,
    protocol: str,
    out: Path,
    threads: int,
) -> None:
    r"""Compare images with a reference and write each value with its protocol.

    Measures: fid, is, kid, prc (Inception); cfd, ccs, kid_classifier, precision_classifier, ... (classifier of the data
    set); fad_fsvae, fad_eval (autoencoder).

    \b
    Examples:
      sgad measure --samples results/runs/digits/sgad/quick/seed0/samples.npz --dataset digits --out metrics.json
      sgad measure --samples generated/ --reference real/ --measures fid,kid --weights inception.pth
    """
    if (dataset is None) == (reference is None):
        raise InputError("give one of --dataset and --reference")
    _set_threads(threads)
    from sgad.measures.measure import measure_to_file

    document = measure_to_file(
        samples,
        reference if reference is not None else data / str(dataset),
        _split(measures),
        out,
        extractor=extractor,
        weights=weights,
        protocol=protocol,
    )
    for row in document["metrics"]:
        value = "-" if row["value"] is None else f"{row['value']:.6g}"
        note = "" if row["status"] == "computed" else f"  ({row['status']})"
        click.echo(f"{row['metric']:<28} {value:>12}  {row['protocol']}{note}")
