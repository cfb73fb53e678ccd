"""Tables of the analyses: one per claim and data set, a row a model and variant."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sgad.display.captions import dataset_title
from sgad.display.findings import Seen, analysis_caption, at_position, findings, looked_at, models_of, seen
from sgad.display.formats import ABSENT, Cell, Column, Table, to_csv
from sgad.store.stored import ANALYSIS_COLUMNS, Stored, model_title

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Shown:
    """One column: which quantity of which part, how many decimals, and a factor for its unit."""

    heading: str
    quantity: str
    part: str | None = None
    decimals: int = 2
    scale: float = 1.0
    position: float | None = None
    group: str = ""


PIXELS = "pixels"
YARDSTICKS = {"classifier": "CFD", "fad_eval": "FAD (eval)", PIXELS: "pixel W1"}
_GAPS = {
    "critic_to_shown": "critic against shown",
    "critic_to_data": "critic against data",
    "shown_to_data": "shown against data",
}
_DECIMALS = {"classifier": 2, "fad_eval": 1, "pixels": 3}


def domain_gap_columns(frame: "pd.DataFrame") -> list[Shown]:
    """Distances between critic's and person's images and the data, by each yardstick; mean over steps."""
    columns = [
        Shown(YARDSTICKS[part], quantity, part, _DECIMALS[part], group=group)
        for quantity, group in _GAPS.items()
        for part in YARDSTICKS
        if (frame["part"] == part).any()
    ]
    return [
        *columns,
        Shown("critic", "on_lattice", "critic", 3, group="pixels on k/T"),
        Shown("shown", "on_lattice", "shown", 3, group="pixels on k/T"),
    ]


def temporal_gap_columns(frame: "pd.DataFrame") -> list[Shown]:
    """Quality at each step, change between steps, weight of the new frame."""
    last = int(frame["position"].max()) if frame["position"].notna().any() else 0
    # By the data set's classifiers, or what there is instead.
    part = next((name for name in ("classifier", "fad_eval") if (frame["part"] == name).any()), PIXELS)
    label, decimals = YARDSTICKS[part], _DECIMALS[part]
    steps = [
        Shown(f"t = {step}", "step_to_data", part, decimals, position=float(step), group=f"{label} to data")
        for step in range(1, last + 1)
    ]
    return [
        Shown("temporal inconsistency", "temporal_inconsistency", "pixels", 4),
        Shown("clips of data", "clip_change", "data", 4),
        Shown(f"{label} between neighbours", "neighbour_distance", part, decimals),
        *steps,
        *[
            Shown(f"t = {step}", "new_share", "", 3, position=float(step), group="weight b of the new frame")
            for step in range(2, last + 1)
            if not at_position(frame[frame["quantity"] == "new_share"], step).empty
        ],
    ]


def energy_columns(frame: "pd.DataFrame") -> list[Shown]:
    """Rates, operations in millions, and microjoules of generator and critic."""
    columns = []
    for network in ("generator", "critic"):
        columns += [
            Shown("SOPs [M]", "synaptic_operations", f"{network}/all", 3, 1e-6, group=network),
            Shown("MACs [M]", "multiply_accumulates", f"{network}/all", 3, 1e-6, group=network),
            Shown("energy [µJ]", "energy_nanojoule", f"{network}/all", 3, 1e-3, group=network),
            Shown("as analog layers [µJ]", "analog_energy_nanojoule", f"{network}/all", 3, 1e-3, group=network),
        ]
    return columns


def events_columns(frame: "pd.DataFrame") -> list[Shown]:
    """Balance and number of events, frames beside real ones."""
    return [
        Shown("ON share", "on_share", "generated", 3),
        Shown("ON share, real", "on_share", "real", 3),
        Shown("events over real", "rate_ratio", "generated", 3),
        Shown("CFD of frames", "frame_distance", "classifier"),
        Shown("pixel W1 of frames", "frame_distance", "pixels", 4),
    ]


def latent_space_columns(frame: "pd.DataFrame") -> list[Shown]:
    """Copies, classes, coverage, smoothness."""
    return [
        Shown("nearest neighbour ratio", "nearest_neighbour_ratio", None, 3),
        Shown("share closer than 95 % of held-out", "share_closer", None, 3),
        Shown("class entropy", "class_entropy", None, 3),
        Shown("class distance", "class_distance", None, 3),
        Shown("precision", "precision", None, 3),
        Shown("recall", "recall", None, 3),
        Shown("density", "density", None, 3),
        Shown("coverage", "coverage", None, 3),
        Shown("length of ways", "path_ratio"),
        Shown("largest jump", "largest_jump"),
    ]


TITLES = {
    "domain_gap": "Domain gap",
    "temporal_gap": "Temporal gap",
    "energy": "Spikes and energy of one image",
    "events": "Event clips",
    "latent_space": "Latent space",
    "alignment": "Alignment with neural responses",
}
COLUMNS: dict[str, Callable[["pd.DataFrame"], list[Shown]]] = {
    "domain_gap": domain_gap_columns,
    "temporal_gap": temporal_gap_columns,
    "energy": energy_columns,
    "events": events_columns,
    "latent_space": latent_space_columns,
}


def analysis_tables(stored: Stored, analysis: str) -> list[Table]:
    """Return the analysis's table of each data set for which there is anything to show."""
    build = alignment_table if analysis == "alignment" else _model_table
    datasets = dict.fromkeys(stored.runs["dataset"])
    tables = [build(stored, analysis, dataset) for dataset in datasets]
    return [table for table in tables if table.blocks[0][1]]


