"""The model zoo: what packing keeps, what a card says, and the models that come with the repository."""

import json
import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sgad
from sgad.config.compose import resolve
from sgad.errors import InputError
from sgad.models.draw import draw_all
from sgad.models.registry import build_generator, initialise, load_generator
from sgad.models.storage import BITS, pack, unpack
from sgad.runs.record import RunRecord, read_record
from sgad.runs.seeds import stream_seed
from sgad.sampling import SampleRequest, sample_run
from sgad.snn.activity import firing_rates, record_activity
from sgad.snn.batch_norm import StepBatchNorm
from sgad.training.checkpoint import save_tensors
from sgad.zoo.export import export_run

ZOO = ("digits-sgad", "fashion_mnist-sgad")
MAX_BYTES = 10_000_000


def run_folder(folder: Path, model: str = "sgad", status: Any = "completed", **changes: Any) -> Path:
    """Write an untrained generator, its record and its measures as a finished run would."""
    settings: dict[str, Any] = {"time_steps": 3, "latent_dim": 4, "threshold": 0.3, **changes}
    config = resolve("digits", model, "paper", settings=settings).config
    generator = build_generator(config, (1, 28, 28))
    random = torch.Generator().manual_seed(stream_seed("weights"))
    initialise(generator, random)
    # Without training most neurons would be silent.
    for part in generator.modules():
        if isinstance(part, StepBatchNorm):
            part.bias.data.copy_(torch.rand(part.bias.shape, generator=random) * 2.5 - 1)
    header = {"config": config.model_dump_json(), "shape": "[1, 28, 28]"}
    save_tensors(folder / "generator.safetensors", generator.state_dict(), header)
    RunRecord(
        dataset="digits", model=model, variant="paper", seed=0, family="snn", time_steps=3, status=status,
        steps=12_345, device="cpu", machine="a machine", commit="c0ffee" * 6, config_hash=config.hash(),
        data_hash="da7a" * 8, caption_note="digits (scikit-learn), not MNIST",
    ).write(folder)  # fmt: skip
    entry = {"metric": "cfd", "value": 1.2345, "low": 1.0, "high": 1.5, "n": 1000, "protocol": "a protocol"}
    (folder / "metrics.json").write_text(json.dumps({"metrics": [entry, {"metric": "ccs", "value": None}]}))
    return folder


@pytest.fixture(scope="module", autouse=True)
def _few_images() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sgad.zoo.export.COMPARED_IMAGES", 20)
        patch.setattr("sgad.sampling.RECALIBRATION_BATCHES", 1)
        patch.setattr("sgad.sampling.BATCH", 50)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("zoo") / "run")


@pytest.fixture(scope="module")
def packed(run: Path) -> Path:
    export_run(run, run.parent / "digits-packed")
    return run.parent / "digits-packed"


def test_large_matrices_are_rounded_within_half_a_step() -> None:
    weight = torch.randn(256, 4096, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 1, 256)[:, None]
    small, count = torch.randn(8, 8), torch.tensor(7)
    packed = pack({"large": weight, "small": small, "count": count})
    assert packed["large"].shape == (BITS, 256, 512) and packed["large"].dtype == torch.uint8
    back = unpack(packed)
    assert list(back) == ["large", "small", "count"]
    step = weight.abs().amax(dim=1, keepdim=True) / (2 ** (BITS - 1) - 1)
    assert bool(((back["large"] - weight).abs() <= 0.501 * step).all())
    assert torch.equal(back["small"], small) and torch.equal(back["count"], count)


def test_a_row_of_zeros_stays_zero() -> None:
    assert not unpack(pack({"large": torch.zeros(256, 4096)}))["large"].any()


def test_packing_saves_space_and_changes_images_little(run: Path, packed: Path) -> None:
    sizes = [(folder / "generator.safetensors").stat().st_size for folder in (packed, run)]
    assert sizes[0] < 0.4 * sizes[1] and sizes[0] < MAX_BYTES
    before, after = (sgad.load(folder).sample(20).astype(int) for folder in (run, packed))
    assert before.shape == (20, 1, 28, 28) and len(np.unique(before)) > 50
    assert np.abs(before - after).mean() < 10  # four bits


def test_a_zoo_folder_is_sampled_like_a_run(packed: Path) -> None:
    with np.load(sample_run(SampleRequest(packed, num=5, sample_seed=3, device="cpu", threads=1))) as content:
        images = content["images"]
    assert np.array_equal(images, sgad.load(packed).sample(5, seed=3))
    assert (packed / "steps.png").is_file()


def test_the_card_says_data_recipe_measures_and_change(packed: Path) -> None:
    card = (packed / "README.md").read_text()
    for text in (
        "not MNIST",
        "CC BY 4.0",
        "12,345 update pairs",
        "c0ffeec0ffee",
        "| CFD | 1.23 | 1.00 to 1.50 | 1,000 |",
    ):
        assert text in card
    assert "CCS" not in card, "what has no value is not listed"
    assert re.search(r"changes by \d+\.\d\d grey levels", card)
    assert (packed / "preview.png").is_file()


