"""What a data set is: one YAML file, checked once, then frozen."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sgad.config.paths import find_config, is_file_name
from sgad.config.run import Name
from sgad.config.validation import validated
from sgad.config.yaml_files import read_yaml
from sgad.data.values import ValueRange
from sgad.errors import InputError

Shape = tuple[int, int, int]
Source = Literal[
    "sklearn-digits",
    "idx",
    "cifar",
    "cifar-binary",
    "cifar-python",
    "cifar-png",
    "image-folder",
    "celeba",
    "npz",
    "torchvision",
    "events",
    "simulated-events",
]
ResizeFilter = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Split = Literal["train", "valid", "test"]
Counts = dict[Split, Annotated[int, Field(ge=1)]]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]

#: The (C, H, W) for which networks exist, and their names.
FAMILIES: dict[Shape, str] = {
    (1, 28, 28): "28x28 grey",
    (2, 28, 28): "28x28 events",
    (3, 32, 32): "32x32 colour",
    (3, 64, 64): "64x64 colour",
}

#: Pixels along a side of N-MNIST's sensor.
SENSOR = 34
#: Sources whose values may have another range than the usual one.
RANGED = ("npz", "image-folder")
#: Where to look and how to get the files does not change what is prepared.
_NOT_CONTENT = {"places", "downloads", "manual"}
#: Keys that came later: where one has its default, a description has the hash that it had before.
_ADDED_LATER = ("range", "torchvision_arguments", "sensor")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExpectedFile(_Frozen):
    """Size in bytes and MD5 of a file's content; for a `.gz` file, of what is inside it."""

    size: int | None = Field(None, ge=1)
    md5: Md5 | None = None


class Download(_Frozen):
    """One file that `--download` fetches; `to` is relative to the first folder searched."""

    to: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$")
    urls: tuple[str, ...] = Field(min_length=1)
    size: int | None = Field(None, ge=1)
    md5: Md5

    @field_validator("to")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        if ".." in value.split("/"):
            raise ValueError("must stay inside the data folder (no `..`)")
        return value


class DatasetConfig(_Frozen):
    """One file of configs/datasets/."""

    name: Name
    title: str = Field(min_length=1)
    source: Source
    places: tuple[str, ...] = Field((), description="folders or archives, absolute, or inside the folders searched")
    include: str | None = Field(None, description="file names taken from an image folder, for example *.png")
    files: dict[str, ExpectedFile] = Field(default_factory=dict, description="by file name; each one found is checked")
    licence: str = ""
    citation: str = ""
    origin: str = Field("", description="where it comes from: an address or a sentence")

    shape: Shape | None = Field(None, description="[channels, height, width]; absent: as the images are")
    channels: Literal[1, 3] | None = Field(None, description="1: convert to grey; 3: colour, grey repeated")
    crop: int | Literal["square"] | None = Field(None, description="side of the centre crop, before resizing")
    resize: int | None = Field(None, ge=4, le=1024, description="side after resizing")
    resize_filter: ResizeFilter = Field("bilinear", description="Pillow's filter, antialiased when shrinking")
    range: ValueRange | None = Field(
        None, description="what values of an .npz or of image files mean: unit (0..1), symmetric (-1..1), byte (0..255)"
    )
    layout: Literal["NCHW", "NHWC"] | None = Field(None, description="axes of a 4-d array in .npz; absent: guessed")
    flip: bool = Field(False, description="random horizontal flips while training")
    classes: tuple[str, ...] | None = None
    counts: Counts | None = Field(None, description="samples that must be there")
    max_samples: Counts | None = Field(None, description="take only the first so many")
    test_size: float | int | None = Field(None, description="count or share cut off where there is no test split")
    reference_split: Split = Field("test", description="the split that generated images are compared with")

    torchvision_class: str | None = Field(None, description="class in torchvision.datasets, for source torchvision")
    torchvision_arguments: dict[str, Any] = Field(
        default_factory=dict, description="further arguments of that class; below `train` and `test` those of one split"
    )
    time_bins: int | None = Field(None, ge=1, le=1024, description="frames that a recording becomes, for events")
    denoise_us: int = Field(10_000, ge=0, description="filter time of the denoiser in microseconds; 0: none")
    sensor: int = Field(SENSOR, ge=2, le=240, description="pixels along a side of the square sensor, for events")
    base: Name | None = Field(None, description="28x28 data set that is recorded, for simulated-events")

    substitute_for: str | None = Field(None, description="the data set that this one stands in for")
    simulated: bool = False
    caption_note: str = Field("", description="said in every caption")

    downloads: tuple[Download, ...] = ()
    manual: str = Field("", description="how to get the files by hand")

    @field_validator("torchvision_class")
    @classmethod
    def _plain_name(cls, value: str | None) -> str | None:
        if value is not None and not value.isidentifier():
            raise ValueError("must be the name of a class in torchvision.datasets, for example SVHN")
        return value

    @field_validator("test_size")
    @classmethod
    def _positive(cls, value: float | int | None) -> float | int | None:
        if value is not None and (value <= 0 or (value >= 1 and value != int(value))):
            raise ValueError("must be a share between 0 and 1 or a whole number of samples")
        return value

    @model_validator(mode="after")
    def _keys_of_one_source(self) -> "DatasetConfig":
        if self.torchvision_arguments and self.source != "torchvision":
            raise ValueError(
                f"torchvision_arguments are known to source torchvision, not to {self.source}; leave it out"
            )
        if {"root", "download"} & set(self.torchvision_arguments):
            raise ValueError("torchvision_arguments must not hold root or download; use `places` and --download")
        if self.range is not None and self.source not in RANGED:
            raise ValueError(f"range is known to the sources {', '.join(RANGED)}, not to {self.source}; leave it out")
        if self.sensor != SENSOR and self.source != "events":
            raise ValueError(f"sensor is known to source events, not to {self.source}; leave it out")
        return self

    @model_validator(mode="after")
    def _agree(self) -> "DatasetConfig":
        if self.source == "torchvision" and self.torchvision_class is None:
            raise ValueError("source torchvision needs `torchvision_class: NAME`")
        if self.is_events and self.time_bins is None:
            raise ValueError(f"source {self.source} needs `time_bins: 4`, the number of frames of a recording")
        if self.source == "simulated-events" and (self.base is None or not self.simulated):
            raise ValueError("source simulated-events needs `base: NAME` (a 28x28 data set) and `simulated: true`")
        if self.shape is not None:
            require_family(self.shape)
            if self.channels is not None and self.channels != self.shape[0]:
                raise ValueError(f"channels {self.channels} and shape {list(self.shape)} disagree; leave channels out")
            if self.resize is not None and self.shape[1:] != (self.resize, self.resize):
                raise ValueError(f"resize {self.resize} and shape {list(self.shape)} disagree; make them equal")
        for field, counts in (("counts", self.counts), ("max_samples", self.max_samples)):
            if counts is not None and not {"train", "test"} <= set(counts):
                raise ValueError(f"{field} needs both splits, for example `{field}: {{train: 60000, test: 10000}}`")
        if isinstance(self.crop, int) and self.crop < 1:
            raise ValueError(f"crop must be at least 1 or `square`, got {self.crop}")
        return self

    @property
    def is_events(self) -> bool:
        """Whether samples are event frames (T, C, H, W) rather than images (C, H, W)."""
        return self.source in ("events", "simulated-events")

    @property
    def kind(self) -> Literal["images", "events"]:
        """What a sample is."""
        return "events" if self.is_events else "images"

    @property
    def target_channels(self) -> int | None:
        """Channels after preprocessing, or None to keep those of the images."""
        return self.shape[0] if self.shape is not None else self.channels

    def hash(self) -> str:
        """SHA-256 (16 hex digits) of everything but where and how the files are found."""
        content = self.model_dump(mode="json", exclude=_NOT_CONTENT)
        for key in _ADDED_LATER:
            if content[key] == type(self).model_fields[key].get_default(call_default_factory=True):
                del content[key]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def resize_advice(channels: int) -> str:
    """The keys that bring images of so many channels to a size for which there are networks."""
    sizes = {1: "`resize: 28`", 3: "`resize: 32` or `resize: 64`"}
    return sizes.get(channels, "`channels: 1` and `resize: 28`, or `channels: 3` and `resize: 32`")


