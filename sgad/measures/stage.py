"""The measure stage: generated images and reference images to metrics.json, each value with its protocol."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sgad.data.values import ValueRange
from sgad.machine.files import read_json, write_json
from sgad.measures.comparing import measure_images
from sgad.measures.extractors.networks import Sources, identify_weights
from sgad.measures.images import EventView
from sgad.measures.passes import Options
from sgad.measures.plan import NEAREST, NETWORKS, VALID, Wanted, plan
from sgad.measures.readers import is_prepared, open_images, open_split, open_valid, reference_split, samples_record
from sgad.measures.reference import read_statistics
from sgad.measures.rows import empty_row


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
    cross_check: bool = False,
) -> dict[str, Any]:
    """Measure files and write metrics.json; return its content.

    `samples`: an .npz (`images` or `frames`), .npy, folder of images or run folder. `reference`: the same; or
    a prepared data set's folder, whose reference split is taken, whose classifiers serve cfd and ccs, and
    whose features are kept in its folder `features`; or an .npz of statistics (`mu`, `sigma`). `extractor`:
    inception, classifier, fad, or the path of weights; `weights`: one path or several. `draws` and `cross_check`: see `Options`.

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
        cross_check=cross_check,
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
    statistics = read_statistics(reference)
    needs_training = options.sources.data is not None and any(item.metric == NEAREST for item in wanted)
    needs_valid = options.sources.data is not None and any(item.split == VALID for item in wanted)
    return measure_images(
        open_images(samples, value_range),
        open_images(reference, value_range) if statistics is None else statistics,
        [item.metric for item in wanted],
        training=open_split(reference, "train") if needs_training else None,
        valid=open_valid(reference) if needs_valid else None,
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
