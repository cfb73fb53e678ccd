"""The authors' YAML files (top key `Network`), read as they are.

Their keys, with the spelling of the release: save_every, name, data_path, epochs, batch_size, lr_D, lr_G, is_scheduler,
n_steps, encode_type, device, net_D_direct_input, dataset, is_data_normlized, latent_dim, is_mem, from_checkpoint,
checkpoint_path, scoring_mode. Which model is trained stands in none of them (the release has one script a model): it is
taken from `name`, then from the file's name, as in sgad_mnist, swgan_celeba, sgan_mnist.
"""

from collections.abc import Mapping
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
class AuthorsRun:
    """What an authors' file asks for: a configuration, where its data lies, and the device that it names."""

    resolved: Resolved
    data_path: Path
    device: str
    notes: tuple[str, ...] = ()


def is_authors_file(content: Mapping[str, Any]) -> bool:
    """Return whether parsed YAML is one of the authors' files."""
    return "Network" in content


def resolve_authors_file(
    path: Path | str, settings: Mapping[str, Any] | None = None, seed: int | None = None
) -> AuthorsRun:
    """Return what an authors' file asks for.

    Raises
    ------
    InputError
        If a key is unknown or a value is not one that the release's scripts take.
    """
    content = read_yaml(path)
    others = [key for key in content if key != "Network"]
    if others or not isinstance(content.get("Network"), dict):
        raise InputError(f"{path}: an authors' file holds the one key `Network` with its values below it")
    network = validated(AuthorsNetwork, content["Network"], f"{path} (Network)")
    if network.from_checkpoint and not network.checkpoint_path:
        raise InputError(f"{path} (Network): from_checkpoint is True but checkpoint_path is empty; name the .pth file")
    model = _model_of(network, Path(path))
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
    notes = () if network.is_mem else (_IS_MEM_NOTE,)
    return AuthorsRun(resolved, Path(network.data_path), network.device, notes)


# The release's critics return m[T] / T whatever is_mem says; False only sums that score over the batch once more.
_IS_MEM_NOTE = "is_mem: False only rescales the score by batch_size / n_steps in the release; read as True"


def _model_of(network: AuthorsNetwork, path: Path) -> str:
    for text in (network.name.lower(), path.stem.lower()):
        for model in ("sgad", "swgan", "sgan", "hybrid"):
            if model in text:
                return model
    # Only the SGAN script takes flattened images.
    return "sgad" if network.net_D_direct_input else "sgan"


def _values(network: AuthorsNetwork, model: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "epochs": network.epochs,
        "batch_size": network.batch_size,
        "lr_discriminator": network.lr_D,
        "lr_generator": network.lr_G,
        "schedule": "cosine" if network.is_scheduler else "none",
        "time_steps": network.n_steps,
        "encoder": network.encode_type,
        "pixel_range": "symmetric" if network.is_data_normlized else "unit",
        "latent_dim": network.latent_dim,
        "checkpoint_epochs": network.save_every,
    }
    if model == "sgad":
        values["scoring_mode"] = network.scoring_mode
    if network.from_checkpoint:
        values["from_checkpoint"] = network.checkpoint_path
    return values
