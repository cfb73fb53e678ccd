"""A made-up experiment on disk, collected once for tests that only read it; its numbers are a formula's."""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sgad.config.experiment import ExperimentConfig, RunKey
from sgad.runs.record import RunRecord
from sgad.store.collect import collect
from sgad.store.stored import Stored, read_stored

TITLE = "FAKE fixture <script>alert('title')</script>"
REASON = "loss was NaN at step 40 <img src=x onerror=alert(1)>"
PROTOCOL = "classifier ab12cd34, resize none, reference test n=360"
#: The two runs that did not end well.
DIVERGED = ("swgan", 1)
MISSING = ("sgad", 1)
COLUMNS = (
    "step", "epoch", "loss_discriminator", "loss_generator", "score_real", "score_fake",
    "firing_rate_generator", "firing_rate_discriminator", "gradient_norm_generator", "diversity",
    "images_per_second", "seconds",
)  # fmt: skip


def fake_experiment(**changes: object) -> ExperimentConfig:
    """The experiment of the fixture: two data sets, three models, three seeds."""
    fields = {
        "name": "fake",
        "title": TITLE,
        "description": "Made up for tests; no network was trained.",
        "note": "fake numbers & no recipe",
        "datasets": ("digits", "mnist"),
        "models": ("sgan", "swgan", "sgad"),
        "variants": ("quick",),
        "seeds": (0, 1, 2),
        "measures": ("cfd", "ccs", "recall_classifier"),
        "figures": ("curves", "bars", "samples", "activity", "layers", "health", "evolution"),
    }
    return ExperimentConfig(**{**fields, **changes})


def write_fake(
    root: Path, experiment: ExperimentConfig, num_rows: int = 60, values: Mapping[str, float] | None = None
) -> None:
    """Write results/runs and data/ of the experiment below `root`; one run diverged, one is missing.

    `values`: measures of every run, instead of those of `fake_values`.
    """
    for key in experiment.run_keys():
        if (key.model, key.seed) != MISSING:
            _write_run(root / "results" / "runs" / key.folder, key, experiment, num_rows, values or fake_values(key))
    for dataset in experiment.dataset_keys():
        _write_data(root / "data" / dataset)
        _write_baselines(root / "results" / "experiments" / experiment.name / "baselines" / f"{dataset}.json")


def _write_run(
    folder: Path, key: RunKey, experiment: ExperimentConfig, num_rows: int, values: Mapping[str, float]
) -> None:
    has_diverged = (key.model, key.seed) == DIVERGED
    folder.mkdir(parents=True)
    RunRecord(
        dataset=key.dataset, model=key.model, variant=key.variant, seed=key.seed, family="snn", time_steps=4,
        status="diverged" if has_diverged else "completed", reason=REASON if has_diverged else "",
        steps=10 * num_rows, epochs=3.0, seconds=61.5, device="cpu", machine="2-core <test> machine",
        commit="0123456789abcdef", config_hash="c0ffee00c0ffee00", data_hash="da7ada7ada7a",
        caption_note="digits (scikit-learn), not MNIST" if key.dataset == "digits" else "",
    ).write(folder)  # fmt: skip
    (folder / "config.yaml").write_text(f"model: {key.model}\ntime_steps: 4\n", encoding="utf-8")
    _write_history(folder / "history.csv", key, num_rows)
    (folder / "grids").mkdir()
    for step in range(0, 10 * num_rows + 1, 2 * num_rows):
        fake_grid(key, step / (10 * num_rows)).save(folder / "grids" / f"step-{step:06d}.png")
    if not has_diverged:
        fake_grid(key, 1.0).save(folder / "grid.png")
        fake_grid(key, 1.0, tiles=2).save(folder / "steps.png")
        _write_metrics(folder / "metrics.json", values, experiment)


