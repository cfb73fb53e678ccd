"""One update pair: what moves, what does not, and that each option does what it says."""

import pytest
import torch

from sgad.config.run import RunConfig
from sgad.models.registry import build_discriminator, build_generator, initialise
from sgad.training.optimisers import build_optimisers
from sgad.training.step import update_pair

GREY, EVENTS = (1, 28, 28), (2, 28, 28)


def setting(shape=GREY, batch=4, **values):
    base = {"dataset": "mnist", "model": "sgad", "time_steps": 2, "latent_dim": 5, "batch_size": batch}
    config = RunConfig.model_validate({**base, **values})
    generator, discriminator = build_generator(config, shape), build_discriminator(config, shape)
    for module in (generator, discriminator):
        initialise(module, torch.Generator().manual_seed(1))
    random = torch.Generator().manual_seed(2)
    frames = (config.time_steps,) if shape[0] == 2 else ()
    real = torch.rand(*frames, batch, *shape, generator=random)
    z = torch.randn(batch, 5, generator=random)
    return config, generator, discriminator, build_optimisers(config, generator, discriminator), real, z


def run(shape=GREY, steps=1, **values):
    config, generator, discriminator, optimisers, real, z = setting(shape, **values)
    before = [[p.detach().clone() for p in module.parameters()] for module in (generator, discriminator)]
    for step in range(steps):
        result = update_pair(generator, discriminator, *optimisers, real, z, config, step=step)
    moved = [
        [not torch.equal(old, new) for old, new in zip(olds, module.parameters(), strict=True)]
        for olds, module in zip(before, (generator, discriminator), strict=True)
    ]
    return result, generator, discriminator, moved


@pytest.mark.parametrize(
    "values",
    [
        {"objective": "hinge"},
        {"objective": "least_squares", "optimizer": "adam"},
        {"objective": "non_saturating", "augment": ("brightness", "translation", "cutout"), "input_noise": 0.1},
        {"constraint": "gradient_penalty"},
        {"constraint": "r1", "constraint_interval": 2},
        {"constraint": "spectral_norm"},
        {"constraint": "weight_clip", "constraint_weight": 0.05},
        {"critic_steps": 3, "drift_weight": 0.1},
        {"encoder": "rate"},
        {"encoder": "ttfs"},
        {"encoder": "rate", "constraint": "r1"},
        {"encoder": "rate", "generator": "swgan", "discriminator": "sgan", "quirks": "paper", "objective": "bce"},
        {"memory": "low"},
        {"generator": "sgan", "discriminator": "sgan", "objective": "bce", "quirks": "paper"},
        {"generator": "swgan", "discriminator": "sgan", "objective": "hinge"},
        {"generator": "sgad", "discriminator": "analog", "objective": "bce"},
        {"neuron": "leaky_relu", "time_steps": 1, "family": "ann"},
        {"neuron": "leaky_relu", "time_steps": 1, "family": "ann", "generator": "swgan"},
    ],
    ids=str,
)
def test_both_networks_learn_something_finite(values):
    result, generator, discriminator, moved = run(**values)
    assert result.is_finite
    assert sum(moved[0]) > 4
    assert sum(moved[1]) >= 2
    assert all(p.requires_grad for p in discriminator.parameters())
    assert all(torch.isfinite(p).all() for module in (generator, discriminator) for p in module.parameters())
    assert result.scores_real.shape == result.scores_fake.shape == (4,)
    assert result.score_real == pytest.approx(result.scores_real.mean().item())


def test_info_nce_adds_to_the_generators_loss():
    with_term, without = (run(scoring_mode="AttentionScoring_2", info_nce_weight=weight)[0] for weight in (0.5, 0.0))
    assert with_term.loss_generator - without.loss_generator > 0.1


def test_clipped_weights_stay_clipped():
    _, _, discriminator, _ = run(constraint="weight_clip", constraint_weight=0.01)
    for layer in ("conv1", "conv2", "linear1", "linear2"):
        assert discriminator.get_submodule(layer).weight.abs().max().item() <= 0.01 + 1e-9


def test_drift_is_the_weighted_mean_square_of_real_scores():
    drifting = run(drift_weight=0.5)[0]
    assert drifting.losses["penalty"].item() == pytest.approx(0.5 * drifting.scores_real.square().mean().item())
    assert run()[0].losses["penalty"].item() == 0


def test_critic_steps_are_updates_of_the_critic():
    config, generator, discriminator, optimisers, real, z = setting(critic_steps=3)
    update_pair(generator, discriminator, *optimisers, real, z, config)
    done = [{int(state["step"]) for state in optimiser.state.values()} for optimiser in optimisers]
    assert done == [{1}, {3}]


def test_a_lazy_penalty_is_due_every_so_many_steps():
    config, generator, discriminator, optimisers, real, z = setting(constraint="r1", constraint_interval=3)
    due = [
        update_pair(generator, discriminator, *optimisers, real, z, config, step=step).losses["penalty"].item() > 0
        for step in range(6)
    ]
    assert due == [True, False, False, True, False, False]


@pytest.mark.parametrize("run_twice", [True, False])
def test_running_averages_count_the_generators_passes(run_twice):
    _, generator, discriminator, _ = run(quirks={"generator_run_twice": run_twice})
    assert generator.norm1.num_batches_tracked == (4 if run_twice else 2)
    # Real, fake, and fake again for the generator's update, two steps each.
    assert discriminator.norm1.num_batches_tracked == 6


def test_the_sgan_critics_state_is_carried_from_real_to_fake():
    kept, cleared = (
        run(generator="sgan", discriminator="sgan", objective="bce", quirks={"keep_discriminator_state": keep})[0]
        for keep in (True, False)
    )
    assert torch.equal(kept.scores_real, cleared.scores_real)
    assert not torch.equal(kept.scores_fake, cleared.scores_fake)


def test_the_axes_quirk_walks_real_events_along_the_batch():
    odd, right = (run(EVENTS, quirks={"nmnist_axes": quirk})[0] for quirk in (True, False))
    assert odd.scores_real.shape == (2,)
    assert right.scores_real.shape == (4,)
    assert torch.allclose(odd.scores_fake, right.scores_fake)


@pytest.mark.parametrize("values", [{}, {"generator": "sgan", "discriminator": "sgan", "objective": "bce"}])
def test_two_runs_give_the_same_bits(values):
    first, second = (run(steps=3, **values) for _ in range(2))
    for one, other in ((first[1], second[1]), (first[2], second[2])):
        assert all(
            torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        )


def test_the_global_generator_is_not_touched():
    before = torch.random.get_rng_state()
    run(augment=("brightness",), input_noise=0.1, constraint="gradient_penalty", critic_steps=2)
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_infinite_loss_is_reported_as_such():
    config, generator, discriminator, optimisers, real, z = setting()
    with torch.no_grad():
        discriminator.linear2.weight.fill_(float("nan"))
    assert not update_pair(generator, discriminator, *optimisers, real, z, config).is_finite
