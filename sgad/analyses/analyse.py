"""The analyse stage: a trained run to analyses/NAME.csv, and pictures in its folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sgad.analyses.toolbox.findings import FOLDER, Finding, missing, write_findings
from sgad.catalogue import Analysis
from sgad.catalogue.declarations import function_of
from sgad.catalogue.lookup import analysis_of
from sgad.errors import InputError
from sgad.machine.files import require_writable
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
    wanted = [analysis_of(name) for name in request.analyses]
    without = [analysis.key for analysis in wanted if analysis.needs_neurons]
    if without and request.neurons is None:
        raise InputError(
            f"{without[0]} needs recorded responses; give --neurons FILE (docs/claims.md says which files)"
        )
    path = request.folder / FOLDER
    require_writable(path)
    reason = _why_nothing(request.folder)
    if reason:
        write_findings(path, {name: [missing(name, reason)] for name in request.analyses})
    else:
        write_findings(path, _findings(request, wanted))
    return path


def _why_nothing(folder: Path) -> str:
    """Why a run has no networks to look at, or an empty string."""
    if not (folder / RECORD).is_file():
        raise InputError(f"{folder / RECORD} does not exist; train the run first")
    record = read_record(folder)
    return f"run failed: {record.reason}" if record.status == "failed" else ""


def _findings(request: AnalyseRequest, wanted: list[Analysis]) -> dict[str, list[Finding]]:
    from sgad.analyses.toolbox.material import Material
    from sgad.analyses.toolbox.subject import Subject

    subject = Subject(request.folder, request.data, request.num, request.device, request.statistics)
    material = Material(subject, request.device, request.neurons)
    return {analysis.key: list(function_of(analysis.measure)(material)) for analysis in wanted}
