"""Measures from Python: one call for two sets of images, and an object that takes batches.

>>> import numpy as np
>>> from sgad.measures import measure
>>> random = np.random.default_rng(0)
>>> real, fake = random.integers(0, 256, (2, 40, 1, 8, 8), np.uint8)
>>> found = measure(fake, real, ["kid", "precision"])
>>> round(found["precision_pixels"].value, 3), found["kid_pixels"].protocol
(0.9, 'pixels, 0..1; reference; n=40 generated, 40 reference; cubic kernel, all pairs, unbiased, +- jackknife standard error')
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from sgad.catalogue.metrics import MetricInfo, plan
from sgad.data.values import ValueRange
from sgad.errors import InputError
from sgad.measures.extractors.features import Extractor, Features
from sgad.measures.extractors.networks import Missing, Sources, load_network
from sgad.measures.images import images_of_array
from sgad.measures.quantities import Comparison, combine
from sgad.measures.rows import Row
from sgad.measures.stage import Settings, measure_any, sort_weights

#: What two sets of images can be asked without any weights.
WITHOUT_WEIGHTS = ("kid", "prdc", "nearest")


@dataclass(frozen=True)
class Measurement:
    """One metric: `value` is None if it could not be computed, and `status` says why."""

    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    protocol: str
    status: str
    details: Mapping[str, Any]

    def __float__(self) -> float:
        if self.value is None:
            raise ValueError(f"{self.metric} has no value: {self.status}")
        return self.value


class Measurements(Mapping[str, Measurement]):
    """Metrics by their keys; `document` is what `sgad measure` writes into metrics.json."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._rows: dict[str, Row] = {row["metric"]: row for row in document["metrics"]}

    def __getitem__(self, metric: str) -> Measurement:
        return Measurement(**self._rows[metric])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"Measurements({ {key: row['value'] for key, row in self._rows.items()} })"


def measure(
    samples: Any, reference: Any, measures: Sequence[str] = WITHOUT_WEIGHTS, **settings: Unpack[Settings]
) -> Measurements:
    """Compare generated images with reference images.

    `samples` and `reference`: arrays or tensors (N, C, H, W) of uint8, or of floats with `value_range` ("unit", "symmetric"
    or "byte"); or paths of folders, .npz and .npy files, run folders; the reference may be a prepared data set's folder,
    or an .npz of statistics. `measures`: as for `sgad measure`. `extractor`: "pixels" (the default where nothing else is
    given), a shipped classifier ("mnist", "fashion_mnist", "cifar10"), "inception", "classifier", "fad", or the path of
    weights. Further settings: see `Settings`.

    Raises
    ------
    InputError
        If a measure or an extractor is unknown, or the images cannot be compared.
    """
    return Measurements(measure_any(samples, reference, measures, **settings))


class StreamedMeasures:
    """Measures of images that come in batches, as torchmetrics' users know it: update, compute, reset.

    Keeps features, not images. `sgad.measures.torchmetrics.ImageMeasures` is the same as a `torchmetrics.Metric`.

    >>> import numpy as np
    >>> from sgad.measures import StreamedMeasures
    >>> random, streamed = np.random.default_rng(0), StreamedMeasures(["kid"])
    >>> for _ in range(4):
    ...     streamed.update(random.integers(0, 256, (10, 1, 8, 8), np.uint8), real=True)
    ...     streamed.update(random.integers(0, 256, (10, 1, 8, 8), np.uint8), real=False)
    >>> sorted(streamed.compute())
    ['kid_pixels']
    """

    def __init__(
        self,
        measures: Sequence[str] = WITHOUT_WEIGHTS,
        *,
        extractor: str = "pixels",
        value_range: ValueRange | None = None,
        device: str = "cpu",
        protocol: str = "clean",
    ) -> None:
        self._value_range = value_range
        self._wanted, self._extractors = prepared(measures, extractor, protocol, device)
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._seen: dict[bool, list[list[Features]]] = {real: [[] for _ in self._extractors] for real in (True, False)}

    def update(self, images: Any, *, real: bool) -> None:
        """Add a batch (B, C, H, W) of reference (`real`) or generated images."""
        for kept, found in zip(
            self._seen[real], features_of_batch(self._extractors, images, self._value_range), strict=True
        ):
            kept.append(found)

    def compute(self) -> dict[str, float]:
        """Compute the values by metric, of all images so far.

        Raises
        ------
        ValueError
            If there are too few images for a measure.
        """
        joined = {real: [_joined(kept) for kept in parts] for real, parts in self._seen.items()}
        return values_of(self._wanted, joined[False], joined[True])


def prepared(
    measures: Sequence[str], extractor: str, protocol: str, device: str
) -> tuple[list[MetricInfo], list[Extractor]]:
    """The metrics of one network and its extractors, ready for batches.

    Raises
    ------
    InputError
        If the weights are absent, or the measures need several networks, training images or batches of a fixed size.
    """
    given, name = sort_weights(None, extractor)
    wanted = plan(measures, name, protocol)
    networks = {item.network for item in wanted}
    if len(networks) > 1 or any(item.split or item.quantity == "nearest_neighbour" for item in wanted):
        raise InputError(f"measures {', '.join(measures)} cannot be streamed together; take those of one network")
    try:
        extractors = load_network(networks.pop(), Sources(device=device, **given))
    except Missing as missing:
        raise InputError(f"{missing.reason}; {missing.remedy}") from None
    if any(extractor.fixed_batch for extractor in extractors):
        raise InputError(
            f"{wanted[0].key} depends on batches of a fixed size in order, so it cannot be streamed; take fad_eval"
        )
    return wanted, extractors


def features_of_batch(extractors: Sequence[Extractor], images: Any, value_range: ValueRange | None) -> list[Features]:
    """The features of one batch (B, C, H, W) by each extractor."""
    batch = images_of_array(images, value_range)
    pixels = batch.read(np.arange(len(batch)))
    return [Features(*extractor.compute(pixels)) for extractor in extractors]


def values_of(
    wanted: Sequence[MetricInfo], generated: Sequence[Features], reference: Sequence[Features]
) -> dict[str, float]:
    """The values of one network's metrics, the mean over its extractors."""
    pairs = [Comparison(fake, real, wanted[0].network) for fake, real in zip(generated, reference, strict=True)]
    return {item.key: combine([pair.estimate(item.quantity) for pair in pairs]).value for item in wanted}


def _joined(parts: Sequence[Features]) -> Features:
    if not parts:
        raise ValueError("no images yet; call update with real=True and with real=False before compute")
    logits = [part.logits for part in parts if part.logits is not None]
    return Features(np.concatenate([part.values for part in parts]), np.concatenate(logits) if logits else None)