def test_re_estimated_statistics_travel_with_the_weights(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", sampling_statistics="recalibrated")
    export_run(run, tmp_path / "out")
    _, config, _ = load_generator(tmp_path / "out")
    assert config.sampling_statistics == "running"
    before, after = (sgad.load(folder).sample(20).astype(int) for folder in (run, tmp_path / "out"))
    assert np.abs(before - after).mean() < 14, "untrained networks exaggerate"


@pytest.mark.parametrize(
    ("changes", "said"), [({"status": "diverged"}, "is diverged"), ({"sampling_statistics": "batch"}, "running")]
)
def test_what_cannot_be_packed_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        export_run(run_folder(tmp_path / "run", **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("out", ["run", "link", "other/../run"])
def test_a_run_is_never_packed_into_itself(tmp_path: Path, out: str) -> None:
    run = run_folder(tmp_path / "run")
    (tmp_path / "link").symlink_to(run)
    (tmp_path / "other").mkdir()
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(InputError, match="is the run itself"):
        export_run(run, tmp_path / out)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_more_latents_than_a_batch_can_be_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretrained = sgad.load(run_folder(tmp_path))
    z = pretrained.latents(3)
    steps, traces = pretrained.watch(z)
    monkeypatch.setattr("sgad.zoo.pretrained.draw_all", partial(draw_all, batch=2))
    again, parts = pretrained.watch(z)
    assert np.abs(again.astype(int) - steps).max() <= 1
    assert again.shape == steps.shape
    assert list(parts) == list(traces)
    for name, part in parts.items():
        assert part.spikes.shape == part.potentials.shape == traces[name].spikes.shape
        assert part.firing_rate == pytest.approx(traces[name].firing_rate, rel=1e-3)


@pytest.mark.parametrize("model", ["sgan", "swgan", "sgad"])
def test_traces_are_the_spikes_that_made_the_image(tmp_path: Path, model: str) -> None:
    pretrained = sgad.load(run_folder(tmp_path, model=model))
    z = pretrained.latents(3)
    steps, traces = pretrained.watch(z)
    assert np.abs(steps[-1].astype(int) - pretrained.draw(z)).max() <= 1 or model == "sgan"
    assert list(traces)[:3] == ["neurons1", "neurons2", "neurons3"]
    with record_activity(pretrained.generator):
        pretrained.draw(z)
    for name, rate in firing_rates(pretrained.generator).items():
        assert traces[name].firing_rate == pytest.approx(rate, abs=1e-4)
    for trace in traces.values():
        assert trace.potentials.shape == trace.spikes.shape and len(trace.spikes) == 3
        assert torch.equal(trace.spikes, (trace.potentials > 0.3).float())
        # After a spike the potential starts anew at 0; between spikes it decays towards the current.
        assert 0 < trace.firing_rate < 1


@pytest.mark.parametrize("name", ZOO)
def test_the_models_that_come_with_the_repository(repository: Path, tmp_path: Path, name: str) -> None:
    folder = repository / "zoo" / name
    listed = subprocess.run(["git", "ls-files", folder], cwd=repository, capture_output=True, text=True).stdout.split()
    names = {Path(path).name for path in listed}
    measured = {"metrics.json", "metrics-packed.json"}
    assert (
        names == {"README.md", "config.yaml", "generator.safetensors", "preview.png", "run.json", "zoo.json"} | measured
    )
    assert sum((repository / path).stat().st_size for path in listed) < MAX_BYTES
    record = read_record(folder)
    assert record.status == "completed" and re.fullmatch(r"[0-9a-f]{12}", record.commit), "trained from a clean commit"
    card = (folder / "README.md").read_text()
    assert f"zoo/{name}" in card and record.commit[:12] in card and "Not measured" not in card
    images = sgad.load(folder).sample(32)
    assert images.shape == (32, 1, 28, 28)
    assert images.max() > 200 and images.mean(axis=(1, 2, 3)).std() > 2, "neither noise nor one image"


def test_a_card_tells_the_energy_that_was_estimated(tmp_path: Path) -> None:
    lines = ["analysis,quantity,part,value", "energy,synaptic_operations,generator/all,3868912.28"]
    lines += ["energy,multiply_accumulates,generator/all,1822816.0", "energy,energy_nanojoule,generator/all,11866.97"]
    lines += ["energy,analog_energy_nanojoule,generator/all,55923.0", "energy,energy_nanojoule,critic/all,1.0"]
    run = run_folder(tmp_path / "run")
    (run / "analyses").mkdir()
    (run / "analyses" / "energy.csv").write_text("\n".join(lines) + "\n")
    export_run(run, tmp_path / "zoo" / "small")
    card = (tmp_path / "zoo" / "small" / "README.md").read_text()
    assert "3,868,912 synaptic operations" in card
    assert "11.9 µJ" in card and "55.9 µJ" in card