def _write_history(path: Path, key: RunKey, num_rows: int) -> None:
    offset = fake_values(key)["cfd"] / 9
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for row in range(1, num_rows + 1):
            wave = math.sin(row / 7 + offset)
            loss = 2 * math.exp(-row / 40) + 0.1 * wave
            rates = (0.1 + 0.02 * wave, 0.2 - 0.02 * wave)
            writer.writerow([10 * row, row / 20, -loss, loss / 2, loss, -loss, *rates, 1 + wave, 0.2, 900.0, row * 1.0])
    with open(path.parent / "layers.csv", "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("step", "network", "layer", "firing_rate", "surrogate_share"))
        for row in range(1, num_rows + 1):
            for network, rate in (("generator", 0.1), ("discriminator", 0.2)):
                writer.writerow([10 * row, network, "neurons1", rate + row / 1e4, 0.5])


def fake_values(key: RunKey) -> dict[str, float]:
    """The made-up measures of a run."""
    rank = {"sgan": 3.0, "swgan": 1.5, "sgad": 1.0}[key.model]
    distances = {"cfd": 20 * rank + key.seed, "cfd_val": 21 * rank + key.seed}
    return {**distances, "ccs": 8 / rank + 0.1 * key.seed, "recall_classifier": 0.5 / rank}


def _write_metrics(path: Path, values: Mapping[str, float], experiment: ExperimentConfig) -> None:
    entries = [_entry(metric, value) for metric, value in values.items() if metric in experiment.measures]
    path.write_text(json.dumps({"samples": {}, "reference": {}, "metrics": entries}), encoding="utf-8")


def _entry(metric: str, value: float, **more: str) -> dict[str, object]:
    interval = {"low": value - 0.5, "high": value + 0.5}
    return {
        "metric": metric,
        "value": value,
        "n": 1000,
        "protocol": PROTOCOL,
        "status": "computed",
        **interval,
        **more,
    }


def _write_data(folder: Path) -> None:
    folder.mkdir(parents=True)
    is_digits = folder.name == "digits"
    manifest = {
        "title": "Digits (scikit-learn)" if is_digits else "MNIST",
        "caption_note": "digits (scikit-learn), not MNIST" if is_digits else "",
        "citation": "a citation", "licence": "a licence", "counts": {"train": 1437, "test": 360},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _write_baselines(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scale = {
        "real_train": {"cfd": 0.5, "ccs": 9.5, "nearest_neighbour": 1.01},
        "noise": {"cfd": 300.0, "ccs": 1.3, "nearest_neighbour": 3.2},
        "train_copy": {"cfd": 0.5, "ccs": 9.5, "nearest_neighbour": 0.0},
    }
    entries = [
        _entry(metric, value, model=model) for model, values in scale.items() for metric, value in values.items()
    ]
    path.write_text(json.dumps({"metrics": entries}), encoding="utf-8")


def fake_grid(key: RunKey, progress: float, tiles: int = 4) -> Image.Image:
    """A grid of ring-shaped blobs that grow sharper with `progress`; pixels are not a model's."""
    generator = np.random.default_rng([len(key.model), key.seed])
    y, x = np.mgrid[0:28, 0:28] - 13.5
    grid = np.zeros((tiles * 30 + 2, tiles * 30 + 2))
    for row in range(tiles):
        for column in range(tiles):
            radius = generator.uniform(4, 10)
            ring = np.exp(-((np.hypot(x, y * generator.uniform(0.7, 1.4)) - radius) ** 2) / 6)
            image = progress * ring + (1 - progress) * generator.uniform(0, 1, ring.shape)
            grid[row * 30 + 2 : row * 30 + 30, column * 30 + 2 : column * 30 + 30] = image
    return Image.fromarray((255 * grid.clip(0, 1)).astype(np.uint8))


@pytest.fixture(scope="session")
def fake() -> SimpleNamespace:
    """What tests need to know of the fixture, or to make another one."""
    return SimpleNamespace(
        experiment=fake_experiment,
        write=write_fake,
        values=fake_values,
        title=TITLE,
        reason=REASON,
        protocol=PROTOCOL,
    )


@pytest.fixture(scope="session")
def experiment() -> ExperimentConfig:
    return fake_experiment()


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory, experiment: ExperimentConfig) -> Path:
    """A results folder in which the fake experiment was collected."""
    root = tmp_path_factory.mktemp("fake")
    write_fake(root, experiment)
    collect(experiment, root / "results", root / "data")
    return root / "results"


@pytest.fixture(scope="session")
def stored(results: Path) -> Stored:
    return read_stored(results, "fake")
