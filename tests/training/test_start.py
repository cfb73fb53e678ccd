"""Starting from trained weights: which files, whose networks, and what the run's hash says of them."""

import json
from pathlib import Path

import pytest
import torch

from sgad.cli import main
from sgad.config.compose import resolve
from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.models.registry import build_discriminator, build_generator
from sgad.models.storage import pack
from sgad.training.checkpoint import gather_tensors, save_tensors
from sgad.training.start import load_initial_weights, start_of

SHAPE = (1, 28, 28)


def config_of(**settings: object) -> RunConfig:
    return resolve("digits", "sgad", "smoke", settings=settings).config


def networks(config: RunConfig, shape: tuple[int, int, int] = SHAPE):
    return build_generator(config, shape), build_discriminator(config, shape)


def save(folder: Path, config: RunConfig, *, critic: bool = True, packed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    header = {"config": config.model_dump_json(), "shape": json.dumps(SHAPE)}
    for name, network in zip(("generator", "discriminator"), networks(config), strict=True):
        if name == "generator" or critic:
            tensors = network.state_dict()
            save_tensors(folder / f"{name}.safetensors", pack(tensors) if packed else tensors, header)


def are_equal(left: torch.nn.Module, right: torch.nn.Module) -> bool:
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("form", ["folder", "file", "checkpoint"])
def test_generator_and_critic_are_taken(tmp_path: Path, form: str) -> None:
    save(tmp_path, config_of())
    first, others = networks(config_of()), networks(config_of().model_copy(update={"seed": 5}))
    assert not are_equal(first[0], others[0])
    source = {
        "folder": tmp_path,
        "file": tmp_path / "generator.safetensors",
        "checkpoint": tmp_path / "step-3.safetensors",
    }[form]
    if form == "checkpoint":
        save_tensors(source, gather_tensors(dict(zip(("generator", "discriminator"), first, strict=True)), {}))
    told: list[str] = []
    load_initial_weights(source, *others, told.append)
    assert are_equal(first[0], others[0]) and are_equal(first[1], others[1]) and told == []


def test_a_zoo_model_is_found_by_its_name_and_has_no_critic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SGAD_ZOO", str(tmp_path))
    save(tmp_path / "mine", config_of(), critic=False, packed=True)
    others = networks(config_of().model_copy(update={"seed": 5}))
    critic = {name: value.clone() for name, value in others[1].state_dict().items()}
    told: list[str] = []
    load_initial_weights("mine", *others, told.append)
    assert told == ["mine has no critic; the run's own starts from its seed"]
    assert all(torch.equal(value, critic[name]) for name, value in others[1].state_dict().items())
    # Packed weights are rounded.
    expected = networks(config_of())[0].state_dict()
    assert all(torch.allclose(value, expected[name], atol=1e-2) for name, value in others[0].state_dict().items())
    assert start_of("mine").variant == "smoke"
    with pytest.raises(InputError, match=r"mime is neither a folder nor a model.*did you mean 'mine'"):
        load_initial_weights("mime", *others, told.append)


def test_other_networks_are_refused_by_the_weight_that_differs(tmp_path: Path) -> None:
    save(tmp_path, config_of())
    with pytest.raises(InputError, match=r"linear1\.weight is \(1024, 10\) in the file and \(1024, 12\) here"):
        load_initial_weights(tmp_path, *networks(config_of(latent_dim=12)), print)
    with pytest.raises(InputError, match=r"the generator of this run: only the file has (key|query)"):
        load_initial_weights(tmp_path, *networks(config_of(scoring_mode="none")), print)
    with pytest.raises(InputError, match=r"only this run has norm4|in the file and .* here"):
        load_initial_weights(tmp_path, *networks(config_of(), (3, 64, 64)), print)


def test_another_number_of_steps_is_no_other_network(tmp_path: Path) -> None:
    save(tmp_path, config_of())
    others = networks(config_of(time_steps=7))
    load_initial_weights(tmp_path, *others, print)
    assert are_equal(others[0], networks(config_of())[0])


def test_the_hash_follows_the_weights_and_not_their_place(tmp_path: Path) -> None:
    save(tmp_path / "a", config_of())
    save(tmp_path / "b", config_of())
    hashes = [config_of(from_checkpoint=str(tmp_path / name)).hash() for name in ("a", "b")]
    assert hashes[0] == hashes[1] != config_of().hash()
    save(tmp_path / "b", config_of(scoring_mode="none"))
    assert config_of(from_checkpoint=str(tmp_path / "b")).hash() != hashes[0]


def test_the_command_line_takes_the_configuration_of_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "first", config_of(tau=3))
    command = ["train", "--from", str(tmp_path / "first"), "--dataset", "mnist", "--set", "max_steps=7", "--dry-run"]
    with pytest.raises(SystemExit) as left:
        main(command)
    shown = capsys.readouterr().out
    assert left.value.code == 0
    assert "dataset: mnist" in shown and "tau: 3.0" in shown and "max_steps: 7" in shown
    assert f"from_checkpoint: {tmp_path / 'first'}" in shown
