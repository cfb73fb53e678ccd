"""Checkpoints: whole or not counted, never of another configuration."""

import errno
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from sgad.config.compose import resolve
from sgad.errors import InputError, RunFailure, WriteFailure
from sgad.machine.files import _umask
from sgad.models.registry import build_discriminator, build_generator
from sgad.training import checkpoint as module
from sgad.training.checkpoint import (
    FOLDER,
    Origin,
    gather_tensors,
    load_tensors,
    newest_checkpoint,
    restore_tensors,
    save_checkpoint,
    save_tensors,
)
from sgad.training.start import load_initial_weights

ORIGIN = Origin("configuration", "data")


def save(folder: Path, step: int, value: float = 0.0, origin: Origin = ORIGIN, keep: int = 9) -> None:
    save_checkpoint(folder, step, {"x": torch.full((3,), value)}, origin, {"seconds": 1.0}, keep)


def test_the_newest_is_found_and_old_ones_go(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        save(tmp_path, step, float(step), keep=2)
    checkpoint, notes = newest_checkpoint(tmp_path, ORIGIN)
    assert checkpoint is not None and notes == []
    assert checkpoint.step == 10 and checkpoint.values == {"seconds": 1.0}
    assert checkpoint.tensors["x"].tolist() == [10.0] * 3
    assert len(list((tmp_path / FOLDER).iterdir())) == 4


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "{", "[]"])
def test_a_damaged_newest_one_gives_way_to_the_one_before(tmp_path: Path, damage: str) -> None:
    save(tmp_path, 1, 1.0)
    save(tmp_path, 2, 2.0)
    weights = tmp_path / FOLDER / "step-00000002.safetensors"
    content = weights.read_bytes()
    if damage == "truncate":
        weights.write_bytes(content[:-5])
    elif damage == "flip":
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "remove":
        weights.unlink()
    else:
        weights.with_suffix(".json").write_text(damage)
    checkpoint, notes = newest_checkpoint(tmp_path, ORIGIN)
    assert checkpoint is not None and checkpoint.step == 1
    assert len(notes) == 1 and "the one before it is used" in notes[0]


def test_another_configuration_is_never_resumed_from(tmp_path: Path) -> None:
    save(tmp_path, 1, origin=Origin("other", ORIGIN.data_hash))
    checkpoint, notes = newest_checkpoint(tmp_path, ORIGIN)
    assert checkpoint is None
    assert "another configuration (other)" in notes[0]


def test_other_data_are_never_resumed_with(tmp_path: Path) -> None:
    save(tmp_path, 1, origin=Origin(ORIGIN.config_hash, "prepared anew"))
    checkpoint, notes = newest_checkpoint(tmp_path, ORIGIN)
    assert checkpoint is None
    assert "other data (prepared anew)" in notes[0]


