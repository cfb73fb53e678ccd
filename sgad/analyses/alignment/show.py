"""The table and figure of neural alignment."""

from typing import TYPE_CHECKING

from sgad.analyses.toolbox.figures import MARKERS
from sgad.analyses.toolbox.tables import table_of_rows
from sgad.display.findings import findings, models_of, seen
from sgad.display.formats import ABSENT, Cell, Column, Table
from sgad.display.labels import model_labels
from sgad.display.plotting import PAGE, line_legend, line_styles, new_figure
from sgad.store.stored import Stored, model_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SCORES = {"rsa": "RSA", "cka": "CKA", "svcca": "SVCCA", "regression": "regression"}


def alignment_table(stored: Stored, dataset: str) -> Table:
    """A row a model and layer: each score with its p value; the noise ceilings above them."""
    frame = findings(stored, "alignment", dataset)
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
    return table_of_rows(stored, "alignment", dataset, columns, rows, list(SCORES))


def alignment_figure(stored: Stored, dataset: str) -> "Figure | None":
    """Each score of each layer, a line a model, with the noise ceiling."""
    frame = findings(stored, "alignment", dataset)
    if frame.empty:
        return None
    labels = model_labels(frame, stored.captions)
    layers = list(dict.fromkeys(frame[frame["quantity"] == "rsa"]["part"]))
    figure, axes = new_figure(1, len(SCORES), PAGE, 2.1, left=0.06, right=0.985, bottom=0.3, top=0.78, wspace=0.25)
    styles = line_styles(list(labels.values()), MARKERS)
    for ax, (score, title) in zip(axes[0], SCORES.items(), strict=True):
        for (model, variant), label in labels.items():
            means = [seen(frame, model, variant, score, layer).mean for layer in layers]
            ax.plot(range(len(layers)), means, **styles[label], lw=0.9)
        ceilings = frame[frame["quantity"] == f"{score}_ceiling"]["value"]
        if len(ceilings):
            ax.axhline(float(ceilings.iloc[0]), color="#444444", linestyle=(0, (4, 2)), lw=0.8)
        ax.set_title(title)
        ax.set_xticks(range(len(layers)), layers, rotation=35, ha="right")
    line_legend(figure, styles)
    return figure
