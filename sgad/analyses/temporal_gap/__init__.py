"""How good the image of each time step is, and how it changes from one step to the next."""

from sgad.analyses.temporal_gap.show import temporal_gap_columns, temporal_gap_figure
from sgad.analyses.toolbox.figures import pictures
from sgad.analyses.toolbox.tables import model_table
from sgad.catalogue import Analysis, FigureKind

TEMPORAL_GAP = Analysis(
    key="temporal_gap",
    title="Temporal gap",
    question="Do the images of a clip drift apart over time, and at which step are they closest to the data?",
    measure="sgad.analyses.temporal_gap.measure:measure",
    tables=(model_table("temporal_gap", temporal_gap_columns),),
    figures=(
        FigureKind(
            key="temporal_gap",
            title="Temporal gap: distance to the data and between neighbouring steps, and the weight of new frames",
            draw=temporal_gap_figure,
        ),
        FigureKind(
            key="time_steps",
            title="Samples through time: a sample a row, from the first step to the last",
            draw=pictures("through-time", 5),
        ),
    ),
    pictures=("through-time.png",),
    place=2,
)
