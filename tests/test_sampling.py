"""The sample stage: what samples.npz holds, that it repeats, and what the statistics mean."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sgad import sampling
from sgad.config.compose import resolve
from sgad.data.events.format import decode_events
from sgad.errors import InputError, WriteFailure
from sgad.models.draw import latents
from sgad.models.registry import build_generator, initialise
from sgad.runs.seeds import stream_seed
from sgad.sampling import SampleRequest, prepare_generator, sample_run
from sgad.sampling import batch_that_fits as fitting
from sgad.training.checkpoint import save_tensors
from sgad.training.run import TrainRequest, record_failure

SETTINGS: dict[str, Any] = {"time_steps": 3, "latent_dim": 4, "num_samples": 10, "threshold": 0.3}


def run_folder(folder: Path, dataset: str = "digits", model: str = "sgad", **changes: Any) -> Path:
    """Write an untrained generator as a finished run would."""
    config = resolve(dataset, model, "paper", settings={**SETTINGS, **changes}).config
    shape = {"digits": (1, 28, 28), "nmnist": (2, 28, 28), "cifar10": (3, 32, 32)}[dataset]
    generator = build_generator(config, shape)
    initialise(generator, torch.Generator().manual_seed(stream_seed("weights")))
    save_tensors(
        folder / "generator.safetensors",
        generator.state_dict(),
        {"config": config.model_dump_json(), "shape": json.dumps(shape)},
    )
    return folder


def sample(folder: Path, **changes: Any) -> dict[str, np.ndarray[Any, Any]]:
    path = sample_run(SampleRequest(folder, device="cpu", threads=1, **changes))
    with np.load(path) as content:
        return dict(content)


def test_samples_are_bytes_and_repeat(tmp_path: Path) -> None:
    first = sample(run_folder(tmp_path))
    assert first["images"].shape == (10, 1, 28, 28) and first["images"].dtype == np.uint8
    meta = json.loads(str(first["meta"]))
    assert (meta["dataset"], meta["model"], meta["kind"], meta["statistics"]) == ("digits", "sgad", "images", "running")
    assert np.array_equal(first["images"], sample(tmp_path)["images"])
    by_batch, other = (sample(tmp_path, sample_seed=seed, statistics="batch")["images"] for seed in (0, 1))
    assert not np.array_equal(by_batch, other)
    assert (tmp_path / "grid.png").is_file()


def test_more_samples_begin_with_the_same(tmp_path: Path) -> None:
    run_folder(tmp_path)
    few, many = sample(tmp_path, num=3), sample(tmp_path, num=7)
    assert np.array_equal(few["images"], many["images"][:3])


def test_short_memory_makes_smaller_batches_and_the_same_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty = sample(run_folder(tmp_path), num=20)
    sizes = []
    monkeypatch.setattr(sampling, "free_memory", lambda: 50_000_000)
    monkeypatch.setattr(sampling, "batch_that_fits", lambda *given: sizes.append(fitting(*given)) or sizes[-1])
    short = sample(tmp_path, num=20)
    # Half of 50 MB, at 1 MB an image and step.
    assert sizes == [8]
    assert np.array_equal(plenty["images"], short["images"])


def test_every_step_is_kept_on_request(tmp_path: Path) -> None:
    made = sample(run_folder(tmp_path, model="swgan"), keep_steps=True, num=4)
    assert made["steps"].shape == (4, 3, 1, 28, 28)
    assert np.array_equal(made["steps"][:, -1], made["images"])


def test_events_become_frames_and_a_gif(tmp_path: Path) -> None:
    made = sample(run_folder(tmp_path, "nmnist"), num=5)
    assert made["frames"].shape == (5, 3, 2, 28, 28)
    assert (tmp_path / "sample.gif").is_file() and (tmp_path / "grid.png").is_file()


def test_recalibrated_statistics_come_near_those_of_a_batch(tmp_path: Path) -> None:
    config = resolve("digits", "swgan", "paper", settings=SETTINGS).config
    z = latents(config, 400, 3)
    shown = {}
    for statistics in ("running", "batch", "recalibrated"):
        generator = build_generator(config, (1, 28, 28))
        initialise(generator, torch.Generator().manual_seed(0))
        with torch.no_grad():
            shown[statistics] = prepare_generator(generator, config, statistics)(z).shown
    away = {name: float((shown[name] - shown["batch"]).abs().mean()) for name in ("running", "recalibrated")}
    assert away["recalibrated"] < away["running"]


def test_a_failed_run_gives_no_images(tmp_path: Path, digits: Path) -> None:
    config = resolve("digits", "sgad", "paper", settings=SETTINGS).config
    record_failure(TrainRequest(config, digits, tmp_path), "disk on fire")
    assert len(sample(tmp_path)["images"]) == 0


def test_a_folder_without_a_generator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"generator\.safetensors does not exist; train the run first"):
        sample(tmp_path)


def test_events_become_recordings_that_read_back(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", "nmnist")
    made = sample(folder, num=2, recordings=tmp_path / "events")["frames"]
    files = sorted((tmp_path / "events").iterdir())
    assert [path.name for path in files] == ["00000.bin", "00001.bin"]
    for path, frames in zip(files, made, strict=True):
        assert len(decode_events(path.read_bytes(), str(path)).t) == np.rint(frames / 255).sum()


def test_images_have_no_recordings(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="makes images, not events; leave out --recordings"):
        sample(run_folder(tmp_path), recordings=tmp_path / "events")
    assert not (tmp_path / "events").exists()


def test_a_folder_that_takes_no_files_is_refused_before_anything_is_drawn(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**named: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sgad.machine.files.tempfile.TemporaryFile", refuse)
    monkeypatch.setattr("sgad.sampling.held_device", lambda name: pytest.fail("it began to draw"))
    with pytest.raises(WriteFailure, match="Permission denied; get write access"):
        sample_run(SampleRequest(next((repository / "zoo").iterdir()), 4))
