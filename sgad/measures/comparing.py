"""Generated images against a reference: one pass through each feature network, a row for each metric."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sgad.catalogue.metrics import NEAREST, VALID, MetricInfo, plan
from sgad.catalogue.networks import INCEPTION
from sgad.data.values import ValueRange
from sgad.errors import InputError
from sgad.measures.extractors.networks import Missing, load_network
from sgad.measures.extractors.weights import find_inception_weights
from sgad.measures.images import EventView, ImageSet, as_channels, images_of_array, require_comparable
from sgad.measures.memorised import nearest_row
from sgad.measures.passes import Options, features_of, metric_names, protocol_text
from sgad.measures.quantities import combine, over_draws
from sgad.measures.reference import Comparable, ImageReference, Reference, StatisticsReference
from sgad.measures.rows import Row, computed_row, empty_row, missing_row

#: Generated images of the published protocols: 20 batches of 256, 40 of 250.
GENERATED = {"fad_fsvae": 5120, "fad_fsddim": 10_000}


@dataclass(frozen=True)
class _Sets:
    """The images of one measurement, event clips already as still images, and what they are compared with."""

    samples: ImageSet
    samples_hash: str
    reference: Reference
    training: ImageSet | None = None
    samples_are_training: bool = False
    #: How event clips became these images; None if they were images all along.
    event_view: EventView | None = None


def measure_images(
    samples: Any,
    reference: Any,
    measures: Sequence[str],
    *,
    extractor: str | None = None,
    protocol: str = "clean",
    value_range: ValueRange | None = None,
    training: ImageSet | None = None,
    valid: ImageSet | None = None,
    samples_are_training: bool = False,
    options: Options | None = None,
) -> dict[str, Any]:
    """Compare generated images with a reference: the content of metrics.json.

    `samples` and `reference` are image sets (`open_images`), or arrays and tensors (N, C, H, W): uint8, or floats of the
    declared `value_range`; the reference may also be statistics (`read_statistics`). One pass through each network gives
    all its quantities. What cannot be computed here becomes a row without value that says why and what fixes it.
    `training` is needed for `nearest_neighbour` only, `valid` for the measures against held-out images (`fad_val`).

    Raises
    ------
    InputError
        If a measure is unknown or the images cannot be compared.
    """
    options = options or Options()
    wanted = plan(measures, extractor, protocol)
    generated = _as_set(samples, value_range, "samples")
    known = reference if isinstance(reference, StatisticsReference) else _as_set(reference, value_range, "reference")
    sets = _sets(generated, known, training, options.event_view, samples_are_training)
    if options.draws > 1 and len(sets.samples) < 2 * options.draws:
        raise InputError(
            f"{sets.samples.name} has {len(sets.samples)} images, too few for {options.draws} draws of at least 2;"
            " draw more images or ask for fewer draws"
        )
    if options.cross_check:
        require_checkable(sets.reference, options)
    rows: dict[str, Row] = {}
    for network, split in dict.fromkeys((item.network, item.split) for item in wanted):
        items = [item for item in wanted if (item.network, item.split) == (network, split)]
        if split != VALID:
            rows |= _rows_of_network(network, items, sets, options)
        elif valid is None:
            rows |= {item.key: missing_row(item, _NO_VALID) for item in items}
        else:
            rows |= _rows_of_network(network, items, _against(valid, sets, options), replace(options, split=VALID))
    return {
        "samples": {"path": sets.samples.name, "sha256": sets.samples_hash, "n": len(sets.samples)},
        "reference": sets.reference.document() | {"split": options.split},
        "metrics": [rows[item.key] for item in wanted],
    }


_NO_VALID = Missing("only a prepared data set has held-out training images", "give --dataset NAME")


def _against(valid: ImageSet, sets: _Sets, options: Options) -> _Sets:
    """The sets with the held-out images as the reference."""
    images = valid.viewed(options.event_view)
    return replace(sets, reference=ImageReference(images, images.content_hash()))


def _as_set(images: Any, value_range: ValueRange | None, name: str) -> ImageSet:
    return images if isinstance(images, ImageSet) else images_of_array(images, value_range, name)


def _sets(
    fake: ImageSet,
    real: ImageSet | StatisticsReference,
    training: ImageSet | None,
    view: EventView,
    is_training: bool,
) -> _Sets:
    is_events = fake.is_events
    fake = fake.viewed(view)
    if isinstance(real, StatisticsReference):
        require_comparable(fake, fake)
        return _Sets(fake, fake.content_hash(), real, event_view=view if is_events else None)
    is_events = is_events or real.is_events
    real = real.viewed(view)
    fake = as_channels(fake, real.shape[0])
    require_comparable(fake, real)
    return _Sets(
        fake,
        fake.content_hash(),
        ImageReference(real, real.content_hash()),
        training.viewed(view) if training is not None else None,
        is_training,
        view if is_events else None,
    )


def _rows_of_network(network: str, items: Sequence[MetricInfo], sets: _Sets, options: Options) -> dict[str, Row]:
    """A row for each metric of one network, computed in one pass through it."""
    refused = {item.key: _refused(item, reason) for item in items if (reason := sets.reference.refusal(item.quantity))}
    items = [item for item in items if item.key not in refused]
    if not items:
        return refused
    if any(item.quantity == NEAREST for item in items):
        refused |= _rows_of_training(sets, options)
        items = [item for item in items if item.quantity != NEAREST]
        if not items:
            return refused
    try:
        extractors = load_network(network, options.sources)
        generated, sets = _generated(network, sets, options.draws)
    except Missing as missing:
        return refused | {item.key: missing_row(item, missing) for item in items}
    comparisons: list[list[Comparable]] = []
    for extractor in extractors:
        features = features_of(extractor, generated, sets.samples_hash, options, keep=extractor.is_slow)
        comparisons.append(sets.reference.compare(extractor, features.parts(options.draws), network, options))
    names = metric_names(items, extractors[0])
    count = len(generated) // options.draws
    text = protocol_text(extractors, sets.reference.sets(count, options.split), sets.event_view)
    draws = list(zip(*comparisons, strict=True))
    rows = {item.key: _row(names[item.key], item, draws, text, count) for item in items}
    return refused | (_checked(rows, network, generated, sets, options) if options.cross_check else rows)


def _checked(rows: dict[str, Row], network: str, generated: ImageSet, sets: _Sets, options: Options) -> dict[str, Row]:
    """Rows of Inception with other packages' values; those of other networks, which nobody else has, as they are."""
    weights = find_inception_weights(options.sources.inception)
    if network not in INCEPTION or weights is None:
        return rows
    from sgad.measures.cross_check import checked_rows

    assert isinstance(sets.reference, ImageReference), "require_checkable refused anything else"
    suffix = network.removeprefix("inception_")
    reference = sets.reference.images
    return checked_rows(rows, generated, reference, suffix, weights, options.sources.device, options.seed)


