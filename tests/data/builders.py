"""Small data sets of every form, for the tests to read and to break."""

import gzip
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sgad.data.description import DatasetConfig
from sgad.data.events.format import Events, encode_events
from sgad.data.manifest import Manifest
from sgad.data.prepare import prepare

MD5_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def describe(source: str, **values: Any) -> DatasetConfig:
    """Return a description called `tiny`."""
    return DatasetConfig.model_validate({"name": "tiny", "title": "Tiny", "source": source, **values})


def run_prepare(
    description: DatasetConfig, source: Path, out: Path, tell: Callable[[str], None] = lambda text: None
) -> Manifest:
    """Prepare without a progress bar; `tell` hears what is odd."""
    return prepare(description, [source], out, progress=Quiet, tell=tell)


class Quiet:
    """A progress bar that counts and shows nothing."""

    def __init__(self, total: int, *, initial: int = 0, title: str = "", unit: str = "") -> None:
        self.total, self.done = total, initial

    def __enter__(self) -> "Quiet":
        return self

    def __exit__(self, *problem: object) -> None:
        return None

    def update(self, count: int = 1) -> None:
        self.done += count


def images(count: int = 12, channels: int = 1, side: int = 28, seed: int = 0) -> np.ndarray:
    """Return uint8 (N, C, H, W)."""
    return np.random.default_rng(seed).integers(0, 256, (count, channels, side, side)).astype(np.uint8)


def idx_bytes(array: np.ndarray) -> bytes:
    """Return an IDX file of unsigned bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, train: int = 12, test: int = 6, *, zipped: bool = False) -> dict[str, np.ndarray]:
    """Write the four files; return the arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        MD5_NAMES[0]: images(train, seed=1)[:, 0],
        MD5_NAMES[1]: np.arange(train) % 10,
        MD5_NAMES[2]: images(test, seed=2)[:, 0],
        MD5_NAMES[3]: np.arange(test) % 10,
    }
    for name, array in arrays.items():
        content = idx_bytes(array)
        (folder / (f"{name}.gz" if zipped else name)).write_bytes(gzip.compress(content) if zipped else content)
    return arrays


def write_folder(root: Path, count: int = 12, side: int = 28, *, classes: int = 2, mode: str = "L") -> Path:
    """Write class0/0.png ... and return the root."""
    for index in range(count):
        path = root / f"class{index % classes}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = images(1, 1 if mode == "L" else 3, side, seed=index)[0]
        Image.fromarray(pixels[0] if mode == "L" else pixels.transpose(1, 2, 0)).save(path)
    return root


def png_bytes(pixels: np.ndarray) -> bytes:
    """Return a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def cifar_records(count: int = 4) -> dict[str, np.ndarray]:
    """Return binary records (n, 3073) of six small batches."""
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    generator = np.random.default_rng(3)
    records = {name: generator.integers(0, 256, (count, 3073)).astype(np.uint8) for name in names}
    for batch in records.values():
        batch[:, 0] %= 10
    return records


def write_cifar(root: Path, form: str) -> dict[str, np.ndarray]:
    """Write the batches as `binary`, `python` or `png`."""
    root.mkdir(parents=True, exist_ok=True)
    records = cifar_records()
    for name, batch in records.items():
        if form == "binary":
            (root / f"{name}.bin").write_bytes(batch.tobytes())
        elif form == "python":
            content = {b"data": batch[:, 1:], b"labels": [int(value) for value in batch[:, 0]], b"batch_label": b"x"}
            (root / name).write_bytes(pickle.dumps(content, protocol=2))
        else:
            pixels = batch[:, 1:].reshape(-1, 3, 1024).transpose(0, 2, 1)
            (root / f"{name}.png").write_bytes(png_bytes(np.ascontiguousarray(pixels)))
    if form == "png":
        train = [int(value) for name in sorted(records)[:5] for value in records[name][:, 0]]
        (root / "train_lables.json").write_text(json.dumps(train))
        (root / "test_lables.json").write_text(json.dumps([int(value) for value in records["test_batch"][:, 0]]))
    return records


def recording(seed: int = 0, count: int = 300) -> Events:
    """Return random events, dense enough that denoising keeps some and drops some."""
    generator = np.random.default_rng(seed)
    x, y = generator.integers(0, 34, (2, count))
    t = np.sort(generator.integers(0, 315_000, count))
    return Events(x, y, t, generator.integers(0, 2, count))


def write_recordings(root: Path, *, train: int = 6, test: int = 4, form: str = "folders") -> None:
    """Write N-MNIST's layout: `folders` (Train/), `tonic` (train.zip) or `spikingjelly` (download/Train.zip)."""
    for split, count in (("Train", train), ("Test", test)):
        files = {f"{split}/{index % 2}/{index + 1:05d}.bin": encode_events(recording(index)) for index in range(count)}
        if form == "folders":
            for name, content in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(content)
            continue
        path = root / "download" / f"{split}.zip" if form == "spikingjelly" else root / f"{split.lower()}.zip"
        write_zip(path, files)


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    """Write a zip archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def jpeg_bytes(seed: int, mode: str = "RGB") -> bytes:
    """Return a JPEG of CelebA's size."""
    pixels = np.random.default_rng(seed).integers(0, 256, (14, 11, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((178, 218)).convert(mode).save(stream, format="JPEG")
    return stream.getvalue()


PARTITION = {1: 0, 2: 0, 3: 0, 4: 1, 5: 2, 6: 2}


def write_celeba(root: Path, form: str = "folder", lists: str = "txt") -> None:
    """Write six images: `zip`, `folder`, `nested`; and the splits as `txt` or Kaggle's `csv`."""
    root.mkdir(parents=True, exist_ok=True)
    files = {f"{number:06d}.jpg": jpeg_bytes(number) for number in PARTITION}
    if form == "zip":
        write_zip(
            root / "img_align_celeba.zip", {f"img_align_celeba/{name}": content for name, content in files.items()}
        )
    else:
        folder = root / "img_align_celeba" / ("img_align_celeba" if form == "nested" else "")
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    if lists == "txt":
        lines = [f"{number:06d}.jpg {part}" for number, part in PARTITION.items()]
    else:
        lines = ["image_id,partition", *(f"{number:06d}.jpg,{part}" for number, part in PARTITION.items())]
    (root / f"list_eval_partition.{lists}").write_text("\n".join(lines) + "\n")
