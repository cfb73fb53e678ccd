"""What a critic is shown next to what a person is shown, and next to the data."""

from sgad.analyses.domain_gap.show import domain_gap_columns, domain_gap_figure, pixel_values_figure
from sgad.analyses.toolbox.tables import model_table
from sgad.catalogue import Analysis, FigureKind

DOMAIN_GAP = Analysis(
    key="domain_gap",
    title="Domain gap",
    question="How far is what the critic is shown from what a person is shown, and from the data?",
    measure="sgad.analyses.domain_gap.measure:measure",
    tables=(model_table("domain_gap", domain_gap_columns),),
    figures=(
        FigureKind(
            key="domain_gap",
            title="Domain gap: distance between what the critic is shown, what a person is shown, and the data",
            draw=domain_gap_figure,
        ),
        FigureKind(
            key="pixel_values",
            title="Pixel values: shares of all values, of what the critic is shown, of what a person is shown, of data",
            draw=pixel_values_figure,
        ),
    ),
    place=1,
)