def _model_table(stored: Stored, analysis: str, dataset: str) -> Table:
    frame = findings(stored, analysis, dataset)
    shown = [column for column in COLUMNS[analysis](frame) if _has(frame, column)]
    rows = [
        [
            Cell(model_title(stored.captions, model)),
            Cell(variant),
            *(Cell(_look(frame, column, model, variant).text(column.decimals, column.scale)) for column in shown),
        ]
        for model, variant in models_of(frame if frame.empty else looked_at(stored, analysis, dataset))
    ]
    columns = [Column("model"), Column("variant")]
    columns += [Column(column.heading, column.group, is_number=True) for column in shown]
    quantities = [column.quantity for column in shown]
    return _table(stored, analysis, dataset, columns, rows, quantities)


def _has(frame: "pd.DataFrame", column: Shown) -> bool:
    rows = frame[frame["quantity"] == column.quantity]
    return bool((rows["part"] == column.part).any()) if column.part is not None else not rows.empty


def _look(frame: "pd.DataFrame", column: Shown, model: str, variant: str) -> Seen:
    rows = frame if column.position is None else at_position(frame, column.position)
    return seen(rows, model, variant, column.quantity, column.part)


def _table(
    stored: Stored, analysis: str, dataset: str, columns: list[Column], rows: list[list[Cell]], quantities: list[str]
) -> Table:
    return Table(
        key=f"{analysis.replace('_', '-')}-{dataset}",
        title=f"{TITLES[analysis]} on {dataset_title(stored.captions, dataset)}",
        columns=columns,
        blocks=[("", rows)],
        caption=analysis_caption(stored, analysis, dataset, quantities),
    )


SCORES = {"rsa": "RSA", "cka": "CKA", "svcca": "SVCCA", "regression": "regression"}


def alignment_table(stored: Stored, analysis: str, dataset: str) -> Table:
    """Return a row a model and layer: each score with its p value; the noise ceilings above them."""
    frame = findings(stored, analysis, dataset)
    rows: list[list[Cell]] = []
    for model, variant in models_of(frame):
        own = frame[(frame["model"] == model) & (frame["variant"] == variant)]
        if not rows:
            ceilings = [seen(own, model, variant, f"{score}_ceiling").text(3) for score in SCORES]
            cells = [Cell(text) for ceiling in ceilings for text in (ceiling, ABSENT)]
            rows.append([Cell("noise ceiling"), Cell(ABSENT), Cell(ABSENT), *cells])
        for layer in dict.fromkeys(own[own["quantity"] == "rsa"]["part"]):
            cells = []
            for score in SCORES:
                cells.append(Cell(seen(own, model, variant, score, layer).text(3)))
                cells.append(Cell(seen(own, model, variant, f"{score}_p", layer).text(3)))
            rows.append([Cell(model_title(stored.captions, model)), Cell(variant), Cell(layer), *cells])
    columns = [Column("model"), Column("variant"), Column("layer")]
    for label in SCORES.values():
        columns += [Column("score", label, is_number=True), Column("p", label, is_number=True)]
    return _table(stored, analysis, dataset, columns, rows, list(SCORES))


def analysis_csv(stored: Stored, analysis: str) -> str:
    """Return every row of an analysis in full precision, those without a value, too."""
    frame = stored.analyses
    if frame is None:
        return to_csv(ANALYSIS_COLUMNS, [])
    here = frame[frame["analysis"] == analysis]
    return to_csv(ANALYSIS_COLUMNS, here[list(ANALYSIS_COLUMNS)].to_numpy().tolist())