def test_modules_and_optimisers_come_back_exactly(tmp_path: Path) -> None:
    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        return module, torch.optim.Adam(module.parameters())

    def step(module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        optimiser.zero_grad()
        module(torch.arange(12.0).reshape(4, 3)).square().sum().backward()
        optimiser.step()

    module, optimiser = make()
    step(module, optimiser)
    save_tensors(tmp_path / "x.safetensors", gather_tensors({"net": module}, {"opt": optimiser}))
    other, other_optimiser = make()
    restore_tensors(load_tensors(tmp_path / "x.safetensors"), {"net": other}, {"opt": other_optimiser})
    step(module, optimiser)
    step(other, other_optimiser)
    for left, right in zip(module.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(left, right)


def test_the_authors_checkpoints_load_without_running_code(tmp_path: Path) -> None:
    generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
    source = {
        "model_state_dict_G": nn.Linear(2, 2).state_dict(),
        "model_state_dict_D": nn.Linear(2, 1).state_dict(),
    }
    torch.save({"epoch": 3, **source}, tmp_path / "old.pth")
    load_initial_weights(tmp_path / "old.pth", generator, discriminator, print)
    assert torch.equal(generator.weight, source["model_state_dict_G"]["weight"])

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "touched"),))

    torch.save({"model_state_dict_G": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(InputError, match=r"hostile\.pth is not a checkpoint of the authors"):
        load_initial_weights(tmp_path / "hostile.pth", generator, discriminator, print)
    assert not (tmp_path / "touched").exists()


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    torch.save(
        {
            "model_state_dict_G": nn.Linear(5, 5).state_dict(),
            "model_state_dict_D": nn.Linear(2, 1).state_dict(),
        },
        tmp_path / "old.pth",
    )
    with pytest.raises(InputError, match="does not fit the generator of this run"):
        load_initial_weights(tmp_path / "old.pth", nn.Linear(2, 2), nn.Linear(2, 1), print)


def test_absent_and_broken_files_get_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_tensors(tmp_path / "x.safetensors")
    (tmp_path / "y.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_tensors(tmp_path / "y.safetensors")


def test_a_file_system_that_does_not_answer_passes_over_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 1)

    def unreadable(path: Path) -> str:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(module, "sha256_of", unreadable)
    with pytest.raises(RunFailure, match=r"cannot be read \(Input/output error\); try again later"):
        newest_checkpoint(tmp_path, ORIGIN)
    assert len(list((tmp_path / FOLDER).iterdir())) == 2


def test_weights_that_find_no_room_leave_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tensors(tmp_path / "x.safetensors", {"x": torch.zeros(2)})

    def full(*arguments: object, **named: object) -> None:
        # safetensors' own kind of error, which is no OSError.
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(WriteFailure, match=r"No space left on device.*free some space"):
        save_tensors(tmp_path / "x.safetensors", {"x": torch.ones(2)})
    assert load_tensors(tmp_path / "x.safetensors")["x"].tolist() == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_others_may_read_the_weights(tmp_path: Path) -> None:
    save_tensors(tmp_path / "x.safetensors", {"x": torch.zeros(2)})
    assert (tmp_path / "x.safetensors").stat().st_mode & 0o444 == 0o444 & ~_umask()


#: The names of the release's state dicts, read off its classes, by our model and shape.
RELEASED = {
    "sgad": (
        "fc1 br1.0 fc2 br2.0 conv1.0 conv1.1 conv2.0 conv2.2.scoring_function.W_q conv2.2.scoring_function.W_k",
        "conv1.0 conv1.1 conv2.0 conv2.1 fc1.0 fc2.0",
    ),
    "swgan": ("fc1 br1.0 fc2 br2.0 conv1.0 conv1.1 conv2.0", "conv1.0 conv1.1 conv2.0 conv2.1 fc1.0 fc2.0"),
    "sgan": ("fc1 br1.0 fc2 br2.0 conv1.0 conv1.1 conv2.0", "net.0 net.2"),
    "celeba": (
        "fc1 br1.0 fc2 br2.0 conv1.0 conv1.1 conv2.0 conv2.1 conv3.0 conv3.2.down_sample_net.1"
        " conv3.2.scoring_function.W_q conv3.2.scoring_function.W_k",
        "conv1.0 conv1.1 conv2.0 conv2.1 fc1.0 fc2.0",
    ),
    "scoring_net": (
        "fc1 br1.0 fc2 br2.0 conv1.0 conv1.1 conv2.0 conv2.2.scoring_function.dense1 conv2.2.scoring_function.dense2",
        "conv1.0 conv1.1 conv2.0 conv2.1 fc1.0 fc2.0",
    ),
}


def released(network: nn.Module, layers: str) -> dict[str, torch.Tensor]:
    """A network's weights under the release's names, whose layers come in the same order as ours."""
    ours = network.state_dict()
    names = dict(zip(dict.fromkeys(key.rpartition(".")[0] for key in ours), layers.split(), strict=True))
    return {
        f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": torch.rand_like(v.float())
        for key, v in ours.items()
    }


@pytest.mark.parametrize("name", RELEASED)
def test_a_checkpoint_of_the_release_starts_a_run(tmp_path: Path, name: str) -> None:
    model, shape = ("sgad", (3, 64, 64)) if name == "celeba" else (name.replace("scoring_net", "sgad"), (1, 28, 28))
    modes = {"celeba": "AttentionScoring_RGB", "scoring_net": "ScoringNet_1", "sgad": "AttentionScoring_1"}
    config = resolve(
        "mnist", model, "paper", settings={"scoring_mode": modes.get(name, "none"), "latent_dim": 3}
    ).config
    networks = build_generator(config, shape), build_discriminator(config, shape)
    source = [released(network, layers) for network, layers in zip(networks, RELEASED[name], strict=True)]
    states = {
        "model_state_dict_G": source[0],
        "model_state_dict_D": source[1],
        "epoch": 5,
        "optimizer_state_dict_G": {},
    }
    torch.save(states, tmp_path / "release.pth")
    load_initial_weights(tmp_path / "release.pth", *networks, print)
    assert torch.equal(networks[0].linear2.weight, source[0]["fc2.weight"])
    assert torch.equal(networks[0].norm3.running_var, source[0]["conv1.1.running_var"])
    last = "net.2.bias" if name == "sgan" else "fc2.0.bias"
    assert torch.equal(networks[1].linear2.bias, source[1][last])


def test_equal_weights_make_equal_files(tmp_path: Path) -> None:
    header = {"config": "{}", "shape": "[1]", "sgad": "1", "more": "2"}
    for index in range(6):
        save_tensors(tmp_path / f"{index}.safetensors", {"a": torch.ones(3), "b": torch.zeros(2)}, header)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
