"""Count the operations of any network while it runs: linear layers, convolutions, and layers of spiking neurons.

Inside `count_operations` each torch function passes through a mode that knows what its inputs are: a weight of the network,
spikes of one of our layers (with how many of them each value stands for, before pooling and summing over time), or analog
values. A linear layer or a convolution then counts accumulates or multiply-accumulates by the conventions of
`sgad.analyses.energy.operations`. What a layer of ours computes is known from its recorded activity; anything else that is 0 or 1
everywhere is taken for spikes, too, so that neurons that a user steps by hand count as well.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from sgad.analyses.energy.operations import Operations
from sgad.snn.activity import Activity, record_activity
from sgad.snn.analog import Analog
from sgad.snn.kernels.dispatch import narrow_upconvolution
from sgad.snn.layers import Neurons, use_engine

#: Functions that only move values about: what is known of their input is known of their output.
_MOVES = frozenset(
    {
        torch.flatten,
        torch.movedim,
        torch.permute,
        torch.reshape,
        torch.squeeze,
        torch.transpose,
        torch.unflatten,
        torch.unsqueeze,
        Tensor.__getitem__,
        Tensor.clone,
        Tensor.contiguous,
        Tensor.detach,
        Tensor.flatten,
        Tensor.movedim,
        Tensor.permute,
        Tensor.reshape,
        Tensor.squeeze,
        Tensor.t,
        Tensor.transpose,
        Tensor.unflatten,
        Tensor.unsqueeze,
        Tensor.view,
    }
)
_CASTS = frozenset({Tensor.double, Tensor.float, Tensor.to})
_AVERAGES = frozenset({functional.avg_pool2d, functional.avg_pool3d})
_LAYERS = frozenset(
    {
        functional.linear,
        functional.conv1d,
        functional.conv2d,
        functional.conv3d,
        functional.conv_transpose1d,
        functional.conv_transpose2d,
        functional.conv_transpose3d,
        narrow_upconvolution,
    }
)


@dataclass
class Counts:
    """What `count_operations` found: operations of all images together, layer by layer in the order of their first call.

    Attributes
    ----------
    layers
        Sums over the images; `of_one_image` divides them.
    seen
        Names of the weights that took part in a counted layer.
    """

    layers: dict[str, Operations]
    seen: set[str]

    def of_one_image(self, images: int) -> list[Operations]:
        """Operations of each layer for one of `images` images."""
        return [
            Operations(name, each.macs / images, each.acs / images, each.dense) for name, each in self.layers.items()
        ]

    def uncounted(self, module: nn.Module, besides: Collection[str] = ()) -> list[str]:
        """Names of weights of `module` (two axes and more) that no counted layer used; `besides` names layers to leave out."""
        weights = [name for name, value in _weights(module) if value.ndim > 1]
        return [name for name in weights if name not in self.seen and name.rpartition(".")[0] not in besides]


@contextlib.contextmanager
def count_operations(module: nn.Module, besides: Collection[str] = ()) -> Iterator[Counts]:
    """Yield the counts that passes of `module` in this block fill; layers named in `besides` are left out.

    Spiking layers run with the plain kernel, because the fused ones pass linear layers and convolutions by.
    """
    counts = Counts({}, set())
    mode = _Counting(module, besides, counts)
    layers = [part for part in module.modules() if isinstance(part, Neurons)]
    handles = [layer.register_forward_hook(mode.see_spikes) for layer in layers]
    try:
        with parametrize.cached(), use_engine(module, "torch"), record_activity(module, keep_rates=True):
            mode.know_weights()
            with mode:
                yield counts
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class _Weight:
    """A weight of the network, or several joined, by the names of their layers."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class _Spikes:
    """How many spikes each value of a tensor stands for (float64, the tensor's shape)."""

    numbers: Tensor


@dataclass(frozen=True)
class _Analog:
    """Values of analog units."""


_Known = _Weight | _Spikes | _Analog


