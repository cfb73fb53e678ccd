"""Generators and discriminators: shapes, initial weights, sampling, names, users' own classes."""

import copy
import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.models.generators import Generated, Generator
from sgad.models.registry import (
    DISCRIMINATORS,
    GENERATORS,
    HEADER,
    build_discriminator,
    build_generator,
    fold_batch_norm,
    initialise,
    load_generator,
    register,
)
from sgad.snn.batch_norm import StepBatchNorm

GREY, EVENTS, RGB32 = (1, 28, 28), (2, 28, 28), (3, 32, 32)


def config_with(**values):
    return RunConfig.model_validate({"dataset": "mnist", "model": "sgad", "time_steps": 3, "latent_dim": 6, **values})


class Halves(nn.Module):
    """A user's generator: grey images, whatever z."""

    def __init__(self, config, shape):
        super().__init__()
        self.shape, self.level = shape, nn.Parameter(torch.randn(()))

    def forward(self, z):
        image = torch.sigmoid(self.level) * torch.ones(len(z), *self.shape)
        return Generated(image, image)


@pytest.mark.parametrize("family", sorted(GENERATORS))
@pytest.mark.parametrize("shape", [GREY, EVENTS, RGB32, (1, 20, 24)])
def test_generators_make_frames_and_pictures_of_the_shape(family, shape):
    generator = build_generator(config_with(generator=family), shape)
    made = generator(torch.randn(4, 6), keep_steps=True)
    has_time = family == "sgan" or shape[0] == 2
    assert made.frames.shape == ((3, 4, *shape) if has_time else (4, *shape))
    assert made.shown.shape == ((3, 4, *shape) if shape[0] == 2 else (4, *shape))
    assert made.steps.shape == (3, 4, *shape)
    assert made.shown.min() >= 0
    assert made.shown.max() <= 1


@pytest.mark.parametrize("kind", sorted(DISCRIMINATORS))
@pytest.mark.parametrize("shape", [GREY, EVENTS, RGB32])
def test_discriminators_score_images_and_frames(kind, shape):
    critic = build_discriminator(config_with(discriminator=kind, objective="hinge"), shape)
    assert critic(torch.rand(5, *shape)).shape == (5,)
    assert critic(torch.rand(3, 5, *shape)).shape == (5,)


def test_static_images_are_shown_at_every_step():
    critic = build_discriminator(config_with(), GREY).double().eval()
    x = torch.rand(4, *GREY, dtype=torch.float64)
    assert torch.allclose(critic(x), critic(x.expand(3, *x.shape)), rtol=1e-10)


@pytest.mark.parametrize("encoder", ["rate", "ttfs"])
def test_other_encoders_run_and_draw_from_their_argument(encoder):
    config = config_with(encoder=encoder)
    generator, critic = build_generator(config, GREY), build_discriminator(config, GREY)
    before = torch.random.get_rng_state()
    z = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    scores = [
        critic(generator(z, torch.Generator().manual_seed(2)).frames, torch.Generator().manual_seed(3))
        for _ in range(2)
    ]
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(scores[0], scores[1])


def test_pixels_in_minus_one_to_one():
    generators = [build_generator(config_with(pixel_range=r), GREY).eval() for r in ("unit", "symmetric")]
    z = torch.randn(4, 6)
    unit, symmetric = (generator(z).shown for generator in generators)
    assert torch.allclose(symmetric, 2 * unit - 1)


@pytest.mark.parametrize("family", sorted(GENERATORS))
@pytest.mark.parametrize("shape", [GREY, EVENTS])
def test_folding_batch_norm_keeps_the_images(family, shape):
    generator = build_generator(config_with(generator=family), shape).double()
    for _ in range(3):
        generator(torch.randn(8, 6, dtype=torch.float64))
    generator.eval()
    before = copy.deepcopy(generator.state_dict())
    folded, z = fold_batch_norm(generator), torch.randn(5, 6, dtype=torch.float64)
    assert torch.allclose(folded(z).shown, generator(z).shown, rtol=1e-9, atol=1e-12)
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())


