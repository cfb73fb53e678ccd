"""From the name of a source to its reader."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from sgad.data.description import DatasetConfig
from sgad.data.sources.base import RawData
from sgad.data.sources.celeba import read_celeba
from sgad.data.sources.cifar import read_cifar
from sgad.data.sources.folder import read_folder
from sgad.data.sources.idx import read_idx
from sgad.data.sources.npz import read_npz

Reader = Callable[[Path, DatasetConfig], RawData | None]


def reader_of(description: DatasetConfig, *, download: bool = False) -> Reader:
    """The function that reads one place; those with heavy imports are imported when asked for."""
    if description.source == "torchvision":
        from sgad.data.sources.vision import read_torchvision

        return partial(read_torchvision, download=download)
    if description.source == "events":
        from sgad.data.sources.recordings import read_recordings

        return read_recordings
    if description.source == "idx":
        return read_idx
    if description.source == "npz":
        return read_npz
    if description.source == "celeba":
        return read_celeba
    return read_folder if description.source == "image-folder" else read_cifar
