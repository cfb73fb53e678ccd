"""The measure stage: generated images and reference images to metrics.json, each value with its protocol."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from sgad.catalogue.metrics import NEAREST, VALID, MetricInfo, asks_for_inception, plan
from sgad.catalogue.networks import NETWORKS, PIXELS
from sgad.data.values import ValueRange
from sgad.machine.files import read_json, write_json
from sgad.measures.comparing import measure_images
from sgad.measures.extractors.networks import SHIPPED, Sources, identify_weights
from sgad.measures.images import EventView
from sgad.measures.passes import Options
from sgad.measures.readers import is_prepared, open_images, open_split, open_valid, reference_split, samples_record
from sgad.measures.reference import read_statistics
from sgad.measures.rows import empty_row


class Settings(TypedDict, total=False):
    """How to measure; each key has the meaning of the option of `sgad measure`.

    extractor: inception, classifier, fad, pixels, a shipped classifier (mnist, fashion_mnist, cifar10, ...) or the path of
    weights. weights: one path or several. draws, cross_check, batch_size, cache: see `Options`.
    """

    extractor: str | None
    weights: Path | str | Sequence[Path | str] | None
    protocol: str
    value_range: ValueRange | None
    event_view: EventView
    device: str
    half: bool
    batch_size: int | None
    cache: Path | str | None
    draws: int
    cross_check: bool


def measure_to_file(
    samples: Path | str, reference: Path | str, measures: Sequence[str], out: Path | str, **settings: Unpack[Settings]
) -> dict[str, Any]:
    """Measure files and write metrics.json: its content. Arguments as in `measure_any`.

    Raises
    ------
    InputError
        One sentence naming the file, for anything that cannot be measured; nothing is written then.
    """
    document = measure_any(Path(samples), Path(reference), measures, **settings)
    write_json(out, document)
    return document


def measure_any(samples: Any, reference: Any, measures: Sequence[str], **settings: Unpack[Settings]) -> dict[str, Any]:
    """Measure paths, arrays or tensors: the content of metrics.json.

    `samples`: an .npz (`images` or `frames`), .npy, folder of images or run folder, or an array or tensor (N, C, H, W).
    `reference`: the same; or a prepared data set's folder, whose reference split is taken, whose classifiers serve cfd and
    ccs, and whose features are kept in its folder `features`; or an .npz of statistics (`mu`, `sigma`).

    Raises
    ------
    InputError
        One sentence naming the file, for anything that cannot be measured.
    """
    samples, reference = (Path(given) if isinstance(given, str) else given for given in (samples, reference))
    given, extractor = sort_weights(settings.get("weights"), settings.get("extractor"))
    data = reference if isinstance(reference, Path) and is_prepared(reference) else None
    if extractor is None and data is None and not given:
        # Two sets from elsewhere: nothing but their pixels is at hand.
        extractor = None if asks_for_inception(measures) else PIXELS
    cache, view = settings.get("cache"), settings.get("event_view", "mean")
    options = Options(
        Sources(
            data,
            device=settings.get("device", "cpu"),
            half=settings.get("half", False),
            event_view=view,
            **given,
        ),
        view,
        settings.get("batch_size"),
        Path(cache) if cache is not None else (data / "features" if data is not None else None),
        _split_name(data),
        draws=settings.get("draws", 1),
        cross_check=settings.get("cross_check", False),
    )
    wanted = plan(measures, extractor, settings.get("protocol", "clean"))
    document = _document(samples, reference, wanted, settings.get("value_range"), options)
    if data is not None:
        document["reference"]["name"] = data.name
    return document


def _document(
    samples: Any, reference: Any, wanted: Sequence[MetricInfo], value_range: ValueRange | None, options: Options
) -> dict[str, Any]:
    reason = _failure(samples) if isinstance(samples, Path) else None
    if reason is not None:
        return _document_of_failure(samples, reference, wanted, reason)
    statistics = read_statistics(reference) if isinstance(reference, Path) else None
    data = options.sources.data
    needs_training = any(item.key == NEAREST for item in wanted)
    needs_valid = any(item.split == VALID for item in wanted)
    return measure_images(
        _opened(samples, value_range),
        _opened(reference, value_range) if statistics is None else statistics,
        [item.key for item in wanted],
        value_range=value_range,
        training=open_split(data, "train") if needs_training and data is not None else None,
        valid=open_valid(data) if needs_valid and data is not None else None,
        options=options,
    )


def _opened(images: Any, value_range: ValueRange | None) -> Any:
    return open_images(images, value_range) if isinstance(images, Path) else images


def _split_name(data: Path | None) -> str:
    return reference_split(data) if data is not None else ""


def sort_weights(
    weights: Path | str | Sequence[Path | str] | None, extractor: str | None
) -> tuple[dict[str, Any], str | None]:
    """Sort the given weights by what they hold: fields of `Sources`, and the extractor's name.

    An extractor that is a path is one more of the weights; one that comes with the package is named.
    """
    paths = [weights] if isinstance(weights, str | Path) else list(weights or ())
    given: dict[str, Any] = {identify_weights(Path(path)): Path(path) for path in paths}
    if extractor in SHIPPED:
        return given | {"shipped": extractor}, "classifier"
    if extractor is None or extractor in ("inception", "classifier", "fad", *NETWORKS):
        return given, extractor
    kind = identify_weights(Path(extractor))
    return given | {kind: Path(extractor)}, {"fsvae": "fad", "own": "fad_own"}.get(kind, kind)


def _failure(samples: Path) -> str | None:
    """Why a run made no images if `samples` is the empty archive of a failed run, else None."""
    record = samples_record(samples)
    if record is None or record[0] > 0:
        return None
    run = samples.parent / "run.json" if samples.is_file() else samples / "run.json"
    content = read_json(run) if run.is_file() else {}
    return str(content.get("reason") or content.get("status") or "no images")


def _document_of_failure(samples: Path, reference: Path, wanted: Sequence[MetricInfo], reason: str) -> dict[str, Any]:
    status = f"not computed: run failed: {reason}"
    return {
        "samples": {"path": str(samples), "sha256": "", "n": 0},
        "reference": {
            "name": reference.name,
            "split": _split_name(reference if is_prepared(reference) else None),
        },
        "metrics": [empty_row(item.key, 0, item.network, status, {}) for item in wanted],
    }
