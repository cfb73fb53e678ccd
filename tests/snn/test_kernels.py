"""Every kernel equals the neurons' definition, applied step by step."""

import importlib.util
import itertools

import pytest
import torch

from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.snn.kernels import dispatch
from sgad.snn.kernels.dispatch import engine_name, engine_note, resolve_engine, scan_layer
from sgad.snn.kernels.interface import Norm, Scan
from sgad.snn.kernels.proof import failure_of_triton
from sgad.snn.neurons import Integrator, Neuron, leaky_step, lif_step

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:numba")
KERNELS = ["torch", "numba"]


def sample(shape, seed=0, dtype=torch.float64, spread=2.0):
    random = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=random, dtype=dtype) * spread + 0.5).to(dtype)


def step_by_step(x, norm, state, scan):
    """The definition: torch's own batch norm and pooling, one step at a time."""
    v, spikes = torch.zeros_like(x[0]) if state is None else state, []
    for step in range(scan.steps):
        y = x[step if len(x) > 1 else 0]
        if norm is not None:
            flat = y.reshape(-1, y.shape[-1])
            flat = torch.nn.functional.batch_norm(
                flat, norm.mean, norm.var, norm.weight, norm.bias, training=norm.mean is None, eps=norm.eps
            )
            y = flat.reshape(y.shape)
        s, v = lif_step(y, v, scan.neuron)
        if scan.pool > 1:
            s = torch.nn.functional.avg_pool2d(s.permute(0, 3, 1, 2), scan.pool).permute(0, 2, 3, 1)
        spikes.append(s)
    result = torch.stack(spikes)
    if scan.weights is not None:
        result = sum(w * s for w, s in zip(scan.weights, result, strict=True)).unsqueeze(0)
    return result, v


def compare(
    kernel, shape, steps, *, pool=1, normed=True, weighted=False, stateful=False, running=False, neuron=None, seed=0
):
    neuron = neuron or Neuron()
    scan = Scan(steps, neuron, pool, Integrator(3.0).weights(steps) if weighted else None, keep_state=True)
    channels = shape[-1]
    leaves = {"x": sample(shape, seed).requires_grad_()}
    norm = None
    if normed:
        leaves["weight"] = (1 + 0.3 * sample((channels,), seed + 1)).requires_grad_()
        leaves["bias"] = (0.4 * sample((channels,), seed + 2)).requires_grad_()
        moments = (
            (sample((channels,), seed + 3), sample((channels,), seed + 4).abs() + 0.1) if running else (None, None)
        )
        norm = Norm(leaves["weight"], leaves["bias"], *moments)
    state = None
    if stateful:
        leaves["state"] = state = sample(shape[1:], seed + 5).requires_grad_()
    expected, expected_v = step_by_step(leaves["x"], norm, state, scan)
    pull, pull_v = sample(expected.shape, seed + 6), sample(expected_v.shape, seed + 7)
    if shape[2] % pool or shape[3] % pool:
        # What an odd edge leaves out has no potential that anything reads.
        pull_v = torch.zeros_like(pull_v)
    grads = torch.autograd.grad((expected * pull).sum() + (expected_v * pull_v).sum(), list(leaves.values()))
    result = scan_layer(leaves["x"], norm, state, scan, kernel)
    ours = torch.autograd.grad((result.spikes * pull).sum() + (result.state * pull_v).sum(), list(leaves.values()))
    assert torch.allclose(result.spikes, expected, rtol=0, atol=0 if not weighted else 1e-14)
    for name, one, other in zip(leaves, grads, ours, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-11), name
    if normed and not running:
        flat = leaves["x"].detach().reshape(len(leaves["x"]), -1, channels)
        assert torch.allclose(result.mean, flat.mean(1), rtol=1e-12, atol=1e-14)
        assert torch.allclose(result.var, flat.var(1, correction=0), rtol=1e-11)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("normed", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("constant", [True, False])
def test_kernels_equal_the_definition(kernel, pool, normed, weighted, constant):
    steps = 5
    compare(kernel, (1 if constant else steps, 3, 4, 6, 7), steps, pool=pool, normed=normed, weighted=weighted)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("shape", "steps", "how"),
    [
        ((1, 2, 1, 1, 1), 1, {}),
        ((64, 2, 1, 1, 3), 64, {"stateful": True}),
        ((1, 2, 1, 1, 130), 64, {"weighted": True}),
        ((3, 2, 5, 7, 2), 3, {"pool": 2}),
        ((2, 3, 1, 1, 1300), 2, {}),
        ((2, 40, 3, 3, 64), 2, {"stateful": True}),
        ((4, 2, 6, 2, 600), 4, {"pool": 2, "stateful": True}),
        ((1, 4, 2, 2, 5), 7, {"running": True}),
        ((7, 4, 2, 2, 5), 7, {"running": True, "pool": 2}),
        ((2, 2, 2, 40, 33), 2, {"pool": 2, "normed": False}),
    ],
)
def test_odd_shapes_and_long_sequences(kernel, shape, steps, how):
    compare(kernel, shape, steps, **how)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("seed", range(8))
