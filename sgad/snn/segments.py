"""Recomputation instead of storage: a network runs in segments of time, and only the states between them are kept."""

import contextlib
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sgad.snn.batch_norm import statistics_frozen
from sgad.snn.layers import Block, Span, States, run_blocks

#: (input of a segment, its first step, number of steps, states before) -> (output, states after)
Run = Callable[[Tensor, int, int, States], tuple[Tensor, States]]


def run_network(
    module: nn.Module,
    first: Callable[[Tensor], Tensor],
    blocks: Sequence[Block],
    x: Tensor,
    steps: int,
    weights: tuple[float, ...] | None = None,
    *,
    memory: str = "normal",
) -> Tensor:
    """Run a network over all steps: the currents `first` makes of its input, then its blocks of layers.

    Parameters
    ----------
    module
        Whose batch norms the blocks use.
    x
        (T, B, ...), or (1, B, ...) if every step has the same input.
    weights
        One a step, to ask for the weighted sum of the output over time, (1, B, ...), instead of (T, B, ...).
    memory
        "low" computes again what the backward pass needs, in segments of time, instead of storing it.
    """

    def run(part: Tensor, begun: int, count: int, states: States) -> tuple[Tensor, States]:
        chosen = None if weights is None else weights[begun : begun + count]
        return run_blocks(first(part), blocks, Span(count, chosen, states, keep_states=True))

    if memory == "low" and torch.is_grad_enabled() and steps > 1:
        return run_in_segments(module, run, x, steps, len(blocks), is_sum=weights is not None)
    # With states, by the kernels that segments use: what is computed with gradients and without rounds alike.
    return run_blocks(first(x), blocks, Span(steps, weights, keep_states=memory == "low"))[0]


def run_in_segments(module: nn.Module, run: Run, x: Tensor, steps: int, num_states: int, *, is_sum: bool) -> Tensor:
    """Run `run` over all steps in about sqrt(T) segments, each computed again in the backward pass.

    The gradients are those of one run over all steps; memory grows with sqrt(T) instead of T.

    Parameters
    ----------
    x
        (T, B, ...), or (1, B, ...) if every step has the same input.
    is_sum
        Whether the outputs are sums over time, to be added, instead of sequences, to be joined.
    """
    length = math.ceil(math.sqrt(steps))
    states: States = [None] * num_states
    outputs: list[Tensor] = []
    for first in range(0, steps, length):
        count = min(length, steps - first)
        part = x if len(x) == 1 else x[first : first + count]
        output, states = _checkpointed(module, run, part, first, count, states)
        outputs.append(output)
    return torch.stack(outputs).sum(dim=0) if is_sum else torch.cat(outputs)


def _checkpointed(
    module: nn.Module, run: Run, x: Tensor, first: int, count: int, states: Sequence[Tensor | None]
) -> tuple[Tensor, States]:
    def segment(x: Tensor, *before: Tensor | None) -> tuple[Tensor, ...]:
        output, after = run(x, first, count, list(before))
        assert all(state is not None for state in after)
        return (output, *(state for state in after if state is not None))

    output, *later = checkpoint(
        segment,
        x,
        *states,
        use_reentrant=False,
        preserve_rng_state=False,
        # The second computation must not move the running averages again.
        context_fn=lambda: (contextlib.nullcontext(), statistics_frozen(module)),
    )
    return output, list(later)