def require_family(shape: Shape) -> str:
    """The name of the network family that takes (C, H, W).

    Raises
    ------
    ValueError
        If none does; the sentence lists those that exist and offers `resize` and `channels`.
    """
    if shape in FAMILIES:
        return FAMILIES[shape]
    known = ", ".join(f"{'x'.join(map(str, known))} ({title})" for known, title in FAMILIES.items())
    raise ValueError(
        f"shape {'x'.join(map(str, shape))} fits no network (channels x height x width may be {known});"
        f" add {resize_advice(shape[0])} to the description"
    )


def load_description(name_or_path: str | Path) -> DatasetConfig:
    """A data set's description, by its name in configs/datasets/ or by the path of its YAML file.

    Places in a file given by its path may be relative to that file.

    Raises
    ------
    InputError
        If there is none, or a key or value in it is wrong.
    """
    text = str(name_or_path)
    is_path = is_file_name(text)
    path = find_config("datasets", text)
    content: dict[str, Any] = read_yaml(path)
    content.setdefault("name", path.stem)
    description = validated(DatasetConfig, content, str(path))
    if description.name != path.stem:
        raise InputError(f"{path}: name is {description.name!r} but the file is named {path.name}; make them equal")
    if is_path:
        nearby = tuple(str(path.resolve().parent / place) for place in description.places)
        description = description.model_copy(update={"places": tuple(dict.fromkeys(description.places + nearby))})
    return description


def remedy(description: DatasetConfig) -> str:
    """What the user can do where files are absent, as the end of a sentence."""
    return _ways(description) or "check the `places` of its description, or give the folder with --from DIR"


def fetch_again(description: DatasetConfig) -> str:
    """What the user can do where files are damaged or incomplete, as the end of a sentence."""
    return _ways(description) or "get the files again from where they came"


def _ways(description: DatasetConfig) -> str:
    steps = []
    if description.downloads:
        steps.append(f"run `sgad prepare {description.name} --download`")
    if description.manual:
        steps.append(" ".join(description.manual.split()))
    return " or ".join(steps)