def require_checkable(reference: Reference, options: Options) -> None:
    """Refuse what the other packages cannot compute.

    Raises
    ------
    InputError
        For a reference of statistics, several draws, or half precision.
    """
    remedy = "leave --cross-check out or give"
    if not isinstance(reference, ImageReference):
        raise InputError(f"a cross-check needs reference images, not statistics; {remedy} the images")
    if options.draws > 1:
        raise InputError(f"a cross-check takes one set of images, not {options.draws} draws; {remedy} --draws 1")
    if options.sources.half:
        raise InputError(f"a cross-check compares full precision; {remedy} no --half")


def _rows_of_training(sets: _Sets, options: Options) -> dict[str, Row]:
    assert isinstance(sets.reference, ImageReference), "statistics refuse every quantity of pixels"
    row = nearest_row(
        sets.samples,
        sets.reference.images,
        sets.training,
        seed=options.seed,
        samples_are_training=sets.samples_are_training,
        event_view=sets.event_view,
    )
    return {NEAREST: row}


def _refused(item: MetricInfo, reason: str) -> Row:
    remedy = {"remedy": "give the reference images themselves"}
    return empty_row(item.key, 0, item.network, f"not computed: {reason}", remedy)


def _generated(network: str, sets: _Sets, draws: int) -> tuple[ImageSet, _Sets]:
    """The generated images that a network sees: the published FAD protocol fixes their number.

    As many as the reference has are taken whole, too: both sides are then cut into the same batches. Draws that are
    not equally large lose what is over at the end.
    """
    count, known = len(sets.samples), sets.reference.count
    wanted = count - count % draws
    if network in GENERATED and (draws > 1 or known not in (None, count)):
        wanted = GENERATED[network] * draws
    if count < wanted:
        raise Missing(f"needs {wanted} generated images, has {count}", f"sgad sample DIR --num {wanted}")
    if count == wanted:
        return sets.samples, sets
    first = sets.samples.first(wanted)
    return first, replace(sets, samples=first, samples_hash=first.content_hash())


def _row(name: str, item: MetricInfo, draws: Sequence[Sequence[Comparable]], text: str, count: int) -> Row:
    """The row of a metric: the mean over networks of each set of fresh latents, and over these sets."""
    try:
        estimate = over_draws(
            [combine([comparison.estimate(item.quantity) for comparison in networks]) for networks in draws]
        )
    except ValueError as error:
        return empty_row(name, count, text, f"not computed: {error}", {})
    return computed_row(name, estimate, count, text)
