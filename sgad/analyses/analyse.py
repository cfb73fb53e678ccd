"""The analyse stage: a trained run to analyses/NAME.csv, and pictures in its folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sgad.analyses.toolbox.findings import FOLDER, Finding, missing, write_findings
from sgad.config.experiment import ANALYSES
from sgad.errors import InputError, require_choice
from sgad.runs.record import FILE_NAME as RECORD
from sgad.runs.record import read_record

if TYPE_CHECKING:
    from sgad.sampling import Statistics


@dataclass(frozen=True)
class AnalyseRequest:
    """What the analyse stage is asked to do.

    `neurons`: recorded responses, for `alignment`. `statistics`: those of batch norm, None for the run's own.
    """

    folder: Path
    data: Path
    analyses: tuple[str, ...]
    num: int = 1000
    neurons: Path | None = None
    device: str = "cpu"
    statistics: "Statistics | None" = None


def analyse_run(request: AnalyseRequest) -> Path:
    """Analyse one run folder and write analyses/NAME.csv into it; return that folder.

    Raises
    ------
    InputError
        If an analysis is unknown, the run or its data set is absent, or recorded responses are missing.
    """
    for name in request.analyses:
        require_choice("analyses", name, ANALYSES)
    if "alignment" in request.analyses and request.neurons is None:
        raise InputError("alignment needs recorded responses; give --neurons FILE (docs/claims.md says which files)")
    path = request.folder / FOLDER
    reason = _why_nothing(request.folder)
    if reason:
        write_findings(path, {name: [missing(name, reason)] for name in request.analyses})
    else:
        write_findings(path, _findings(request))
    return path


def _why_nothing(folder: Path) -> str:
    """Return why a run has no networks to look at, or an empty string."""
    if not (folder / RECORD).is_file():
        raise InputError(f"{folder / RECORD} does not exist; train the run first")
    record = read_record(folder)
    return f"run failed: {record.reason}" if record.status == "failed" else ""


def _findings(request: AnalyseRequest) -> dict[str, list[Finding]]:
    from sgad.analyses.alignment.measure import analyse_alignment
    from sgad.analyses.alignment.neurons import read_neurons
    from sgad.analyses.domain_gap.measure import analyse_domain_gap
    from sgad.analyses.energy.measure import analyse_energy
    from sgad.analyses.events.measure import analyse_events
    from sgad.analyses.latent_space.measure import analyse_latent_space
    from sgad.analyses.temporal_gap.measure import analyse_temporal_gap
    from sgad.analyses.toolbox.subject import Subject
    from sgad.analyses.toolbox.yardsticks import load_yardsticks

    subject = Subject(request.folder, request.data, request.num, request.device, request.statistics)
    yardsticks = load_yardsticks(request.data, request.device)
    run: dict[str, Callable[[], Sequence[Finding]]] = {
        "domain_gap": lambda: analyse_domain_gap(subject, yardsticks),
        "temporal_gap": lambda: analyse_temporal_gap(subject, yardsticks),
        "energy": lambda: analyse_energy(subject),
        "events": lambda: analyse_events(subject, yardsticks),
        "latent_space": lambda: analyse_latent_space(subject, yardsticks),
        "alignment": lambda: analyse_alignment(subject, read_neurons(_given(request.neurons))),
    }
    return {name: list(run[name]()) for name in request.analyses}


def _given(path: Path | None) -> Path:
    assert path is not None, "checked at the door"
    return path