@pytest.mark.parametrize("family", sorted(GENERATORS))
@pytest.mark.parametrize("engine", ["numba", "torch"])
def test_low_memory_gives_the_same_gradients(family, engine):
    made = {}
    for memory in ("normal", "low"):
        config = config_with(generator=family, discriminator="em", memory=memory, engine=engine, time_steps=5)
        generator, critic = build_generator(config, GREY).double(), build_discriminator(config, GREY).double()
        for module in (generator, critic):
            initialise(module, torch.Generator().manual_seed(3))
        critic(generator(torch.linspace(-2, 2, 24, dtype=torch.float64).reshape(4, 6)).frames).square().sum().backward()
        made[memory] = [p.grad for module in (generator, critic) for p in module.parameters()] + [
            b.double() for module in (generator, critic) for b in module.buffers()
        ]
    for one, other in zip(made["normal"], made["low"], strict=True):
        assert torch.allclose(one, other, rtol=1e-8, atol=1e-10)


def test_initial_weights_are_torchs_distribution_and_the_seeds_alone():
    before = torch.random.get_rng_state()
    generators = [build_generator(config_with(), GREY) for _ in range(3)]
    for generator, seed in zip(generators, (1, 1, 2), strict=True):
        initialise(generator, torch.Generator().manual_seed(seed))
    assert torch.equal(before, torch.random.get_rng_state())
    first, same, other = (generator.state_dict() for generator in generators)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["linear1.weight"], other["linear1.weight"])
    with torch.random.fork_rng(devices=[]):
        # The largest of 64 biases is not the same in every draw.
        torch.manual_seed(0)
        layers = ((nn.Linear(1024, 6272), "linear2"), (nn.ConvTranspose2d(128, 64, 4, 2, 1), "deconv1"))
    for layer, made in layers:
        for name in ("weight", "bias"):
            ours, theirs = first[f"{made}.{name}"], getattr(layer, name).detach()
            assert ours.shape == theirs.shape
            assert ours.abs().max().item() == pytest.approx(theirs.abs().max().item(), rel=0.05)
            assert abs(ours.mean().item()) < 0.02


@pytest.mark.parametrize("norm", [nn.InstanceNorm2d(3, track_running_stats=True), nn.BatchNorm2d(3, affine=False)])
def test_norms_of_a_user_s_own_start_afresh(norm):
    norm.running_mean.fill_(5)
    initialise(nn.Sequential(nn.Conv2d(1, 3, 3), norm), torch.Generator().manual_seed(0))
    assert norm.running_mean.abs().max() == 0


def test_building_a_network_leaves_all_generators_alone(monkeypatch):
    monkeypatch.setattr(torch, "manual_seed", lambda seed: pytest.fail("it seeds the GPUs, too"))
    before = torch.get_rng_state()
    build_discriminator(config_with(constraint="spectral_norm"), GREY)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_last_layer_starts_where_it_is_told():
    generator = build_generator(config_with(output_bias=-1.5, output_gain=3.0), GREY)
    initialise(generator, torch.Generator().manual_seed(1))
    plain = build_generator(config_with(), GREY)
    initialise(plain, torch.Generator().manual_seed(1))
    assert isinstance(generator, Generator)
    assert (generator.last_deconv.bias == -1.5).all()
    assert torch.allclose(generator.last_deconv.weight, 3 * plain.last_deconv.weight)


def test_spectral_norm_bounds_every_layer():
    critic = build_discriminator(config_with(constraint="spectral_norm"), GREY)
    initialise(critic, torch.Generator().manual_seed(1))
    for name in ("conv1", "conv2", "linear1", "linear2"):
        weight = critic.get_submodule(name).weight.flatten(1)
        assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1.0, rel=0.1)


def test_a_users_class_by_its_path_and_by_its_name():
    path = f"{Halves.__module__}:Halves"
    generator = build_generator(config_with(generator=path), GREY)
    assert type(generator).__name__ == "Halves"
    assert fold_batch_norm(generator) is generator
    register("generator", "halves_of_a_test")(Halves)
    try:
        assert isinstance(build_generator(config_with(generator=path), GREY), nn.Module)
        with pytest.raises(InputError, match="already registered"):
            register("generator", "halves_of_a_test")(nn.Linear)
    finally:
        del GENERATORS["halves_of_a_test"]


