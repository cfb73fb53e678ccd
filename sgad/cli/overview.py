"""`sgad status` and `sgad doctor`."""

import json
from pathlib import Path

import click

from sgad.errors import RunFailure

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("experiment")
@click.option("--results", default="results", show_default=True, type=_FOLDER, help="Folder of all results.")
@click.option("--logs", default="logs", show_default=True, type=_FOLDER, help="Folder of the workflow's logs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list instead of a table.")
def status(experiment: str, results: Path, logs: Path, as_json: bool) -> None:
    """Show every run of EXPERIMENT: progress, speed, time left, and what failed why."""
    from sgad.config.experiment import load_experiment
    from sgad.runs.status import experiment_status, format_states
    from sgad.store.reference import stored_note

    config = load_experiment(experiment)
    states = experiment_status(config, results, logs)
    if as_json:
        click.echo(json.dumps([state.as_dict() for state in states], indent=1))
        return
    click.echo(format_states(states))
    if note := stored_note(results, config.name):
        has_folders = any(state.status != "absent" for state in states)
        click.echo(note if has_folders else f"{note}; no run folders here")


@click.command()
@click.argument("experiment")
@click.option("--results", default="results", show_default=True, type=_FOLDER, help="Folder of all results.")
@click.option("--data", default="data", show_default=True, type=_FOLDER, help="Folder of the prepared data sets.")
@click.option("--logs", default="logs", show_default=True, type=_FOLDER, help="Folder of the workflow's logs.")
@click.option("--trace", is_flag=True, help="Print where every value comes from, instead of checking.")
def audit(experiment: str, results: Path, data: Path, logs: Path, trace: bool) -> None:
    """Check every stored number of EXPERIMENT against its run, configuration, data and the tree; exit 1 if one is wrong.

    Finds results of another configuration than the tree's, numbers and tables edited by hand, files that changed since
    they were collected. What is not here (run folders, data) is said in a note.
    """
    from sgad.config.experiment import load_experiment
    from sgad.reporting.audit import audit as run
    from sgad.store.provenance import trace_lines

    if trace:
        for line in trace_lines(load_experiment(experiment), results):
            click.echo(line)
        return
    found = run(load_experiment(experiment), results, data, logs)
    for finding in found.findings:
        click.echo(f"found  {finding}")
    for note in found.notes:
        click.echo(f"note   {note}")
    click.echo(found.summary())
    if found.findings:
        raise RunFailure(f"{experiment} does not pass the audit; each line above that begins with `found` says why")


@click.command()
@click.option("--experiment", help="Estimate time, memory and disk of every run of this experiment on this machine.")
@click.option("--data", default="data", show_default=True, type=_FOLDER, help="Folder of the prepared data sets.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda:N, for the estimate.")
@click.option("--card", help="Compute times for this card instead of measuring here: h100, a100, rtx4090, ...")
@click.option("--download-weights", is_flag=True, help="Fetch the published Inception weights, checked by sha256.")
@click.option("--weights-folder", type=_FOLDER, help="Where to put them.  [default: $TORCH_HOME/hub/checkpoints]")
def doctor(
    experiment: str | None,
    data: Path,
    device: str,
    card: str | None,
    download_weights: bool,
    weights_folder: Path | None,
) -> None:
    """Check this machine: packages, engines, data sets, weights; estimate what an experiment costs."""
    from sgad.doctor import diagnose, estimate_experiment

    if download_weights:
        from sgad.measures.extractors.weights import download_weights as fetch

        click.echo(f"weights: {fetch(weights_folder)}")
        return
    if experiment is not None:
        from sgad.config.cards import card_of
        from sgad.config.experiment import load_experiment

        chosen = card_of(card) if card is not None else None
        for line in estimate_experiment(load_experiment(experiment), data, device, chosen):
            click.echo(line)
        return
    click.echo(diagnose(data))
