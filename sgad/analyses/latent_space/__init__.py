"""Ways between samples, copies of training images, balance of classes, precision and recall."""

from sgad.analyses.latent_space.show import classes_figure, latent_space_columns
from sgad.analyses.toolbox.figures import pictures
from sgad.analyses.toolbox.tables import model_table
from sgad.catalogue import Analysis, FigureKind

LATENT_SPACE = Analysis(
    key="latent_space",
    title="Latent space",
    question="Are samples copies of training images, do they cover all classes, and are ways between them smooth?",
    measure="sgad.analyses.latent_space.measure:measure",
    tables=(model_table("latent_space", latent_space_columns),),
    figures=(
        FigureKind(
            key="interpolations",
            title="Ways between latents: a way a row, along great circles",
            draw=pictures("interpolation", 4),
        ),
        FigureKind(
            key="neighbours",
            title="Samples (upper row) and their nearest training images (lower row)",
            draw=pictures("neighbours", 2),
        ),
        FigureKind(
            key="classes",
            title="Classes of samples, as the data set's classifiers see them; the line is the training set",
            draw=classes_figure,
        ),
    ),
    pictures=("interpolation.png", "neighbours.png"),
    place=5,
)