def test_random_shapes(kernel, seed):
    random = torch.Generator().manual_seed(seed)
    steps, batch, height, width, channels = (
        int(torch.randint(1, top, (), generator=random)) for top in (20, 5, 7, 7, 90)
    )
    pool = 2 if min(height, width) > 1 and seed % 2 else 1
    compare(kernel, (steps, batch + 1, height, width, channels), steps, pool=pool, stateful=seed % 3 == 0, seed=seed)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "neuron",
    [
        Neuron(tau=1.0),
        Neuron(tau=3.7, threshold=0.4),
        Neuron(surrogate="sigmoid", width=4.0),
        Neuron(surrogate="rectangle", width=1.5),
        Neuron(width=0.3),
    ],
)
def test_other_neurons(kernel, neuron):
    compare(kernel, (6, 3, 2, 2, 9), 6, neuron=neuron)


@pytest.mark.parametrize("kernel", KERNELS)
def test_ties_at_the_threshold_do_not_fire(kernel):
    # With x = 2 the first potential is exactly 1: no spike, and 1.5 at the next step.
    x = torch.full((4, 1, 1, 1, 3), 2.0, dtype=torch.float64)
    result = scan_layer(x, None, None, Scan(4, Neuron(), keep_state=True), kernel)
    assert result.spikes[:, 0, 0, 0, 0].tolist() == [0, 1, 0, 1]
    assert result.state.flatten().tolist() == [0, 0, 0]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_currents_are_the_definitions(kernel, dtype):
    values = [0.0, -0.0, 1e-310, -1e300, 1e300, 1e-30, 3e38, -3e38, float("inf"), float("-inf"), float("nan")]
    x = torch.tensor(values, dtype=torch.float64)
    x = x.clamp(-3e38, 3e38).to(dtype) if dtype == torch.float32 else x
    x = x.reshape(1, 1, 1, 1, -1).repeat(5, 1, 1, 1, 1)
    scan = Scan(5, Neuron(), keep_state=True)
    expected, expected_v = step_by_step(x, None, None, scan)
    result = scan_layer(x, None, None, scan, kernel)
    assert torch.equal(result.spikes, expected)
    assert torch.equal(torch.nan_to_num(result.state), torch.nan_to_num(expected_v))
    assert torch.equal(result.state.isnan(), expected_v.isnan())


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_large_mean_does_not_drown_the_variance(kernel):
    x = sample((2, 50, 2, 2, 3)) + 1e7
    norm = Norm(torch.ones(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))
    result = scan_layer(x, norm, None, Scan(2, Neuron()), kernel)
    assert torch.allclose(result.var, x.flatten(1, 3).var(1, correction=0), rtol=1e-8)


