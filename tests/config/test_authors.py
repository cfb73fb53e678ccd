"""The authors' YAML files: all of their keys, six files as the release has them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sgad.config.authors import resolve_authors_file
from sgad.errors import InputError

COMMON: dict[str, Any] = {
    "save_every": 5,
    "data_path": "../data",
    "epochs": 100,
    "batch_size": 64,
    "lr_D": 0.0002,
    "lr_G": 0.0002,
    "is_scheduler": False,
    "n_steps": 16,
    "encode_type": "direct",
    "device": "cuda:0",
    "net_D_direct_input": True,
    "is_data_normlized": False,
    "latent_dim": 10,
    "is_mem": True,
    "from_checkpoint": False,
    "checkpoint_path": "",
    "scoring_mode": "AttentionScoring_1",
}
#: file name -> (what differs from COMMON, our data set, our model)
FILES: dict[str, tuple[dict[str, Any], str, str]] = {
    "sgad_mnist": ({"dataset": "MNIST"}, "mnist", "sgad"),
    "swgan_mnist": ({"dataset": "MNIST"}, "mnist", "swgan"),
    "sgan_mnist": (
        {"dataset": "MNIST", "lr_D": 0.0004, "latent_dim": 100, "net_D_direct_input": False},
        "mnist",
        "sgan",
    ),
    "sgad_celeba": (
        {
            "dataset": "CelebA",
            "lr_D": 1.5e-4,
            "lr_G": 1.5e-4,
            "latent_dim": 20,
            "scoring_mode": "AttentionScoring_RGB",
        },
        "celeba",
        "sgad",
    ),
    "swgan_celeba": ({"dataset": "CelebA", "latent_dim": 20}, "celeba", "swgan"),
    "nmnist_28": (
        {
            "name": "sgad_nmnist_28_denoise",
            "dataset": "dvs_mnist_28_denoise",
            "n_steps": 4,
            "batch_size": 128,
            "save_every": 10,
            "scoring_mode": "AttentionScoring_RGB",
        },
        "nmnist",
        "sgad",
    ),
}


def write(folder: Path, name: str, **changes: Any) -> Path:
    """Write one of the six files, with changes, and return its path."""
    content = {"name": name, **COMMON, **FILES[name][0], **changes}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"Network": content}))
    return path


@pytest.mark.parametrize("name", FILES)
def test_each_of_the_six_files_gives_the_papers_run(tmp_path: Path, name: str) -> None:
    changes, dataset, model = FILES[name]
    run = resolve_authors_file(write(tmp_path, name))
    config = run.resolved.config
    assert (config.dataset, config.model, config.variant) == (dataset, model, "paper")
    assert config.lr_discriminator == changes.get("lr_D", 2e-4)
    assert config.latent_dim == changes.get("latent_dim", 10)
    assert config.time_steps == changes.get("n_steps", 16)
    assert config.checkpoint_epochs == changes.get("save_every", 5)
    assert config.quirks.generator_run_twice
    assert run.data_path == Path("../data")
    assert run.device == "cuda:0"
    if model == "sgad":
        assert config.scoring_mode == changes.get("scoring_mode", "AttentionScoring_1")


def test_every_key_reaches_the_configuration(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "sgad_mnist",
        is_scheduler=True,
        is_data_normlized=True,
        encode_type="TTFS",
        from_checkpoint=True,
        checkpoint_path="old.pth",
        dataset="FashionMNIST",
        is_mem=False,
    )
    run = resolve_authors_file(path, {"max_steps": 1}, seed=3)
    config = run.resolved.config
    assert (config.schedule, config.pixel_range, config.encoder) == ("cosine", "symmetric", "ttfs")
    assert (config.from_checkpoint, config.dataset, config.max_steps, config.seed) == (
        "old.pth",
        "fashion_mnist",
        1,
        3,
    )
    assert "is_mem" in run.notes[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"dataset": "LSUN"}, "dataset = 'LSUN'"),
        ({"n_steps": 0}, "n_steps = 0"),
        ({"from_checkpoint": True}, "checkpoint_path is empty"),
        ({"scoring_mode": "Attention"}, "scoring_mode = 'Attention'"),
    ],
)
def test_wrong_values_name_file_and_field(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write(tmp_path, "sgad_mnist", **changes)
    with pytest.raises(InputError, match=message) as error:
        resolve_authors_file(path)
    assert "sgad_mnist.yaml" in str(error.value)
