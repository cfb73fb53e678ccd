"""How alike the layers of a critic and recorded neurons respond to the same images."""

from sgad.analyses.alignment.show import alignment_figure, alignment_table
from sgad.analyses.toolbox.tables import table_per_dataset
from sgad.catalogue import Analysis, FigureKind

ALIGNMENT = Analysis(
    key="alignment",
    title="Alignment with neural responses",
    question="Do the critic's layers respond to images as neurons of the visual cortex do?",
    measure="sgad.analyses.alignment.measure:measure",
    tables=(table_per_dataset("alignment", alignment_table),),
    figures=(
        FigureKind(
            key="alignment",
            title="Alignment of each layer with neural responses; the dashed line is the noise ceiling",
            draw=alignment_figure,
        ),
    ),
    needs_neurons=True,
    place=6,
)
