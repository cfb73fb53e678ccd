"""Recorded update pairs: what surrounds a recording, with one that replays in Python; on a device, with CUDA graphs."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sgad.config.run import RunConfig
from sgad.models.registry import build_discriminator, build_generator, initialise
from sgad.training.averaging import update_average
from sgad.training.graphs import WARM_UP, GraphedPairs, may_be_recorded, record_graph
from sgad.training.loop import Networks, make_networks, pairs_of, plain_pairs
from sgad.training.optimisers import set_learning_rates

SHAPES = {"mnist": (1, 28, 28), "nmnist": (2, 28, 28), "cifar10": (3, 32, 32)}
RECIPES = [
    {"model": "sgad", "optimizer": "adam", "input_noise": 0.1, "constraint": "r1", "constraint_interval": 2},
    {
        "model": "sgad",
        "scoring_mode": "AttentionScoring_2",
        "info_nce_weight": 0.1,
        "augment": ("cutout", "translation"),
    },
    {"model": "sgad", "scoring_mode": "AttentionScoring_RGB", "dataset": "cifar10", "constraint": "spectral_norm"},
    {"model": "sgad", "dataset": "nmnist", "batch_norm": "shared"},
    {"model": "swgan", "constraint": "gradient_penalty", "constraint_interval": 3, "critic_steps": 2, "ema_decay": 0.9},
    {"model": "swgan", "encoder": "rate", "constraint": "weight_clip", "constraint_weight": 0.05, "memory": "low"},
    {"model": "sgan", "discriminator": "sgan", "objective": "bce", "quirks": "paper", "latent_dim": 100},
    {"model": "hybrid", "discriminator": "analog", "objective": "bce", "schedule": "linear"},
]


def config_of(**values):
    base = {"dataset": "mnist", "time_steps": 3, "batch_size": 6, "latent_dim": 5, "engine": "torch"}
    generator = values["model"] if values["model"] != "hybrid" else "sgad"
    return RunConfig.model_validate({**base, "generator": generator, **values})


def networks_of(config, device="cpu"):
    shape = SHAPES[config.dataset]
    modules = [build(config, shape) for build in (build_generator, build_discriminator)]
    for module in modules:
        initialise(module, torch.Generator().manual_seed(1))
    return make_networks(config, *(module.to(device) for module in modules))


def batch(config, step, count, device):
    random = torch.Generator().manual_seed(100 + step)
    shape = SHAPES[config.dataset]
    frames = (config.time_steps,) if shape[0] == 2 else ()
    real = torch.rand(*frames, count, *shape, generator=random)
    return real.to(device), torch.randn(count, config.latent_dim, generator=random).to(device)


def train(config, networks: Networks, pairs, steps=12, device="cpu"):
    """Return all that twelve pairs leave, of which the fifth sees a smaller batch."""
    seen = []
    for step in range(steps):
        real, z = batch(config, step, 4 if step == 4 else config.batch_size, device)
        set_learning_rates(config, networks.optimisers(), step, steps, steps)
        result = pairs(real, z, step=step, random=torch.Generator(device).manual_seed(step))
        gradients = [p.grad.clone() for p in networks.generator.parameters() if p.grad is not None]
        seen += [result.losses["discriminator"].clone(), result.losses["generator"].clone(), *gradients]
        seen += [result.scores_real.clone(), result.generated.shown.clone()]
        if networks.average is not None:
            update_average(networks.average, networks.generator, config.ema_decay, step + 1)
    return seen + [value for module in networks.modules().values() for value in module.state_dict().values()]


def graphed(config, networks, record, told):
    pair = networks.generator, networks.discriminator
    return GraphedPairs(plain_pairs(config, networks), pair, config.constraint_interval, told.append, record)


@pytest.mark.parametrize("values", RECIPES)
def test_recorded_pairs_compute_what_plain_ones_do(values):
    config, told, recordings = config_of(**values), [], []

    def record(work, random):
        recordings.append(random)
        return work

    plain, recorded = networks_of(config), networks_of(config)
    expected = train(config, plain, plain_pairs(config, plain))
    found = train(config, recorded, graphed(config, recorded, record, told))
    assert not told
    # Full batches, with a penalty and without; the smaller batch comes too seldom.
    assert len(recordings) == min(config.constraint_interval, 2)
    assert len(expected) == len(found)
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)


def test_what_cannot_be_recorded_goes_on_kernel_by_kernel():
    config, told = config_of(model="sgad", input_noise=0.1), []

    def broken_off(work, random):
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nlong explanation")
        finally:
            raise RuntimeError("the recording is invalid")

    plain, other = networks_of(config), networks_of(config)
    expected = train(config, plain, plain_pairs(config, plain))
    found = train(config, other, graphed(config, other, broken_off, told))
    assert all(torch.equal(one, two) for one, two in zip(expected, found, strict=True))
    assert told == [
        "update pairs cannot be recorded as a CUDA graph (operation not permitted when stream is capturing);"
        " they run kernel by kernel, slower"
    ]


def test_a_recording_that_finds_no_memory_says_what_would_leave_it_room():
    config, told = config_of(model="sgad"), []

    def full(work, random):
        try:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        finally:
            raise RuntimeError("the recording is invalid")

    train(config, networks := networks_of(config), graphed(config, networks, full, told), steps=WARM_UP + 2)
    assert "out of memory" in told[0]
    assert told[0].endswith("a smaller batch_size, memory: low or fewer trainings on the device would leave it room")


def test_a_recording_broken_off_in_the_middle_leaves_no_statistics_behind():
    config, told = config_of(model="sgad"), []
    networks = networks_of(config)

    def broken_off(work, random):
        norm = networks.generator.norm1
        norm.record(torch.full((1, 1024), 1e3), torch.ones(1, 1024), 6, 3)
        raise RuntimeError("no")

    pairs = graphed(config, networks, broken_off, told)
    train(config, networks, pairs, steps=WARM_UP + 3)
    assert told
    assert networks.generator.norm1.running_mean.abs().max() < 10


class _Waits(TorchDispatchMode):
    """Notes what would stop a GPU: values read back, and numbers brought from Python."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        name = function.name()
        if name in ("aten::_local_scalar_dense", "aten::lift_fresh", "aten::nonzero", "aten::masked_select"):
            self.found.append(name)
        return function(*arguments, **(named or {}))


