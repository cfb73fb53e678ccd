"""Which files make a feature network available, and what to say when they are absent."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sgad.catalogue.networks import INCEPTION, PIXELS
from sgad.errors import InputError
from sgad.measures.extractors.features import Extractor, Floats
from sgad.measures.extractors.weights import DOWNLOAD_COMMAND, checkpoint_folder, find_inception_weights
from sgad.measures.images import Bytes, EventView

#: Name of the published autoencoder of each data set, looked for in torch's folder and in $SGAD_FAD_DIR.
FSVAE_NAMES = {
    "mnist": "mnist_64",
    "fashion_mnist": "fashion_64",
    "cifar10": "cifar10_128",
    "celeba": "celeba_128",
}


#: Data sets whose classifiers come with the package (`sgad.measures.extractors.shipped`).
SHIPPED = ("cifar10", "digits", "faces", "fashion_mnist", "mnist", "nmnist_sim")


class Missing(Exception):
    """A network that cannot be had here: why, and the command or option that fixes it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True)
class Sources:
    """Where weights may come from: `data`, the prepared data set's folder, and files given by the user."""

    data: Path | None = None
    classifier: Path | None = None
    #: Name of a data set whose shipped classifiers are taken, whatever the images are.
    shipped: str | None = None
    inception: Path | None = None
    fsvae: Path | None = None
    own: Path | None = None
    device: str = "cpu"
    half: bool = False
    event_view: EventView | None = None


def load_network(network: str, sources: Sources) -> list[Extractor]:
    """The extractors of a network: three classifiers, or one of the others.

    Raises
    ------
    Missing
        If its weights are nowhere to be found.
    InputError
        If a given file is not what it should be.
    """
    if network == "classifier":
        return _classifiers(sources)
    if network == PIXELS:
        return [pixel_features()]
    if network in INCEPTION:
        return [_inception(network, sources)]
    return [_own(sources) if network == "fad_own" else _fsvae(network, sources)]


def pixel_features() -> Extractor:
    """The images themselves, as float32 in 0..1: features (B, C H W) without any weights."""

    def compute(images: Bytes) -> tuple[Floats, None]:
        values: Floats = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
        return values, None

    return Extractor(
        key=PIXELS,
        protocol="pixels, 0..1",
        sha256=hashlib.sha256(b"pixels").hexdigest(),
        compute=compute,
        largest_batch=1024,
    )


def _classifiers(sources: Sources) -> list[Extractor]:
    if sources.shipped is not None:
        return _shipped_classifiers(sources.shipped, sources.device)
    folder = sources.classifier or (sources.data / "classifier" if sources.data is not None else None)
    if folder is None:
        raise Missing(
            "no classifier without a data set",
            f"give --dataset NAME, or --extractor {', '.join(SHIPPED)} or pixels, which need no file of yours",
        )
    if sources.classifier is None:
        _take_shipped(sources.data, "classifier.json")
    if not (folder / "classifier.json").is_file():
        name = sources.data.name if sources.data is not None else "DATASET"
        raise Missing("classifier absent", f"sgad classifier {name}")
    from sgad.machine.files import read_json
    from sgad.measures.extractors.classifier import load_classifiers

    record = read_json(folder / "classifier.json")
    if str(record.get("status", "")).startswith("not trained"):
        raise Missing("no labels to train a classifier on", "measure fad_own instead")
    view = record.get("event_view")
    if view is not None and sources.event_view not in (None, view):
        raise Missing(f"the classifier was trained on {view} events", f"measure with --events {view}")
    return load_classifiers(folder, sources.device)


def _shipped_classifiers(name: str, device: str) -> list[Extractor]:
    from sgad.measures.extractors.classifier import load_classifiers
    from sgad.measures.extractors.shipped import FOLDER, unpack

    with tempfile.TemporaryDirectory() as folder:
        unpack(max(FOLDER.glob(f"{name}-*.safetensors")), Path(folder))
        return load_classifiers(folder, device)


def _inception(network: str, sources: Sources) -> Extractor:
    path = find_inception_weights(sources.inception)
    if path is None:
        raise Missing("weights absent", f"{DOWNLOAD_COMMAND}, or --weights PATH")
    from sgad.measures.extractors.inception import load_inception

    return load_inception(path, network.removeprefix("inception_"), device=sources.device, half=sources.half)


def _fsvae(network: str, sources: Sources) -> Extractor:
    path = sources.fsvae or _find_fsvae(sources.data)
    if path is None:
        raise Missing("weights absent", "--weights PATH of the FSVAE autoencoder, or put it into $SGAD_FAD_DIR")
    from sgad.measures.extractors.autoencoder import load_fsddim, load_published

    if network == "fad_fsddim":
        return load_fsddim(path, sources.device)
    return load_published(path, train_mode=network == "fad_fsvae", device=sources.device)


def _find_fsvae(data: Path | None) -> Path | None:
    name = FSVAE_NAMES.get(data.name) if data is not None else None
    if name is None:
        return None
    given = os.environ.get("SGAD_FAD_DIR")
    for folder in (Path(given) if given else None, checkpoint_folder()):
        for suffix in (".safetensors", ".pth"):
            if folder is not None and (folder / f"{name}{suffix}").is_file():
                return folder / f"{name}{suffix}"
    return None


def _take_shipped(data: Path | None, name: str) -> None:
    """Put the networks that come with the package next to a prepared data set that has none of its own."""
    if data is None or (data / "classifier" / name).is_file() or not (data / "manifest.json").is_file():
        return
    from sgad.machine.files import read_json
    from sgad.measures.extractors.shipped import find_shipped, unpack

    found = find_shipped(data.name, str(read_json(data / "manifest.json").get("content_hash", "")))
    if found is not None:
        unpack(found, data / "classifier")


def _own(sources: Sources) -> Extractor:
    if sources.own is None:
        _take_shipped(sources.data, "autoencoder.safetensors")
    path = sources.own or (sources.data / "classifier" / "autoencoder.safetensors" if sources.data else None)
    if path is None or not path.is_file():
        raise Missing(
            "own autoencoder absent",
            f"sgad classifier {sources.data.name if sources.data else 'DATASET'} --autoencoder",
        )
    from sgad.measures.extractors.autoencoder import load_own

    return load_own(path, sources.event_view, sources.device)


def identify_weights(path: Path) -> str:
    """Which network a file or folder holds: "classifier", "inception", "fsvae" or "own".

    Raises
    ------
    InputError
        If it does not exist or is none of these.
    """
    if path.is_dir():
        if (path / "classifier.json").is_file():
            return "classifier"
        raise InputError(
            f"{path} is a folder without classifier.json; give one that `sgad classifier` wrote, or a file"
        )
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the path of a weights file")
    if path.name == "autoencoder.safetensors":
        return "own"
    from sgad.measures.extractors.building import weight_names

    names = weight_names(path)
    if any(name.endswith("latent_layer.weight") for name in names):
        return "fsvae"
    if "Conv2d_1a_3x3.conv.weight" in names:
        return "inception"
    raise InputError(f"{path} holds neither the FID Inception nor the FSVAE autoencoder; give one of these")