@pytest.mark.parametrize(
    ("values", "shape", "words"),
    [
        (dict(generator="nowhere.at_all:Net"), GREY, "cannot be imported"),
        (dict(generator="torch.nn:Lineal"), GREY, "cannot be imported"),
        (dict(generator="builtins:slice"), GREY, "not a torch module"),
        ({}, (1, 30, 30), "multiples of 4"),
        ({}, (1, 8, 8), "at least 16"),
        ({}, (28, 28), "channels, height, width"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_sentence(values, shape, words):
    with pytest.raises(InputError, match=words):
        build_generator(config_with(**values), shape)


def test_unknown_names_are_refused_with_the_allowed_ones():
    config = config_with().model_copy(update={"generator": "sgda"})
    with pytest.raises(InputError, match=r"sgad, sgan, swgan.*did you mean"):
        build_generator(config, GREY)
    with pytest.raises(InputError, match="generator or discriminator"):
        register("decoder", "x")


def test_a_generator_is_loaded_as_it_was_saved(tmp_path):
    config = config_with()
    generator = build_generator(config, GREY).eval()
    header = {"config": config.model_dump_json(), "shape": json.dumps(list(GREY))}
    save_file(generator.state_dict(), tmp_path / "generator.safetensors", {HEADER: json.dumps(header)})
    loaded, same_config, shape = load_generator(tmp_path)
    z = torch.randn(2, 6)
    assert (same_config, shape) == (config, GREY)
    assert torch.equal(loaded(z).shown, generator(z).shown)


def test_a_damaged_or_absent_generator_is_refused(tmp_path):
    with pytest.raises(InputError, match="train the run first"):
        load_generator(tmp_path)
    (tmp_path / "generator.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a whole generator file"):
        load_generator(tmp_path)
    header = {"config": config_with().model_dump_json(), "shape": json.dumps(list(GREY))}
    save_file({"linear1.weight": torch.zeros(2, 2)}, tmp_path / "generator.safetensors", {HEADER: json.dumps(header)})
    with pytest.raises(InputError, match="does not hold the generator"):
        load_generator(tmp_path)


@pytest.mark.parametrize("engine", ["torch", "numba"])
def test_shared_batch_norm_takes_all_steps_together(engine):
    """The same as torch's batch norm over time and batch folded into one axis, forward and in the averages."""
    config = config_with(generator="swgan", batch_norm="shared", engine=engine, time_steps=4, encoder="rate")
    generator = build_generator(config, GREY)
    assert all(part.is_shared for part in generator.modules() if isinstance(part, StepBatchNorm))
    norm, together = generator.norm3, nn.BatchNorm2d(64)
    x = 3 + 2 * torch.randn(4, 5, 6, 6, 64)
    spikes, _ = generator.neurons3(x, 4, norm)
    folded = together(x.flatten(0, 1).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).unflatten(0, (4, 5))
    expected, _ = generator.neurons3(folded, 4)
    assert (spikes != expected).float().mean() < 1e-3
    norm.commit()
    torch.testing.assert_close(norm.running_mean, together.running_mean)
    torch.testing.assert_close(norm.running_var, together.running_var)


def test_shared_and_per_step_batch_norm_differ():
    z = torch.randn(8, 6)
    made = {}
    for kind in ("per_step", "shared"):
        generator = build_generator(config_with(generator="swgan", batch_norm=kind), GREY)
        initialise(generator, torch.Generator().manual_seed(0))
        made[kind] = generator(z).shown
    assert (made["per_step"] - made["shared"]).abs().max() > 1e-3


def test_initial_weights_are_as_named():
    generator = build_generator(config_with(), GREY)
    initialise(generator, torch.Generator().manual_seed(0), "orthogonal")
    rows = generator.linear2.weight[:, :64].T @ generator.linear2.weight[:, :64]
    torch.testing.assert_close(rows, torch.eye(64), atol=1e-4, rtol=0)
    initialise(generator, torch.Generator().manual_seed(0), "normal")
    assert generator.linear2.weight.std().item() == pytest.approx(0.02, rel=0.01)
