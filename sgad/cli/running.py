"""`sgad train`, `sgad sample` and `sgad export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sgad.config.compose import Resolved, parse_settings, resolve, resolve_file
from sgad.config.paths import key_of
from sgad.errors import InputError, Interrupted, TakenOver, WriteFailure, one_line
from sgad.machine.faults import is_fault_of_the_machine
from sgad.machine.files import expanded

_FOLDER = click.Path(path_type=Path)


def _tell(message: str) -> None:
    click.echo(f"sgad: {message}", err=True)


@dataclass(frozen=True)
class _Wanted:
    """A run to train, with what its file says about data and device."""

    resolved: Resolved
    raw_data: Path | None = None
    device: str = "auto"


@click.command()
@click.argument("config_file", required=False, metavar="[CONFIG.yaml]", type=_FOLDER)
@click.option("--dataset", help="Data set: its key or its YAML file, instead of CONFIG.yaml.")
@click.option("--model", help="Model: its key or its YAML file, instead of CONFIG.yaml.")
@click.option("--variant", help="Variant: key or YAML file; parts joined by +.  [default: paper]")
@click.option("--seed", type=click.IntRange(0), help="Seed; overrides the one in CONFIG.yaml.  [default: 0]")
@click.option("--out", "folder", type=_FOLDER, help="Run folder. [default: results/runs/DATASET/MODEL/VARIANT/seedS]")
@click.option("--data", default="data", show_default=True, type=_FOLDER, help="Folder of the prepared data sets.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one value; may be repeated.")
@click.option("--device", help="auto, cpu or cuda:N.  [default: auto; an authors' file names its own]")
@click.option("--threads", default=0, type=click.IntRange(0), help="CPU threads.  [default: all cores]")
@click.option("--resume/--no-resume", default=True, show_default=True, help="Go on from the newest checkpoint.")
@click.option(
    "--from", "start", metavar="WHERE", help="Weights to start from: a run or zoo folder, or a name in the zoo."
)
@click.option("--dry-run", is_flag=True, help="Print the resolved configuration and stop.")
@click.option("--record-failure", is_flag=True, help="Write a failure into run.json and exit 0 (for workflows).")
def train(
    config_file: Path | None,
    dataset: str | None,
    model: str | None,
    variant: str | None,
    seed: int | None,
    folder: Path | None,
    data: Path,
    settings: tuple[str, ...],
    device: str | None,
    threads: int,
    resume: bool,
    start: str | None,
    dry_run: bool,
    record_failure: bool,
) -> None:
    """Train one run.

    CONFIG.yaml is a file of ours (`sgad config show --yaml` prints one) or one of the authors' (top key `Network`), of which is
    said what each key was read as; where it names no model, give --model.
    With --from and neither CONFIG.yaml nor --model, the run is configured as the one that it starts from, on --dataset if given.
    Ctrl-C or SIGTERM writes a checkpoint and exits with 130; the same command goes on from there.

    \b
    Examples:
      sgad train --dataset digits --model sgad --variant quick --out runs/first
      sgad train --from digits-sgad --dataset mnist --set max_steps=500 --out runs/tuned
      sgad train --dataset digits --model mine.yaml --variant smoke --out runs/mine
      sgad train train/sgad_mnist.yaml --out runs/authors --set max_steps=100
    """
    wanted = _wanted(config_file, dataset, model, variant, seed, settings, start)
    config = wanted.resolved.config
    if dry_run:
        from sgad.config.yaml_files import dump_yaml

        click.echo(dump_yaml(config.model_dump(mode="json")), nl=False)
        return
    from sgad.training.run import TrainRequest, train_run
    from sgad.training.run import record_failure as write_failure

    request = TrainRequest(
        config=config,
        data_folder=_prepared_folder(dataset or config.dataset, data, wanted.raw_data),
        folder=folder or Path("results/runs") / _key_folder(wanted),
        device=_device(device, wanted.device),
        threads=threads,
        resume=resume,
    )
    try:
        record = train_run(request, _tell)
    # A full disk is no property of the run, nor is a folder that another process took: neither is its result.
    except (Interrupted, InputError, WriteFailure, TakenOver, KeyboardInterrupt):
        raise
    except Exception as error:
        if not record_failure or is_fault_of_the_machine(error):
            raise
        reason = one_line(error)
        write_failure(request, reason)
        _tell(f"failed and recorded: {reason}")
        return
    reason = f" ({record.reason})" if record.reason else ""
    click.echo(f"{request.folder}: {record.status}{reason}, {record.steps} steps in {record.seconds:.0f} s")


def _wanted(
    config_file: Path | None,
    dataset: str | None,
    model: str | None,
    variant: str | None,
    seed: int | None,
    settings: tuple[str, ...],
    start: str | None,
) -> _Wanted:
    values = parse_settings(settings)
    if start is not None:
        values = {"from_checkpoint": _place_of(start)} | values
    if "seed" in values:
        seed = values.pop("seed")
    if config_file is None:
        if start is not None and not (model or variant):
            return _Wanted(_like(start, dataset, seed, values))
        if not (dataset and model):
            raise InputError("give CONFIG.yaml, or --dataset and --model (see `sgad train --help`)")
        return _Wanted(resolve(dataset, model, variant or "paper", seed or 0, settings=values))
    from sgad.config.authors import is_authors_file, resolve_authors_file
    from sgad.config.yaml_files import read_yaml

    is_theirs = is_authors_file(read_yaml(config_file))
    if dataset or variant or (model and not is_theirs):
        raise InputError(f"{config_file} names data set, model and variant; leave out --dataset, --model and --variant")
    if not is_theirs:
        return _Wanted(resolve_file(config_file, values, seed))
    run = resolve_authors_file(config_file, values, seed, model)
    _tell(f"{config_file} is read as:")
    for reading in run.readings:
        click.echo(f"  {reading}", err=True)
    return _Wanted(run.resolved, run.data_path, run.device)


def _place_of(start: str) -> str:
    """Name a file or folder by its absolute path, so that the run finds it from anywhere; a model of the zoo by its name."""
    return str(expanded(start).resolve()) if expanded(start).exists() else start


def _like(start: str, dataset: str | None, seed: int | None, settings: dict[str, Any]) -> Resolved:
    """Compose the configuration of the run behind `start`, on another data set if one is given."""
    from sgad.training.start import start_of

    before = start_of(start)
    values = before.model_dump(mode="json", exclude={"from_checkpoint", "dataset", "model", "variant", "seed"})
    if before.ema_decay > 0:
        # A packed model's averages were estimated when it was packed; those of new weights are not known yet.
        values["sampling_statistics"] = "recalibrated"
    return resolve(
        dataset or before.dataset,
        before.model,
        before.variant,
        before.seed if seed is None else seed,
        file_values=values,
        source=f"the configuration of {start}",
        settings=settings,
    )


def _key_folder(wanted: _Wanted) -> str:
    config = wanted.resolved.config
    return f"{config.dataset}/{config.model}/{config.variant}/seed{config.seed}"


def _device(given: str | None, named: str) -> str:
    """An authors' file names a GPU; without one on this machine the run goes on on the CPU, and says so."""
    if given is not None:
        return given
    if named.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            _tell(f"the file names device {named}, which this machine does not have; training on the CPU")
            return "cpu"
    return named


