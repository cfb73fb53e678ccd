"""Fabricated CelebA and N-MNIST go through prepare, one training step, sampling, and a GIF, by the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from sgad.data.events.simulator import write_recordings as record
from sgad.data.prepared import load_prepared
from tests.data.builders import describe, run_prepare, write_celeba, write_idx, write_zip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def sgad(folder: Path, *words: str) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SGAD_")}
    done = subprocess.run(
        [sys.executable, "-m", "sgad", *words], cwd=folder, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def shipped(repository: Path, folder: Path, name: str, counts: str) -> None:
    """Copy a shipped description, with the counts of the small set and without the archives' checksums."""
    lines = (repository / "configs" / "datasets" / f"{name}.yaml").read_text().splitlines(keepends=True)
    kept = [line for line in lines if not (line.startswith("  ") and "{md5:" in line) and not line.startswith("files:")]
    text = "".join(f"counts: {counts}\n" if line.startswith("counts:") else line for line in kept)
    (folder / "configs" / "datasets").mkdir(parents=True)
    (folder / "configs" / "datasets" / f"{name}.yaml").write_text(text)


def train_and_sample(folder: Path, name: str) -> Path:
    out = folder / "runs" / name
    steps = ["--set", "max_steps=1", "--set", "batch_size=2", "--set", "time_steps=4"]
    sgad(folder, "train", "--dataset", name, "--model", "sgad", "--variant", "smoke", "--out", str(out), *steps)
    sgad(folder, "sample", str(out), "--num", "4")
    return out


@pytest.mark.parametrize("form", ["zip", "nested"])
def test_celeba(repository: Path, tmp_path: Path, form: str) -> None:
    write_celeba(tmp_path / "data" / "raw" / "celeba", form)
    shipped(repository, tmp_path, "celeba", "{train: 3, valid: 1, test: 2}")
    assert "3 train, 1 valid, 2 test" in sgad(tmp_path, "prepare", "celeba")
    out = train_and_sample(tmp_path, "celeba")
    assert (out / "samples.npz").is_file()
    assert (out / "grid.png").is_file()


@pytest.mark.parametrize("layout", ["tonic", "spikingjelly"])
def test_nmnist(repository: Path, tmp_path: Path, layout: str) -> None:
    write_idx(tmp_path / "still", train=8, test=4)
    run_prepare(describe("idx"), tmp_path / "still", tmp_path / "still-prepared")
    root = tmp_path / "data" / "raw" / "NMNIST"
    record(load_prepared(tmp_path / "still-prepared"), root)
    if layout == "spikingjelly":
        for split in ("Train", "Test"):
            files = {str(path.relative_to(root)): path.read_bytes() for path in (root / split).rglob("*.bin")}
            write_zip(root / "download" / f"{split}.zip", files)
            (root / split).rename(tmp_path / split)
    shipped(repository, tmp_path, "nmnist", "{train: 8, test: 4}")
    assert "8 train, 4 test" in sgad(tmp_path, "prepare", "nmnist")
    out = train_and_sample(tmp_path, "nmnist")
    with Image.open(out / "sample.gif") as picture:
        # Frames that are alike, as those of an untrained generator, are merged by Pillow.
        assert picture.format == "GIF"
