"""Whether samples are copies of training images."""

from sgad.catalogue import Metric, MetricName

NEAREST_NEIGHBOUR = Metric(
    key="nearest_neighbour",
    label="nearest training neighbour, ratio to test",
    about="pixel distance to the nearest training image over that of test images: 0 for copies",
    higher_is_better=True,
    compute="sgad.measures.memorised:nearest_row",
    names={"pixels": MetricName("nearest_neighbour", "{label}")},
    short={"memorisation": ("pixels",)},
    place=10,
)
