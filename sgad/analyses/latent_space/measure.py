"""The latent space: ways between samples, copies of training images, balance of classes, precision and recall."""

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgad.analyses.toolbox.findings import Finding, missing
from sgad.analyses.toolbox.material import Material
from sgad.analyses.toolbox.subject import Floats, Subject
from sgad.analyses.toolbox.yardsticks import ImageSet, Yardsticks
from sgad.images import tile, to_bytes
from sgad.machine.files import atomic_write
from sgad.measures.extractors.features import extract
from sgad.measures.images import ImageSet as StoredImages
from sgad.measures.images import images_of_array
from sgad.measures.mathematics.neighbours import (
    memorisation,
    nearest_distances,
    neighbourhood_scores,
    squared_distances,
)
from sgad.measures.readers import open_labels

PAIRS, WAYPOINTS = 8, 10
PICTURED = 10
QUERIES, BLOCK = 200, 2048
Array = NDArray[np.float64]


def measure(material: Material) -> list[Finding]:
    """The findings of `sgad analyse`."""
    return analyse_latent_space(material.subject, material.yardsticks)


def analyse_latent_space(subject: Subject, yardsticks: Yardsticks) -> list[Finding]:
    """What a run's latent space is like; draws interpolation.png and neighbours.png."""
    made, real = ImageSet("shown", subject.made.shown), ImageSet("data", subject.real)
    labels = open_labels(subject.data, "train", len(subject.stored("train")))
    return [
        *_interpolations(subject),
        *_memorisation(subject),
        *class_balance(subject.made.shown, labels, yardsticks),
        *_neighbourhoods(made, real, yardsticks),
    ]


def _interpolations(subject: Subject) -> list[Finding]:
    ways = interpolate(subject.z[:PAIRS], subject.z[PAIRS : 2 * PAIRS], WAYPOINTS)
    images = subject.images_of(ways.flatten(0, 1)).reshape(PAIRS, WAYPOINTS, *subject.shape)
    with atomic_write(subject.folder / "interpolation.png") as temporary:
        tile(to_bytes(images.reshape(-1, *subject.shape)), columns=WAYPOINTS).save(temporary, format="PNG")
    lengths, jumps = path_lengths(images)
    protocol = (
        f"{PAIRS} great-circle ways between two latents, {WAYPOINTS} images each; pixel distances; mean and range"
    )
    return [
        _spread("path_ratio", lengths, f"{protocol}; length of the way over the distance of its ends"),
        _spread("largest_jump", jumps, f"{protocol}; longest step over the mean step"),
    ]


def _spread(quantity: str, values: Array, protocol: str) -> Finding:
    if not len(values):
        return missing(quantity, "all images are alike", protocol)
    return Finding(
        quantity=quantity,
        value=float(values.mean()),
        low=float(values.min()),
        high=float(values.max()),
        n=len(values),
        protocol=protocol,
    )


def interpolate(start: Tensor, end: Tensor, count: int) -> Tensor:
    """`count` latents on the great circle from `start` to `end` (N, D): (N, count, D), ends included.

    Straight lines would pass through the middle, where a Gaussian of many dimensions has no samples (White 2016).
    """
    along = torch.linspace(0, 1, count, device=start.device)[None, :, None]
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=1).clamp(-1 + 1e-6, 1 - 1e-6)
    angle = torch.arccos(cosine)[:, None, None]
    before = torch.sin((1 - along) * angle) / torch.sin(angle)
    after = torch.sin(along * angle) / torch.sin(angle)
    return before * start[:, None] + after * end[:, None]


def path_lengths(images: Floats) -> tuple[Array, Array]:
    """Return, for ways (P, K, ...) through images, length over distance of the ends, and longest over mean step.

    Ways on which nothing changes are left out.
    """
    flat = images.reshape(*images.shape[:2], -1).astype(np.float64)
    steps = np.linalg.norm(np.diff(flat, axis=1), axis=2)
    ends = np.linalg.norm(flat[:, -1] - flat[:, 0], axis=1)
    moves = (ends > 0) & (steps.sum(axis=1) > 0)
    return steps[moves].sum(axis=1) / ends[moves], steps[moves].max(axis=1) / steps[moves].mean(axis=1)


