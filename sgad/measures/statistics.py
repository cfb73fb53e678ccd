"""A reference known by its statistics alone: an .npz with `mu` (d,) and `sigma` (d, d), as others publish them."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sgad.errors import InputError
from sgad.machine.files import sha256_of
from sgad.measures.extractors import short_hash
from sgad.measures.frechet import frechet_distance
from sgad.measures.images import EventView, ImageSet
from sgad.measures.moments import Array, moments_of
from sgad.measures.networks import Missing, load_network
from sgad.measures.passes import Options, features_of, metric_names, protocol_text
from sgad.measures.plan import Wanted
from sgad.measures.quantities import Comparison, Estimate, combine
from sgad.measures.rows import Row, computed_row, empty_row, missing_row


@dataclass(frozen=True)
class Statistics:
    """Published mean (d,) and covariance (d, d) of a reference set, of unknown number of images."""

    path: Path
    sha256: str
    mean: Array
    covariance: Array


def read_statistics(path: Path) -> Statistics | None:
    """Return the statistics in an .npz that holds `mu` and `sigma`; None for any other file or folder.

    Raises
    ------
    InputError
        If their shapes do not fit each other.
    """
    if path.suffix != ".npz" or not path.is_file():
        return None
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            if not {"mu", "sigma"} <= set(archive.files):
                return None
            mean, covariance = (np.asarray(archive[key], np.float64) for key in ("mu", "sigma"))
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile):
        # Whatever it is: the reader of images names what is wrong with it.
        return None
    if mean.ndim != 1 or covariance.shape != (mean.size, mean.size):
        raise InputError(f"{path} has mu {mean.shape} and sigma {covariance.shape}; they must be (d,) and (d, d)")
    return Statistics(path, sha256_of(path), mean, covariance)


def measure_against_statistics(
    samples: ImageSet, statistics: Statistics, wanted: Sequence[Wanted], options: Options
) -> dict[str, Any]:
    """Return metrics.json's content where only a Frechet distance, or a score, can be computed."""
    if options.draws > 1:
        raise InputError(f"{statistics.path} holds statistics only; give the reference images to measure with draws")
    images = samples.viewed(options.event_view)
    event_view = options.event_view if samples.is_events else None
    if len(images) < 2:
        raise InputError(f"{images.name} has {len(images)} image(s); a distribution needs at least 2")
    content = images.content_hash()
    rows = {
        item.metric: row
        for network in dict.fromkeys(item.network for item in wanted)
        for item, row in _rows(network, wanted, images, content, statistics, options, event_view)
    }
    return {
        "samples": {"path": samples.name, "sha256": content, "n": len(images)},
        "reference": {"name": str(statistics.path), "split": "", "n": None, "sha256": statistics.sha256},
        "metrics": [rows[item.metric] for item in wanted],
    }


def _rows(
    network: str,
    wanted: Sequence[Wanted],
    images: ImageSet,
    content: str,
    statistics: Statistics,
    options: Options,
    event_view: EventView | None,
) -> list[tuple[Wanted, Row]]:
    items = [item for item in wanted if item.network == network]
    if not any(item.quantity in ("frechet", "score") for item in items):
        return [(item, _needs_images(item, network)) for item in items]
    try:
        extractors = load_network(network, options.sources)
    except Missing as missing:
        return [(item, missing_row(item, missing)) for item in items]
    features = [features_of(extractor, images, content, options, keep=extractor.is_slow) for extractor in extractors]
    names = metric_names(items, extractors[0])
    sets = f"statistics {statistics.path.name} {short_hash(statistics.sha256)}; n={len(images)} generated"
    text = protocol_text(extractors, sets, event_view)
    rows = []
    for item in items:
        if item.quantity not in ("frechet", "score"):
            rows.append((item, _needs_images(item, text)))
            continue
        try:
            estimate = combine([_estimate(item, found, statistics) for found in features])
            rows.append((item, computed_row(names[item.metric], estimate, len(images), text)))
        except ValueError as error:
            rows.append((item, empty_row(names[item.metric], len(images), text, f"not computed: {error}", {})))
    return rows


def _needs_images(item: Wanted, text: str) -> Row:
    remedy = {"remedy": "give the reference images themselves"}
    return empty_row(item.metric, 0, text, "not computed: the reference holds statistics only", remedy)


def _estimate(item: Wanted, features: Any, statistics: Statistics) -> Estimate:
    if item.quantity == "score":
        return Comparison(features, features, item.network).estimate("score")
    own = moments_of(features.values)
    width = own.mean.size
    if width != statistics.mean.size:
        raise ValueError(f"{statistics.path.name} is of {statistics.mean.size} features, this network has {width}")
    value = frechet_distance(own.mean, own.covariance, statistics.mean, statistics.covariance)
    details = {"features": width, "rank_deficient": own.is_rank_deficient}
    return Estimate(value, method="float64, singular values of covariance factors", details=details)
