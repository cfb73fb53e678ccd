"""A small classifier of the data set itself: the feature network where Inception's photographs say little.

Two convolutions and a layer of 64 features, trained on the train split. Its distance (CFD) and score (CCS)
rank models of one data set; values of two classifiers differ by 12-25 %, so three are trained and mean and
range reported.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from sgad.errors import InputError, RunFailure
from sgad.machine.files import atomic_write, read_json, sha256_of, write_json
from sgad.machine.progress import Progress
from sgad.machine.stand_ins import damaged
from sgad.measures.extractors.building import empty_network, initialise
from sgad.measures.extractors.features import Extractor, Floats, as_numpy, short_hash
from sgad.measures.images import EVENT_VIEWS, Bytes, EventView, ImageSet
from sgad.measures.readers import open_labels, open_split, reference_split

RECORD = "classifier.json"
ARCHITECTURE = "conv3x3-16, pool, conv3x3-32, pool, average to 7x7, linear 64, ReLU, linear"
FEATURES = 64
TRAINING_IMAGES = 20_000
#: Images a classifier sees in training, all epochs together: 2 epochs of 20,000, or more of fewer.
IMAGES_SEEN = 40_000
LARGEST_EPOCHS = 15
BATCH = 100
LEARNING_RATE = 1e-3
TEST_IMAGES = 10_000


class SmallClassifier(nn.Module):
    """Images (B, C, H, W) in [0, 1] to logits; any H and W from 28 on."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.features = nn.Linear(32 * 7 * 7, FEATURES)
        self.classes = nn.Linear(FEATURES, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The features (B, 64), before their ReLU, and the logits (B, classes)."""
        x = functional.max_pool2d(functional.relu(self.conv1(images)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.adaptive_avg_pool2d(x, 7)
        features = self.features(x.flatten(1))
        return features, self.classes(functional.relu(features))


@dataclass(frozen=True)
class _Split:
    images: Tensor
    labels: Tensor


def train_classifiers(
    data_folder: Path | str,
    out_folder: Path | str,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    images: int = TRAINING_IMAGES,
    event_view: EventView = "mean",
    epochs: int | None = None,
    autoencoder: bool = False,
) -> dict[str, Any]:
    """Train a classifier a seed on the train split; write classifier{index}.safetensors, classifier.json.

    Returns the content of classifier.json. The same data, seeds and thread count give the same files; the
    global random state is neither read nor changed. `autoencoder` trains the data set's own autoencoder, too
    (`fad_own`); a data set without labels gets that alone, and a classifier.json that says so.

    Raises
    ------
    InputError
        If the data set is not prepared, or has a single class.
    """
    data, out = Path(data_folder), Path(out_folder)
    train = open_split(data, "train")
    labels = open_labels(data, "train", len(train))
    record: dict[str, Any] = {
        "data_hash": read_json(data / "manifest.json").get("content_hash", ""),
        "shape": list(train.viewed(event_view).shape),
        "event_view": event_view if train.is_events else None,
        "architecture": ARCHITECTURE,
    }
    if labels is None:
        status = f"not trained: {data} has no labels (its own autoencoder gives fad_own instead)"
        record |= {"status": status, "accuracy": [], "seeds": [], "sha256": [], "test_n": 0}
    elif len(np.unique(labels)) < 2:
        raise InputError(f"{data}: the train split has a single class; a classifier needs at least two")
    else:
        subset = _subset(train.viewed(event_view), labels, images, seed=0)
        record |= _train_all(subset, _test_split(data, event_view), seeds, epochs, out)
    if autoencoder or labels is None:
        from sgad.measures.extractors.autoencoder import train_autoencoder

        record["autoencoder"] = train_autoencoder(data, out, event_view=event_view, epochs=epochs)
    write_json(out / RECORD, record)
    return record


def _train_all(train: _Split, test: _Split, seeds: Sequence[int], epochs: int | None, out: Path) -> dict[str, Any]:
    """Train, test and save one classifier a seed; return what classifier.json says of them."""
    classes = int(max(train.labels.max(), test.labels.max())) + 1
    epochs = epochs or max(1, min(LARGEST_EPOCHS, round(IMAGES_SEEN / len(train.labels))))
    accuracies: list[float] = []
    hashes: list[str] = []
    with Progress(len(seeds) * epochs, title=f"classifiers in {out}", unit="epochs") as progress:
        for index, seed in enumerate(seeds):
            network = _fit(train, classes, seed, epochs, progress)
            _normalise(network, train)
            accuracies.append(_accuracy(network, test))
            hashes.append(_save(network, out / f"classifier{index}.safetensors"))
    return {
        "status": "trained",
        "classes": classes,
        "accuracy": accuracies,
        "seeds": list(seeds),
        "sha256": hashes,
        "train_n": len(train.labels),
        "epochs": epochs,
        "test_n": len(test.labels),
    }


def _subset(images: ImageSet, labels: NDArray[np.int64], count: int, seed: int) -> _Split:
    chosen = np.arange(len(images))
    if count < len(images):
        # Labels may be sorted: the first ones would leave classes out.
        chosen = np.sort(np.random.default_rng(seed).choice(len(images), count, replace=False))
    return _Split(torch.from_numpy(images.read(chosen).copy()), torch.from_numpy(labels[chosen]))


def _test_split(data: Path, event_view: EventView) -> _Split:
    test = open_split(data)
    split = reference_split(data)
    labels = open_labels(data, split, len(test))
    if labels is None:
        raise InputError(f"{data} has labels in its train split, not in its {split} split; prepare it again")
    return _subset(test.viewed(event_view), labels, TEST_IMAGES, seed=0)


def _fit(data: _Split, classes: int, seed: int, epochs: int, progress: Progress) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    network = empty_network(SmallClassifier, data.images.shape[1], classes)
    initialise(network, generator)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    network.train()
    for _ in range(epochs):
        order = torch.randperm(len(data.labels), generator=generator)
        for batch in order.split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            _, logits = network(to_unit(data.images[batch]))
            loss = functional.cross_entropy(logits, data.labels[batch])
            loss.backward()
            optimizer.step()
        if not math.isfinite(loss.item()):
            raise RunFailure(f"the classifier of seed {seed} diverged; its data may hold values outside 0..255")
        progress.update(1, f"loss {loss.item():.3f}")
    return network.eval()


@torch.no_grad()
def _normalise(network: nn.Module, data: _Split) -> None:
    """Scale the features to mean square 1 on the training images; the next layer takes it back.

    Otherwise each training would set a unit of its own, and a cubic kernel would live on the sixth power of
    it.
    """
    squares = [network(to_unit(block))[0].double().pow(2).mean(1) for block in data.images.split(1000)]
    scale = float(torch.cat(squares).mean().sqrt())
    network.get_parameter("features.weight").div_(scale)
    network.get_parameter("features.bias").div_(scale)
    network.get_parameter("classes.weight").mul_(scale)


def to_unit(images: Tensor) -> Tensor:
    """Uint8 images as float32 in [0, 1]."""
    return images.float() / 255


@torch.no_grad()
def _accuracy(network: nn.Module, test: _Split) -> float:
    right = 0
    for images, labels in zip(test.images.split(1000), test.labels.split(1000), strict=True):
        right += int((network(to_unit(images))[1].argmax(1) == labels).sum())
    return right / len(test.labels)


def _save(network: nn.Module, path: Path) -> str:
    with atomic_write(path) as temporary:
        save_file({name: value.contiguous() for name, value in network.state_dict().items()}, temporary)
    return sha256_of(path)


def load_classifiers(folder: Path | str, device: str = "cpu") -> list[Extractor]:
    """The classifiers of a folder that `train_classifiers` wrote, one extractor each.

    Raises
    ------
    InputError
        If a file is absent or is not the one that classifier.json names.
    """
    folder = Path(folder)
    record = read_json(folder / RECORD)
    if not isinstance(record, dict) or record.get("status") != "trained":
        reason = record.get("status", "") if isinstance(record, dict) else ""
        raise InputError(f"{folder} holds no classifiers: {reason or 'broken ' + RECORD}")
    return [
        _extractor(folder / f"classifier{index}.safetensors", record, index, device)
        for index in range(len(record["sha256"]))
    ]


def _extractor(path: Path, record: dict[str, Any], index: int, device: str) -> Extractor:
    expected = record["sha256"][index]
    if not path.is_file() or sha256_of(path) != expected:
        raise damaged(path, f"is not the file that {path.parent / RECORD} names; run `sgad classifier` again")
    channels = int(record["shape"][0])
    network = empty_network(SmallClassifier, channels, int(record["classes"]))
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise InputError(f"{path} does not hold this classifier; run `sgad classifier` again") from error
    network.eval().to(device)

    @torch.no_grad()
    def compute(images: Bytes) -> tuple[Floats, Floats | None]:
        if images.shape[1] != channels:
            raise InputError(f"{path} takes images of {channels} channel(s), got {images.shape[1]}")
        features, logits = network(to_unit(torch.from_numpy(images).to(device)))
        return as_numpy(features), as_numpy(logits)

    view = record.get("event_view")
    return Extractor(
        key="classifier",
        protocol=f"small classifier {short_hash(expected)}, evaluation mode"
        + (f", {EVENT_VIEWS[view]}" if view else ""),
        sha256=expected,
        compute=compute,
        bytes_per_image=200 * int(np.prod(record["shape"])) + 4096,
        largest_batch=500,
    )