def _memorisation(subject: Subject) -> list[Finding]:
    training = subject.stored("train").viewed()
    made, held_out = subject.made.shown[:QUERIES], subject.real[:QUERIES]
    _save_neighbours(subject.folder / "neighbours.png", made[:PICTURED], training)
    distances = [nearest_distances(_flat(images), map(_pixels, training.batches(BLOCK))) for images in (made, held_out)]
    protocol = f"Euclidean distance of pixels to the nearest of {len(training)} training images"
    try:
        found = memorisation(*distances)
    except ValueError as error:
        return [missing("nearest_neighbour_ratio", str(error), protocol)]
    return [
        Finding(
            quantity="nearest_neighbour_ratio",
            value=found.ratio,
            n=len(made),
            protocol=f"{protocol}; median of samples over median of held-out images: 0 for copies, 1 for new images",
        ),
        Finding(
            quantity="share_closer",
            value=found.share_closer,
            n=len(made),
            protocol=f"{protocol}; samples nearer than 95 % of held-out images; 0.05 expected of new images",
        ),
    ]


def _flat(images: Floats) -> Array:
    return images.reshape(len(images), -1).astype(np.float64)


def _pixels(images: NDArray[np.uint8]) -> Array:
    return images.reshape(len(images), -1).astype(np.float64) / 255


def _save_neighbours(path: Path, samples: Floats, training: StoredImages) -> None:
    """Draw samples above their nearest training images."""
    nearest = training.read(nearest_indices(_flat(samples), training))
    with atomic_write(path) as temporary:
        tile(np.concatenate([to_bytes(samples), nearest]), columns=len(samples)).save(temporary, format="PNG")


def nearest_indices(queries: Array, training: StoredImages) -> NDArray[np.intp]:
    """The index (m,) of the training image nearest to each query (m, pixels in [0, 1])."""
    best = np.full(len(queries), np.inf)
    index = np.zeros(len(queries), np.intp)
    start = 0
    for block in training.batches(BLOCK):
        distances = squared_distances(queries, _pixels(block))
        nearest = distances.argmin(axis=1)
        closer = distances[np.arange(len(queries)), nearest] < best
        index[closer] = start + nearest[closer]
        best = np.minimum(best, distances.min(axis=1))
        start += len(block)
    return index


def class_balance(images: Floats, labels: NDArray[np.int64] | None, yardsticks: Yardsticks) -> list[Finding]:
    """Each class's share among images by the data set's classifiers, beside its share in training.

    class_entropy is that of the shares over that of equal shares: 1 balanced, 0 one class only.
    """
    extractors = yardsticks.networks.get("classifier", [])
    if not extractors or labels is None:
        return [missing("class_share", "the data set has no classifier; run `sgad classifier`")]
    stored = images_of_array(to_bytes(images), name="samples")
    scores = [extract(extractor, stored).logits for extractor in extractors]
    summed = np.sum([_softmax(np.asarray(logits, np.float64)) for logits in scores if logits is not None], axis=0)
    classes = summed.shape[1]
    shares = np.bincount(summed.argmax(axis=1), minlength=classes) / len(images)
    wanted = np.bincount(labels, minlength=classes) / len(labels)
    protocol = f"class of the largest mean probability of {len(extractors)} classifiers"
    rows = [
        Finding(quantity="class_share", part=part, position=float(index), value=float(share), n=n, protocol=protocol)
        for part, values, n in (("generated", shares, len(images)), ("training", wanted, len(labels)))
        for index, share in enumerate(values)
    ]
    occupied = shares[shares > 0]
    entropy = abs(float(-(occupied * np.log(occupied)).sum())) / math.log(classes)
    distance = float(np.abs(shares - wanted).sum()) / 2
    return [
        *rows,
        Finding(quantity="class_entropy", value=entropy, n=len(images), protocol=protocol),
        Finding(
            quantity="class_distance",
            value=distance,
            n=len(images),
            protocol=f"{protocol}; total variation to training",
        ),
    ]


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _neighbourhoods(made: ImageSet, real: ImageSet, yardsticks: Yardsticks) -> list[Finding]:
    """Precision, recall, density and coverage by the data set's classifiers."""
    extractors = yardsticks.networks.get("classifier", [])
    if not extractors:
        return [missing("precision", "the data set has no classifier; run `sgad classifier`")]
    scores = [
        neighbourhood_scores(a, b)
        for a, b in zip(made.features("classifier", extractors), real.features("classifier", extractors), strict=True)
    ]
    protocol = f"classifier features, {len(made.images)} images a side, neighbours 3 and 5; mean and range of networks"
    return [
        _spread(name, np.array([getattr(score, name) for score in scores]), protocol)
        for name in ("precision", "recall", "density", "coverage")
    ]
