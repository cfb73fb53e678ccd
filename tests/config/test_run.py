"""RunConfig: what it refuses, what its hash covers."""

import hashlib
import json

import pytest
from pydantic import ValidationError

from sgad.config.run import ADDED_LATER, NOT_HASHED, PAPER_QUIRKS, Quirks, RunConfig


def make(**values: object) -> RunConfig:
    return RunConfig.model_validate({"dataset": "mnist", "model": "sgad", **values})


def test_quirks_take_a_preset_or_single_switches() -> None:
    assert make(quirks="paper").quirks == PAPER_QUIRKS
    assert make(quirks="none").quirks == Quirks()
    assert make(quirks={"nmnist_axes": True}).quirks.nmnist_axes
    assert not make(quirks={"nmnist_axes": True}).quirks.generator_run_twice


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("time_steps", 0),
        ("batch_size", 1),
        ("lr_generator", 0.0),
        ("lr_generator", float("nan")),
        ("objective", "hing"),
        ("scoring_mode", "AttentionScoring_3"),
        ("quirks", "papers"),
        ("generator", "sgadd"),
        ("seed", -1),
        ("dataset", "../mnist"),
        ("no_such_key", 1),
    ],
)
def test_wrong_values_are_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        make(**{key: value})


@pytest.mark.parametrize("other", [{"constraint": "spectral_norm"}, {"batch_norm": "shared"}])
def test_low_memory_is_refused_where_steps_cannot_be_computed_again(other: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="memory low"):
        make(memory="low", **other)


def test_an_analog_control_has_one_step() -> None:
    with pytest.raises(ValidationError, match="time_steps 1"):
        make(neuron="leaky_relu", time_steps=4)
    assert make(neuron="leaky_relu", time_steps=1).time_steps == 1


def test_the_hash_covers_what_changes_the_result_and_nothing_else() -> None:
    base = make()
    assert base.hash() == make().hash()
    assert base.hash() != make(lr_generator=1e-4).hash()
    assert base.hash() != make(seed=1).hash()
    assert base.hash() != make(quirks="paper").hash()
    for key, value in {
        "checkpoint_every": 7,
        "keep_checkpoints": 9,
        "num_samples": 8,
        "memory": "low",
    }.items():
        assert key in NOT_HASHED
        assert base.hash() == make(**{key: value}).hash()


def test_a_key_added_later_does_not_change_the_hash_of_older_runs() -> None:
    """Stored results were made before the key existed; at the value that stands for that their hash stays."""
    before = {
        key: value for key, value in make().model_dump(mode="json").items() if key not in {*NOT_HASHED, *ADDED_LATER}
    }
    assert make().hash() == hashlib.sha256(json.dumps(before, sort_keys=True).encode()).hexdigest()[:16]
    assert make(scoring_query="frame").hash() != make().hash()
    assert make(event_counts="clipped").hash() != make().hash()
    assert make(holdout="valid").hash() != make().hash()
    assert make(precision="tf32").hash() != make().hash()


def test_rounded_products_are_of_single_precision() -> None:
    with pytest.raises(ValueError, match="precision tf32 is a rounding of float32"):
        make(precision="tf32", dtype="float64")


@pytest.mark.parametrize(
    ("changes", "family"),
    [
        ({}, "snn"),
        ({"discriminator": "analog"}, "hybrid"),
        ({"neuron": "leaky_relu", "time_steps": 1}, "ann"),
        ({"neuron": "leaky_relu", "time_steps": 1, "discriminator": "analog", "family": "hybrid"}, "ann"),
        ({"discriminator": "em", "family": "hybrid"}, "snn"),
        ({"discriminator": "mine:Critic", "family": "hybrid"}, "hybrid"),
        ({"generator": "mine:Own", "discriminator": "analog", "family": "ann"}, "ann"),
    ],
)
def test_the_family_follows_neurons_and_critic(changes, family):
    assert make(**changes).network_family == family