class _Counting(TorchFunctionMode):
    def __init__(self, module: nn.Module, besides: Collection[str], counts: Counts) -> None:
        super().__init__()
        self.module, self.besides, self.counts = module, besides, counts
        #: By identity; the tensor is kept, so that its number is not given to another one.
        self.known: dict[int, tuple[Tensor, _Known]] = {}

    def know_weights(self) -> None:
        """Note every weight, also those that a parametrization computes (spectral norm)."""
        for name, value in _weights(self.module):
            self._know(value, _Weight((name,)))

    def see_spikes(self, layer: nn.Module, arguments: tuple[Any, ...], output: tuple[Tensor, Tensor | None]) -> None:
        """Note what a layer of neurons gave out (a forward hook)."""
        spikes, steps = output[0], arguments[1]
        if isinstance(layer, Analog):
            self._know(spikes, _Analog())
            return
        assert isinstance(layer, Neurons)
        assert isinstance(layer.watcher, Activity)
        # Whole numbers, which the mean over time has rounded.
        numbers = (layer.watcher.rates[-1].double() * steps).round()
        if layer.pool > 1:
            moved = numbers.movedim(-1, 1)
            numbers = functional.avg_pool2d(moved, layer.pool, divisor_override=1).movedim(1, -1)
        # Shared out evenly over the steps that the tensor has.
        numbers = numbers.reshape(spikes.shape[1:]) / len(spikes)
        self._know(spikes, _Spikes(numbers.expand(spikes.shape)))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func in _LAYERS:
            self._count(func, args, kwargs)
        elif func in _MOVES or func in _CASTS or func in _AVERAGES:
            self._follow(func, args, kwargs, result)
        elif func in (torch.cat, torch.concat):
            self._join(args, result)
        return result

    def _know(self, tensor: Tensor, what: _Known) -> None:
        self.known[id(tensor)] = (tensor, what)

    def _look(self, value: Any) -> _Known | None:
        found = self.known.get(id(value))
        return None if found is None else found[1]

    def _follow(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        what = self._look(args[0] if args else kwargs.get("input"))
        if what is None or not isinstance(result, Tensor):
            return
        if isinstance(what, _Spikes) and func not in _CASTS:
            # The layout of memory is of no use to numbers of spikes.
            options = {key: value for key, value in kwargs.items() if key not in ("input", "memory_format")}
            if func in _AVERAGES:
                # The sum over a window instead of its mean: how many spikes the pooled value stands for.
                options["divisor_override"] = 1
            what = _Spikes(func(what.numbers, *args[1:6], **options))
        self._know(result, what)

    def _join(self, args: tuple[Any, ...], result: Tensor) -> None:
        parts = [self._look(part) for part in args[0]]
        if all(isinstance(part, _Weight) for part in parts):
            self._know(result, _Weight(tuple(name for part in parts for name in part.names)))  # type: ignore[union-attr]

    @torch.no_grad()
    def _count(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        x, weight = (args[place] if len(args) > place else kwargs[key] for place, key in ((0, "input"), (1, "weight")))
        found = self._look(weight)
        if not isinstance(found, _Weight):
            return
        name = "+".join(each.rpartition(".")[0] for each in found.names)
        if all(each.rpartition(".")[0] in self.besides for each in found.names):
            return
        self.counts.seen.update(found.names)
        options = {key: value for key, value in kwargs.items() if key not in ("input", "weight", "bias")}
        connections = _connections(func, x, weight, args[3:], options)
        what = self._look(x)
        numbers = what.numbers if isinstance(what, _Spikes) else None
        if what is None and bool(((x == 0) | (x == 1)).all()):
            numbers = x.double()
        dense = float(connections.sum())
        images = x.numel() / connections.numel()
        before = self.counts.layers.get(name, Operations(name, dense=dense))
        acs = 0.0 if numbers is None else float((numbers * connections).sum())
        macs = dense * images if numbers is None else 0.0
        self.counts.layers[name] = Operations(name, before.macs + macs, before.acs + acs, before.dense)


def _connections(
    func: Callable[..., Any], x: Tensor, weight: Tensor, positional: tuple[Any, ...], options: Mapping[str, Any]
) -> Tensor:
    """Count the connections of each value of one image (x without its leading axes), float64.

    By differentiation: with all weights 1 the sum of the outputs grows by 1 for each connection of an input.
    """
    # A convolution takes one leading axis or none; its weight has as many axes as its input with one.
    single = x.shape[-1:] if func is functional.linear else x.shape[-(weight.ndim - 1) :]
    with torch.enable_grad():
        one = torch.ones(1, *single, dtype=torch.float64, device=x.device, requires_grad=True)
        ones = torch.ones(weight.shape, dtype=torch.float64, device=x.device)
        if func is functional.linear or func is narrow_upconvolution:
            outputs = func(one, ones)
        else:
            outputs = func(one, ones, None, *positional, **options)
        (connections,) = torch.autograd.grad(outputs.sum(), one)
    return connections[0]


def _weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Names and values of all parameters, computed ones under the name by which layers ask for them."""
    for prefix, part in module.named_modules():
        if isinstance(part, parametrize.ParametrizationList) or ".parametrizations" in f".{prefix}":
            continue
        names = [name for name, _ in part.named_parameters(recurse=False)]
        if parametrize.is_parametrized(part):
            names += list(part.parametrizations)
        for name in names:
            yield (f"{prefix}.{name}" if prefix else name), getattr(part, name)
