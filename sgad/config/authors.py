"""The authors' YAML files (top key `Network`), read as they are.

Their keys, with the spelling of the release: save_every, name, data_path, epochs, batch_size, lr_D, lr_G, is_scheduler,
n_steps, encode_type, device, net_D_direct_input, dataset, is_data_normlized, latent_dim, is_mem, from_checkpoint,
checkpoint_path, scoring_mode. None of them says which model is trained (the release has one script a model): it is taken
from `name`, then from the file's name, as in sgad_mnist, swgan_celeba, sgan_mnist; where neither names one, it must be given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sgad.config.compose import Resolved, resolve
from sgad.config.validation import validated
from sgad.config.yaml_files import read_yaml
from sgad.errors import InputError

DATASETS = {
    "MNIST": "mnist",
    "FashionMNIST": "fashion_mnist",
    "CIFAR10": "cifar10",
    "CelebA": "celeba",
    "dvs_mnist_28_denoise": "nmnist",
}


#: Scripts of the release; a name may hold only one of them.
MODELS = ("sgad", "swgan", "sgan", "hybrid")
#: Their key -> ours, for all models alike.
KEYS = {
    "epochs": "epochs",
    "batch_size": "batch_size",
    "lr_D": "lr_discriminator",
    "lr_G": "lr_generator",
    "is_scheduler": "schedule",
    "n_steps": "time_steps",
    "encode_type": "encoder",
    "is_data_normlized": "pixel_range",
    "latent_dim": "latent_dim",
    "save_every": "checkpoint_epochs",
}
_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "is_scheduler": lambda value: "cosine" if value else "none",
    "is_data_normlized": lambda value: "symmetric" if value else "unit",
}


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class AuthorsNetwork(BaseModel):
    """The keys under `Network`; defaults are those of the release's own files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    save_every: int = Field(5, ge=1)
    name: str = ""
    data_path: str = "../data"
    epochs: int = Field(100, ge=1)
    batch_size: int = Field(64, ge=2)
    lr_D: float = Field(2e-4, gt=0)
    lr_G: float = Field(2e-4, gt=0)
    is_scheduler: bool = False
    n_steps: int = Field(16, ge=1)
    encode_type: Annotated[Literal["direct", "rate", "ttfs"], BeforeValidator(_lower)] = "direct"
    device: str = "cuda:0"
    net_D_direct_input: bool = True
    dataset: Literal["MNIST", "FashionMNIST", "CIFAR10", "CelebA", "dvs_mnist_28_denoise"]
    is_data_normlized: bool = False
    latent_dim: int = Field(10, ge=1)
    is_mem: bool = True
    from_checkpoint: bool = False
    checkpoint_path: str = ""
    scoring_mode: str = "AttentionScoring_1"


@dataclass(frozen=True)
class Reading:
    """What became of one key of a file: `meaning` starts with "ignored" where nothing did."""

    key: str
    value: Any
    meaning: str

    def __str__(self) -> str:
        return f"{self.key}: {self.value} -> {self.meaning}"

    @property
    def is_ignored(self) -> bool:
        """Whether the key changes nothing."""
        return self.meaning.startswith("ignored")


@dataclass(frozen=True)
class AuthorsRun:
    """What an authors' file asks for: a configuration, where its data is, the device that it names, each key's meaning."""

    resolved: Resolved
    data_path: Path
    device: str
    readings: tuple[Reading, ...] = ()


def is_authors_file(content: Mapping[str, Any]) -> bool:
    """Whether parsed YAML is one of the authors' files."""
    return "Network" in content


def resolve_authors_file(
    path: Path | str, settings: Mapping[str, Any] | None = None, seed: int | None = None, model: str | None = None
) -> AuthorsRun:
    """What an authors' file asks for.

    Parameters
    ----------
    model
        The model to train, for a file that names none.

    Raises
    ------
    InputError
        If a key is unknown, a value is not one that the release's scripts take, or no model or another one is named.
    """
    content = read_yaml(path)
    others = [key for key in content if key != "Network"]
    if others or not isinstance(content.get("Network"), dict):
        raise InputError(
            f"{path}: an authors' file holds the one key `Network` with its values below it;"
            f" remove {', '.join(map(str, others)) or 'what is not `key: value` there'}"
        )
    network = validated(AuthorsNetwork, content["Network"], f"{path} (Network)")
    if network.from_checkpoint and not network.checkpoint_path:
        raise InputError(f"{path} (Network): from_checkpoint is True but checkpoint_path is empty; name the .pth file")
    model, origin = _model_of(network, Path(path), model)
    resolved = resolve(
        DATASETS[network.dataset],
        model,
        "paper",
        0 if seed is None else seed,
        file_values=_values(network, model),
        source=str(path),
        settings=settings,
    )
    # The authors start their scripts from the folder above train/, and write paths relative to it.
    return AuthorsRun(
        resolved, Path(network.data_path), network.device, _readings(network, content["Network"], model, origin)
    )


def _model_of(network: AuthorsNetwork, path: Path, given: str | None) -> tuple[str, str]:
    """The model to train and what names it."""
    for origin, text in (("`name`", network.name.lower()), ("the file's name", path.stem.lower())):
        named = [model for model in MODELS if model in text]
        if len(named) > 1:
            raise InputError(f"{path}: {origin} names {' and '.join(named)}; leave one of them in it")
        if named and given not in (None, named[0]):
            raise InputError(f"{path}: {origin} names the model {named[0]}, --model says {given}; leave --model out")
        if named:
            return named[0], origin
    if given is None:
        raise InputError(
            f"{path}: neither `name` ({network.name!r}) nor the file's name says which model is trained; give"
            f" --model {', '.join(MODELS[:-1])} or {MODELS[-1]}"
        )
    return given, "--model"


def _values(network: AuthorsNetwork, model: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        ours: _CONVERTED.get(theirs, lambda value: value)(getattr(network, theirs)) for theirs, ours in KEYS.items()
    }
    if model == "sgad":
        values["scoring_mode"] = network.scoring_mode
    if network.from_checkpoint:
        values["from_checkpoint"] = network.checkpoint_path
    return values


def _readings(network: AuthorsNetwork, given: Mapping[str, Any], model: str, origin: str) -> tuple[Reading, ...]:
    values = _values(network, model)
    meanings = {theirs: f"{ours}: {values[ours]}" for theirs, ours in KEYS.items()}
    direct = "flattened images" if network.net_D_direct_input else "encoded images"
    meanings |= {
        "dataset": f"dataset: {DATASETS[network.dataset]}",
        "name": f"model: {model} (named by {origin})",
        "data_path": "where raw data is looked for, unless it is prepared",
        "device": "device, unless --device is given",
        "net_D_direct_input": f"ignored: {direct} for the critic, which the model decides here",
        # Its critics return m[T] / T whatever it says; False only sums that score over the batch once more.
        "is_mem": "ignored: in the release False only rescales the score by batch_size / n_steps",
        "from_checkpoint": f"from_checkpoint: {network.checkpoint_path}"
        if network.from_checkpoint
        else "no start weights",
        "checkpoint_path": "see from_checkpoint" if network.from_checkpoint else "ignored: from_checkpoint is False",
        "scoring_mode": f"scoring_mode: {network.scoring_mode}" if model == "sgad" else f"ignored: {model} has none",
    }
    content = network.model_dump()
    own = {key: "" if key in given or key == "name" else "; not in the file, the release's value" for key in content}
    return tuple(Reading(key, content[key], meanings[key] + own[key]) for key in AuthorsNetwork.model_fields)
