"""The authors' YAML files: all of their keys, six files as the release has them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from sgad.cli import cli
from sgad.config.authors import resolve_authors_file
from sgad.data.description import DatasetConfig
from sgad.data.prepare import prepare
from sgad.errors import InputError
from sgad.runs.record import read_record

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


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with a few made-up samples of each data set that the files name, in its own shape."""
    root = tmp_path_factory.mktemp("stand-ins")
    draw = np.random.default_rng(0)
    for name, shape in (("mnist", (1, 28, 28)), ("celeba", (3, 64, 64))):
        images = draw.integers(0, 256, (6, *shape)).astype(np.uint8)
        np.savez(root / f"{name}.npz", x_train=images, x_test=images)
        description = DatasetConfig.model_validate({"name": name, "title": name, "source": "npz"})
        prepare(description, [root / f"{name}.npz"], root / "data" / name)
    values = {"base": "digits", "simulated": True, "time_bins": 4, "max_samples": {"train": 6, "test": 2}}
    events = DatasetConfig.model_validate({"name": "nmnist", "title": "events", "source": "simulated-events", **values})
    prepare(events, [], root / "data" / "nmnist")
    return root


@pytest.mark.parametrize("name", FILES)
def test_each_of_the_six_files_trains(
    tmp_path: Path, stand_ins: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One update pair of a small batch through the command line, in the networks that the file names."""
    monkeypatch.chdir(stand_ins)
    words = [str(write(tmp_path, name)), "--out", str(tmp_path / "run"), "--device", "cpu"]
    for setting in ("max_steps=1", "batch_size=2", *(() if name == "nmnist_28" else ("time_steps=2",))):
        words += ["--set", setting]
    done = CliRunner().invoke(cli, ["train", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    record = read_record(tmp_path / "run")
    assert (record.steps, record.dataset, record.model) == (1, *FILES[name][1:])
    assert (tmp_path / "run" / "generator.safetensors").is_file()


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
    told = {reading.key: reading for reading in run.readings}
    assert set(told) == {*COMMON, "name", "dataset"}
    assert {key for key, reading in told.items() if reading.is_ignored} == {"is_mem", "net_D_direct_input"}
    assert str(told["lr_D"]) == "lr_D: 0.0002 -> lr_discriminator: 0.0002"
    assert str(told["is_data_normlized"]) == "is_data_normlized: True -> pixel_range: symmetric"
    assert told["name"].meaning == "model: sgad (named by `name`)"


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


def nameless(folder: Path, **changes: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"Network": {**COMMON, "dataset": "MNIST", **changes}}))
    return path


@pytest.mark.parametrize("direct", [True, False])
def test_a_file_that_names_no_model_needs_one(tmp_path: Path, direct: bool) -> None:
    path = nameless(tmp_path, net_D_direct_input=direct)
    with pytest.raises(InputError, match="which model is trained; give --model sgad, swgan, sgan or hybrid"):
        resolve_authors_file(path)
    run = resolve_authors_file(path, model="swgan")
    assert run.resolved.config.model == "swgan"
    assert any(
        reading.meaning == "model: swgan (named by --model)" for reading in run.readings if reading.key == "name"
    )


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [("sgad_or_swgan", None, "names sgad and swgan"), ("sgad_x", "sgan", "names the model sgad, --model says sgan")],
)
def test_two_models_are_refused(tmp_path: Path, name: str, model: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_authors_file(nameless(tmp_path, name=name), model=model)


def test_the_commands_say_what_was_read_as_what(tmp_path: Path) -> None:
    path = str(nameless(tmp_path, scoring_mode="AttentionScoring_2"))
    shown = CliRunner().invoke(cli, ["config", "show", path, "--model", "swgan"], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "n_steps: 16 -> time_steps: 16" in shown.output
    assert "scoring_mode: AttentionScoring_2 -> ignored: swgan has none" in shown.output
    assert "name:  -> model: swgan (named by --model)" in shown.output
    dry = CliRunner().invoke(cli, ["train", path, "--model", "swgan", "--dry-run"], catch_exceptions=False)
    assert "n_steps: 16 -> time_steps: 16" in dry.stderr
    assert "time_steps: 16" in dry.stdout
    named = str(write(tmp_path, "sgad_mnist"))
    checked = CliRunner().invoke(cli, ["config", "check", named], catch_exceptions=False)
    assert "authors' file, mnist/sgad; ignored: net_D_direct_input, is_mem, checkpoint_path" in checked.output


def test_config_show_takes_our_run_files_too(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("dataset: digits\nmodel: sgad\nseed: 4\n")
    shown = CliRunner().invoke(cli, ["config", "show", str(path), "--yaml"], catch_exceptions=False)
    assert "seed: 4" in shown.output
