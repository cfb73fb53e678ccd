"""The measure stage: generated images and reference images to metrics.json, each value with its protocol."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sgad.errors import InputError
from sgad.machine.files import read_json, write_json
from sgad.measures.files import is_prepared, open_split, reference_split, samples_record
from sgad.measures.images import (
    EventView,
    ImageSet,
    ValueRange,
    as_channels,
    images_of_array,
    open_images,
    require_comparable,
)
from sgad.measures.memorised import nearest_row
from sgad.measures.networks import Missing, Sources, identify_weights, load_network
from sgad.measures.passes import Options, features_of, metric_names, protocol_text
from sgad.measures.plan import NEAREST, NETWORKS, Wanted, plan
from sgad.measures.quantities import Comparison, combine, over_draws
from sgad.measures.rows import Row, computed_row, empty_row, missing_row
from sgad.measures.statistics import measure_against_statistics, read_statistics

#: The published protocol of fad_fsvae: 20 batches of 256 generated images.
FSVAE_GENERATED = 5120


@dataclass(frozen=True)
class _Sets:
    """The images of one measurement, event clips already as still images, and their content hashes."""

    samples: ImageSet
    reference: ImageSet
    training: ImageSet | None
    samples_hash: str
    reference_hash: str
    samples_are_training: bool = False
    #: How event clips became these images; None if they were images all along.
    event_view: EventView | None = None


def measure(
    samples: Any,
    reference: Any,
    measures: Sequence[str],
    *,
    extractor: str | None = None,
    protocol: str = "clean",
    value_range: ValueRange | None = None,
    training: ImageSet | None = None,
    samples_are_training: bool = False,
    options: Options | None = None,
) -> dict[str, Any]:
    """Compare generated images with reference images; return the content of metrics.json.

    `samples` and `reference` are image sets (`open_images`), or arrays and tensors (N, C, H, W): uint8, or floats of the
    declared `value_range`. One pass through each network gives all its quantities. What cannot be computed here becomes
    a row without value that says why and what mends it. `training` is needed for `nearest_neighbour` only.

    Raises
    ------
    InputError
        If a measure is unknown or the images cannot be compared.
    """
    options = options or Options()
    wanted = plan(measures, extractor, protocol)
    fake, real = (
        _as_set(images, value_range, name) for images, name in ((samples, "samples"), (reference, "reference"))
    )
    sets = _sets(fake, real, training, options.event_view, samples_are_training)
    if options.draws > 1 and len(sets.samples) < 2 * options.draws:
        raise InputError(
            f"{sets.samples.name} has {len(sets.samples)} images, too few for {options.draws} draws of at least 2;"
            " draw more images or ask for fewer draws"
        )
    rows: dict[str, Row] = {}
    for network in dict.fromkeys(item.network for item in wanted):
        items = [item for item in wanted if item.network == network]
        rows |= _rows_of_network(network, items, sets, options)
    return {
        "samples": {"path": sets.samples.name, "sha256": sets.samples_hash, "n": len(sets.samples)},
        "reference": {
            "name": sets.reference.name,
            "split": options.split,
            "n": len(sets.reference),
            "sha256": sets.reference_hash,
        },
        "metrics": [rows[item.metric] for item in wanted],
    }


def _as_set(images: Any, value_range: ValueRange | None, name: str) -> ImageSet:
    return images if isinstance(images, ImageSet) else images_of_array(images, value_range, name)


def _sets(fake: ImageSet, real: ImageSet, training: ImageSet | None, view: EventView, is_training: bool) -> _Sets:
    is_events = fake.is_events or real.is_events
    fake, real = fake.viewed(view), real.viewed(view)
    fake = as_channels(fake, real.shape[0])
    require_comparable(fake, real)
    return _Sets(
        fake,
        real,
        training.viewed(view) if training is not None else None,
        fake.content_hash(),
        real.content_hash(),
        is_training,
        view if is_events else None,
    )


def _rows_of_network(network: str, items: Sequence[Wanted], sets: _Sets, options: Options) -> dict[str, Row]:
    """Return a row for each metric of one network, computed in one pass through it."""
    if network == "pixels":
        return {
            NEAREST: nearest_row(
                sets.samples,
                sets.reference,
                sets.training,
                seed=options.seed,
                samples_are_training=sets.samples_are_training,
                event_view=sets.event_view,
            )
        }
    try:
        extractors = load_network(network, options.sources)
        generated, sets = _generated(network, sets, options.draws)
    except Missing as missing:
        return {item.metric: missing_row(item, missing) for item in items}
    comparisons = [
        [
            Comparison(part, reference, network, options.seed)
            for part in features_of(extractor, generated, sets.samples_hash, options, keep=extractor.is_slow).parts(
                options.draws
            )
        ]
        for extractor in extractors
        for reference in (features_of(extractor, sets.reference, sets.reference_hash, options, keep=True),)
    ]
    names = metric_names(items, extractors[0])
    split = f"{options.split} split" if options.split else "reference"
    count = len(generated) // options.draws
    text = protocol_text(extractors, f"{split}; n={count} generated, {len(sets.reference)} reference", sets.event_view)
    draws = list(zip(*comparisons, strict=True))
    return {item.metric: _row(names[item.metric], item, draws, text, count) for item in items}


def _generated(network: str, sets: _Sets, draws: int) -> tuple[ImageSet, _Sets]:
    """Return the generated images that a network sees: the published FAD protocol fixes their number.

    As many as the reference has are taken whole, too: both sides are then cut into the same batches. Draws that are
    not equally large lose what is over at the end.
    """
    count = len(sets.samples)
    wanted = count - count % draws
    if network == "fad_fsvae" and (draws > 1 or count != len(sets.reference)):
        wanted = FSVAE_GENERATED * draws
    if count < wanted:
        raise Missing(f"needs {wanted} generated images, has {count}", f"sgad sample DIR --num {wanted}")
    if count == wanted:
        return sets.samples, sets
    first = sets.samples.first(wanted)
    return first, replace(sets, samples=first, samples_hash=first.content_hash())


def _row(name: str, item: Wanted, draws: Sequence[Sequence[Comparison]], text: str, count: int) -> Row:
    """Return the row of a metric: the mean over networks of each set of fresh latents, and over these sets."""
    try:
        estimate = over_draws(
            [combine([comparison.estimate(item.quantity) for comparison in networks]) for networks in draws]
        )
    except ValueError as error:
        return empty_row(name, count, text, f"not computed: {error}", {})
    return computed_row(name, estimate, count, text)


def measure_to_file(
    samples: Path | str,
    reference: Path | str,
    measures: Sequence[str],
    out: Path | str,
    *,
    extractor: str | None = None,
    weights: Path | str | Sequence[Path | str] | None = None,
    protocol: str = "clean",
    value_range: ValueRange | None = None,
    event_view: EventView = "mean",
    device: str = "cpu",
    half: bool = False,
    batch_size: int | None = None,
    cache: Path | str | None = None,
    draws: int = 1,
) -> dict[str, Any]:
    """Measure files and write metrics.json; return its content.

    `samples`: an .npz (`images` or `frames`), .npy, folder of images or run folder. `reference`: the same; or
    a prepared data set's folder, whose reference split is taken, whose classifiers serve cfd and ccs, and
    whose features are kept in its folder `features`; or an .npz of statistics (`mu`, `sigma`). `extractor`:
    inception, classifier, fad, or the path of weights; `weights`: one path or several. `draws`: see `Options`.

    Raises
    ------
    InputError
        One sentence naming the file, for anything that cannot be measured; nothing is written then.
    """
    samples, reference = Path(samples), Path(reference)
    given, extractor = _weights(weights, extractor)
    data = reference if is_prepared(reference) else None
    options = Options(
        Sources(data, device=device, half=half, event_view=event_view, **given),
        event_view,
        batch_size,
        Path(cache) if cache is not None else (data / "features" if data is not None else None),
        _split_name(data),
        draws=draws,
    )
    document = _document(samples, reference, plan(measures, extractor, protocol), value_range, options)
    if data is not None:
        document["reference"]["name"] = data.name
    write_json(out, document)
    return document


def _document(
    samples: Path, reference: Path, wanted: Sequence[Wanted], value_range: ValueRange | None, options: Options
) -> dict[str, Any]:
    reason = _failure(samples)
    if reason is not None:
        return _document_of_failure(samples, reference, wanted, reason)
    images = open_images(samples, value_range)
    statistics = read_statistics(reference)
    if statistics is not None:
        return measure_against_statistics(images, statistics, wanted, options)
    needs_training = options.sources.data is not None and any(item.metric == NEAREST for item in wanted)
    return measure(
        images,
        open_images(reference, value_range),
        [item.metric for item in wanted],
        training=open_split(reference, "train") if needs_training else None,
        options=options,
    )


def _split_name(data: Path | None) -> str:
    return reference_split(data) if data is not None else ""


def _weights(
    weights: Path | str | Sequence[Path | str] | None, extractor: str | None
) -> tuple[dict[str, Path], str | None]:
    """Sort the given weights by what they hold; an extractor that is a path is one more of them."""
    paths = [weights] if isinstance(weights, str | Path) else list(weights or ())
    named = extractor
    if extractor is not None and extractor not in ("inception", "classifier", "fad", *NETWORKS):
        paths.append(extractor)
        named = {"fsvae": "fad", "own": "fad_own"}.get(kind := identify_weights(Path(extractor)), kind)
    given = {identify_weights(Path(path)): Path(path) for path in paths}
    return given, named


def _failure(samples: Path) -> str | None:
    """Return why a run made no images if `samples` is the empty archive of a failed run, else None."""
    record = samples_record(samples)
    if record is None or record[0] > 0:
        return None
    run = samples.parent / "run.json" if samples.is_file() else samples / "run.json"
    content = read_json(run) if run.is_file() else {}
    return str(content.get("reason") or content.get("status") or "no images")


def _document_of_failure(samples: Path, reference: Path, wanted: Sequence[Wanted], reason: str) -> dict[str, Any]:
    status = f"not computed: run failed: {reason}"
    return {
        "samples": {"path": str(samples), "sha256": "", "n": 0},
        "reference": {
            "name": reference.name,
            "split": _split_name(reference if is_prepared(reference) else None),
        },
        "metrics": [empty_row(item.metric, 0, item.network, status, {}) for item in wanted],
    }
