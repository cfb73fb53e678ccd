"""Rows that give a scale to every table: real training images, uniform noise, a copy of the training set."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sgad.catalogue.metrics import NEAREST, VALID, metric_info
from sgad.data.held_out import held_out_rows
from sgad.machine.files import write_json
from sgad.measures.comparing import measure_images
from sgad.measures.extractors.networks import Sources
from sgad.measures.images import EventView, ImageSet, Indices
from sgad.measures.passes import Options
from sgad.measures.readers import open_split, open_valid, reference_split

NOISE_SEED = 20230522


def noise_images(shape: tuple[int, ...], count: int, seed: int = NOISE_SEED) -> ImageSet:
    """Uniform noise; an image depends on `seed` and its index alone, in whatever order it is read."""

    def read(wanted: Indices) -> Any:
        rows = [np.random.default_rng((seed, int(index))).integers(0, 256, shape, np.uint8) for index in wanted]
        return np.stack(rows)

    return ImageSet("noise", count, shape, read)


def baselines(
    data_folder: Path | str,
    measures: Sequence[str],
    *,
    num: int = 5000,
    extractor: str | None = None,
    protocol: str = "clean",
    event_view: EventView = "mean",
    options: Options | None = None,
) -> dict[str, Any]:
    """Measure real training images, noise and copied training images, at most `num`, against the reference.

    Returns metrics.json's content; each row has a `model`: `real_train` is what a perfect generator would get
    (the floor), `noise` the ceiling. `train_copy` gets the floor, too: only `nearest_neighbour` (0: copies;
    near 1: new images), which is always added, tells it from a good model. Training images leave out
    themselves there.
    """
    data = Path(data_folder)
    train = open_split(data, "train")
    reference = open_split(data)
    if options is None:
        sources = Sources(data, event_view=event_view)
        options = Options(sources, event_view, cache=data / "features", split=reference_split(data))
    wanted = tuple(dict.fromkeys((*measures, NEAREST)))
    real = replace(train.random_subset(num, seed=0), name="real_train")
    models = {
        "real_train": real,
        "noise": noise_images(reference.shape, num),
        "train_copy": replace(train.random_subset(num, seed=1), name="train_copy"),
    }
    on_valid = tuple(name for name in wanted if metric_info(name).split == VALID)
    on_test = tuple(name for name in wanted if name not in on_valid)
    document: dict[str, Any] = {"metrics": []}
    for model, images in models.items():
        found = measure_images(
            images,
            reference,
            on_test,
            extractor=extractor,
            protocol=protocol,
            training=train,
            samples_are_training=model == "real_train",
            options=options,
        )
        document |= {"reference": found["reference"] | {"name": data.name}}
        document["metrics"] += [{"model": model} | row for row in found["metrics"]]
    if on_valid:
        valid = open_valid(data)
        seen = {"real_train": _seen_images(data, num, seed=0), "train_copy": _seen_images(data, num, seed=1)}
        for model, images in (models | seen).items():
            found = measure_images(images, reference, on_valid, valid=valid, options=options)
            document["metrics"] += [{"model": model} | row for row in found["metrics"]]
    return document


def _seen_images(data: Path, num: int, seed: int) -> ImageSet:
    """Training images that are not held out: a floor that holds copies of its reference would be too low."""
    train = open_split(data, "train")
    if not (data / "valid.images.npy").is_file():
        held_out = held_out_rows(np.load(data / "train.images.npy", mmap_mode="r"))
        train = train.subset(np.setdiff1d(np.arange(len(train)), held_out))
    return replace(train.random_subset(num, seed), name="real_train")


def baselines_to_file(
    data_folder: Path | str, measures: Sequence[str], out: Path | str, *, num: int = 5000
) -> dict[str, Any]:
    """Measure the baselines of a prepared data set and write them; return what was written."""
    document = baselines(data_folder, measures, num=num)
    write_json(out, document)
    return document