@pytest.mark.parametrize("values", RECIPES)
def test_a_pair_neither_reads_values_back_nor_brings_any(values):
    config = config_of(**values)
    networks = networks_of(config)
    # torch's optimisers read their step counts on a CPU; on a GPU they are made with `capturable`.
    for optimiser in networks.optimisers().values():
        optimiser.step = lambda: None
    pairs = plain_pairs(config, networks)
    for step in range(2 * config.constraint_interval):
        real, z = batch(config, step, config.batch_size, "cpu")
        with _Waits() as waits:
            pairs(real, z, step=step, random=torch.Generator().manual_seed(step))
        # Constants are made in the first pair.
        assert step < config.constraint_interval or not waits.found


def test_only_our_own_networks_in_single_precision_on_a_gpu_are_recorded(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    gpu = torch.device("cuda")
    assert may_be_recorded(config_of(model="sgad", engine="cuda"), gpu)
    assert not may_be_recorded(config_of(model="sgad", engine="torch"), gpu)
    assert not may_be_recorded(config_of(model="sgad", engine="cuda", dtype="float64"), gpu)
    assert not may_be_recorded(config_of(model="sgad", engine="cuda", discriminator="mine.critics:Critic"), gpu)
    assert not may_be_recorded(config_of(model="sgad", engine="auto"), torch.device("cpu"))


@pytest.mark.gpu
@pytest.mark.parametrize("values", RECIPES)
def test_cuda_graphs_compute_what_single_kernels_do(values):
    config, told = config_of(**{**values, "engine": "cuda"}), []
    plain, recorded = networks_of(config, "cuda"), networks_of(config, "cuda")
    expected = train(config, plain, plain_pairs(config, plain), device="cuda")
    pairs = pairs_of(config, recorded, torch.device("cuda"), told.append)
    found = train(config, recorded, pairs, device="cuda")
    assert isinstance(pairs, GraphedPairs)
    assert not told
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.gpu
def test_a_replay_waits_for_nothing():
    config, told = config_of(model="sgad", engine="cuda", input_noise=0.1, optimizer="adam"), []
    networks = networks_of(config, "cuda")
    pairs = pairs_of(config, networks, torch.device("cuda"), told.append)
    train(config, networks, pairs, device="cuda")
    real, z = batch(config, 0, config.batch_size, "cuda")
    random = torch.Generator("cuda").manual_seed(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        pairs(real, z, step=1, random=random)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert not told


@pytest.mark.gpu
def test_a_recording_draws_anew_at_each_replay():
    random = torch.Generator("cuda")
    replay = record_graph(lambda: torch.rand(5, device="cuda", generator=random), random)
    drawn = []
    for seed in (1, 2, 1):
        random.manual_seed(seed)
        drawn.append(replay().clone())
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], torch.rand(5, device="cuda", generator=torch.Generator("cuda").manual_seed(1)))
