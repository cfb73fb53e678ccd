"""Inception score, and the same of the data set's classifiers (CCS)."""

from typing import TYPE_CHECKING

from sgad.catalogue import Metric, MetricName
from sgad.measures.estimate import Estimate

if TYPE_CHECKING:
    from sgad.measures.quantities import Comparison

#: Chunks of the score: ten for Inception, as everywhere; one for ten-class scores, which chunks only bias.
INCEPTION_CHUNKS = 10


def score(data: "Comparison") -> Estimate:
    """Exp of the mean KL divergence between an image's classes and those of all images."""
    from sgad.measures.mathematics.inception_score import inception_score

    logits = data.generated.logits
    if logits is None:
        raise ValueError("this network has no classes, so it gives no score")
    if data.network == "classifier":
        found = inception_score(logits, chunks=1, seed=None)
        return Estimate(found.whole, method="one chunk", details={"classes": logits.shape[1]})
    found = inception_score(logits, chunks=INCEPTION_CHUNKS)
    low, high = found.mean - found.deviation, found.mean + found.deviation
    details = {"deviation_over_chunks": found.deviation, "one_chunk": found.whole, "classes": logits.shape[1]}
    return Estimate(found.mean, low, high, f"{INCEPTION_CHUNKS} chunks, shuffled with seed 2020", details)


SCORE = Metric(
    key="score",
    label="score",
    about="how sure and how varied the predicted classes are: is (Inception), ccs (classifier of the data set)",
    higher_is_better=True,
    compute=score,
    decimals=3,
    names={
        "classifier": MetricName("ccs", "CCS", decimals=2),
        "inception": MetricName("is_{network}", "IS ({where})"),
    },
    short={"is": "inception", "isc": "inception", "inception_score": "inception"},
    place=3,
)
