"""One pass of a set of images through a network: options, cache, and the names of the values that come of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sgad.catalogue.metrics import MetricInfo
from sgad.errors import InputError
from sgad.measures.extractors.cache import cache_key, load_features, store_features
from sgad.measures.extractors.features import Extractor, Features, extract, short_hash
from sgad.measures.extractors.networks import Sources
from sgad.measures.extractors.weights import is_published
from sgad.measures.images import EVENT_VIEWS, EventView, ImageSet


@dataclass(frozen=True)
class Options:
    """How to measure.

    `cache`: folder of features by content; `batch_size` None: what the free memory allows; `draws`: the generated images
    are cut into so many sets of fresh latents, measured one by one; `cross_check`: values of Inception once more by
    torch-fidelity and pytorch-fid.
    """

    sources: Sources = field(default_factory=Sources)
    event_view: EventView = "mean"
    batch_size: int | None = None
    cache: Path | None = None
    split: str = ""
    seed: int = 0
    draws: int = 1
    cross_check: bool = False


def features_of(extractor: Extractor, images: ImageSet, content_hash: str, options: Options, *, keep: bool) -> Features:
    """The features of a set, from the cache where it has them; `keep` stores new ones there."""
    key = cache_key(extractor, content_hash)
    if options.cache is not None:
        found = load_features(options.cache, key)
        if found is not None and len(found) == len(images):
            return found
    features = extract(extractor, images, batch_size=options.batch_size)
    if not np.isfinite(features.values).all():
        raise InputError(
            f"{extractor.protocol} gives features that are not finite for {images.name}; give other weights"
        )
    if options.cache is not None and keep:
        store_features(options.cache, key, features)
    return features


def metric_names(items: Sequence[MetricInfo], extractor: Extractor) -> dict[str, str]:
    """The key of each row: the word FID is kept for the published weights, others carry their hash."""
    if not extractor.key.startswith("inception_") or is_published(extractor.sha256):
        return {item.key: item.key for item in items}
    tag = short_hash(extractor.sha256)
    return {item.key: f"{item.key.replace('fid_', 'fd_', 1)}_{tag}" for item in items}


def protocol_text(extractors: Sequence[Extractor], sets: str, event_view: EventView | None = None) -> str:
    """Network, weights of all extractors, resize and mode, how clips became images, which sets were compared."""
    first = extractors[0]
    hashes = "+".join(short_hash(extractor.sha256) for extractor in extractors)
    network = first.protocol.replace(short_hash(first.sha256), hashes)
    view = EVENT_VIEWS[event_view] if event_view is not None else ""
    # Networks of the data set itself name the view that they were trained on, which is the same.
    return "; ".join(part for part in (network, "" if view in network else view, sets) if part)