def _prepared_folder(dataset: str, data: Path, raw_data: Path | None) -> Path:
    """The prepared data set, made now if its raw files are there."""
    folder = data / key_of(dataset)
    if not (folder / "manifest.json").is_file():
        from sgad.data.description import load_description
        from sgad.data.prepare import prepare

        _tell(f"{folder} is not prepared yet; preparing {dataset} from the files that are there")
        if raw_data is not None and not raw_data.exists():
            _tell(f"the file's data_path {raw_data} does not exist; looking in the usual places")
            raw_data = None
        prepare(load_description(dataset), [raw_data] if raw_data else [], folder)
    return folder


@click.command()
@click.argument("folder", type=_FOLDER, metavar="RUN_FOLDER")
@click.option("--num", type=click.IntRange(1), help="Images to draw.  [default: num_samples of the run]")
@click.option(
    "--seed", "sample_seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the latents."
)
@click.option(
    "--statistics",
    type=click.Choice(["running", "recalibrated", "batch"]),
    help="Batch norm statistics.  [default: sampling_statistics of the run]",
)
@click.option("--steps", "keep_steps", is_flag=True, help="Keep the image of every time step, too.")
@click.option("--recordings", type=_FOLDER, help="Folder for generated events as files of N-MNIST's own format.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda:N.")
@click.option("--threads", default=0, type=click.IntRange(0), help="CPU threads.  [default: all cores]")
def sample(
    folder: Path,
    num: int | None,
    sample_seed: int,
    statistics: str | None,
    keep_steps: bool,
    recordings: Path | None,
    device: str,
    threads: int,
) -> None:
    """Draw images from the generator in RUN_FOLDER into samples.npz, grid.png and, for events, sample.gif."""
    from sgad.sampling import SampleRequest, sample_run

    click.echo(sample_run(SampleRequest(folder, num, sample_seed, statistics, keep_steps, device, threads, recordings)))  # type: ignore[arg-type]


@click.command()
@click.argument("folder", type=_FOLDER, metavar="RUN_FOLDER")
@click.option("--out", required=True, type=_FOLDER, help="Folder to write, for example zoo/digits-sgad.")
@click.option(
    "--bits", default=4, show_default=True, type=click.IntRange(3, 10), help="Bits a weight of the largest matrix."
)
@click.option("--program", type=_FOLDER, help="Write the sampler as a torch.export program (.pt2) there, too.")
@click.option("--packed-metrics", type=_FOLDER, help="What `sgad measure` wrote of the packed model, for the card.")
def export(folder: Path, out: Path, bits: int, program: Path | None, packed_metrics: Path | None) -> None:
    """Pack the generator in RUN_FOLDER: small weights, configuration, record, picture and a card.

    `sgad sample OUT` and, in Python, `sgad.load("OUT").sample(16)` draw from it.
    """
    from sgad.zoo.export import export_run

    change = export_run(folder, out, bits, packed_metrics)
    size = sum(path.stat().st_size for path in out.iterdir()) / 1e6
    click.echo(f"{out}: {size:.1f} MB; packing changes a pixel by {change.mean:.2f} of 255 grey levels on average")
    if program is not None:
        from sgad import load

        click.echo(f"{program}: differs from sampling by at most {load(out).save_program(program):.1e}")