def test_float32_kernels_agree_to_rounding():
    x = sample((6, 8, 4, 4, 32), dtype=torch.float32)
    norm = Norm(torch.ones(32), torch.zeros(32))
    results = [scan_layer(x, norm, None, Scan(6, Neuron(), 2), kernel) for kernel in KERNELS]
    # A potential within rounding of the threshold may fall on either side.
    assert (results[0].spikes != results[1].spikes).float().mean() < 1e-4
    assert torch.allclose(results[0].mean, results[1].mean, atol=1e-6)


def test_results_do_not_depend_on_timing():
    x = sample((4, 16, 6, 6, 32), dtype=torch.float32).requires_grad_()
    weight, bias = torch.ones(32, requires_grad=True), torch.zeros(32, requires_grad=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        runs = []
        for _ in range(3):
            out = scan_layer(x, Norm(weight, bias), None, Scan(4, Neuron(), 2), "numba")
            runs.append(torch.autograd.grad(out.spikes.square().sum(), (x, weight, bias)))
    finally:
        torch.set_num_threads(threads)
    for run, gradient in itertools.product(runs[1:], range(3)):
        assert torch.equal(run[gradient], runs[0][gradient])


def test_the_integrators_last_potential_is_a_weighted_sum():
    for steps, tau in ((1, 2.0), (16, 2.0), (64, 3.3), (5, 1.0)):
        x, m = sample((steps, 4)), torch.zeros(4, dtype=torch.float64)
        for current in x:
            m = leaky_step(current, m, tau)
        weighted = torch.tensor(Integrator(tau).weights(steps), dtype=torch.float64) @ x
        assert torch.allclose(m, weighted, rtol=1e-12)


def test_engines_are_resolved_by_device():
    cpu = torch.device("cpu")
    assert resolve_engine("auto", cpu) == "numba"
    assert resolve_engine("torch", cpu) == "torch"
    config = RunConfig(dataset="mnist", model="sgad", engine="torch")
    assert engine_name(config, cpu) == "torch"
    with pytest.raises(InputError, match="does not run on cpu"):
        resolve_engine("cuda", cpu)
    with pytest.raises(InputError, match="did you mean 'numba'"):
        resolve_engine("nunba", cpu)


def test_auto_takes_triton_only_where_it_has_launched_a_kernel(monkeypatch):
    gpu, config = torch.device("cuda:7"), RunConfig(dataset="mnist", model="sgad")
    assert engine_note(config, torch.device("cpu")) == ""
    monkeypatch.setattr(dispatch, "failure_of_triton", lambda device: "")
    assert resolve_engine("auto", gpu) == "cuda"
    assert engine_note(config, gpu) == ""
    monkeypatch.setattr(dispatch, "failure_of_triton", lambda device: "RuntimeError: Failed to find C compiler")
    assert resolve_engine("auto", gpu) == "torch"
    assert "Failed to find C compiler" in engine_note(config, gpu)
    assert "C compiler and Python's headers" in engine_note(config, gpu)
    # Who asks for it by name is told the error itself.
    assert resolve_engine("cuda", gpu) == "cuda"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert resolve_engine("auto", gpu) == "torch"
    assert "triton is not installed" in engine_note(config, gpu)


def test_a_broken_triton_is_found_out_by_a_launch():
    # Without a GPU, a launch fails as it does without a compiler.
    if torch.cuda.is_available():
        assert failure_of_triton(torch.device("cuda:0")) == ""
    else:
        assert failure_of_triton(torch.device("cpu"))


def test_the_torch_kernel_can_be_differentiated_twice():
    x = sample((3, 4, 1, 1, 5), spread=0.5).requires_grad_()
    norm = Norm(torch.ones(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64))

    def slope(x):
        out = scan_layer(x, norm, None, Scan(3, Neuron()), "torch").spikes
        (gradient,) = torch.autograd.grad((out * torch.arange(5)).sum(), x, create_graph=True)
        return gradient.square().sum()

    (second,) = torch.autograd.grad(slope(x), x)
    direction, step = sample(x.shape, 9), 1e-7
    moved = (slope(x + step * direction) - slope(x - step * direction)) / (2 * step)
    assert (second * direction).sum().item() == pytest.approx(moved.item(), rel=1e-4)
