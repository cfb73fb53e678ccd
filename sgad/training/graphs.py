"""Update pairs on a GPU as CUDA graphs: the hundreds of small kernels of a pair are recorded once and launched by one call.

The networks are small, and a GPU is done with a kernel before Python has launched the next. A recorded pair has no Python
left in it. What changes from step to step (images, z, learning rates, the state of the random generator) lies in memory
that is written before each replay.
"""

import gc
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.snn.batch_norm import forget_statistics
from sgad.snn.kernels.dispatch import resolve_engine
from sgad.training.step import UpdateResult

#: Pairs that run kernel by kernel before one is recorded: optimisers and libraries allocate in them.
WARM_UP = 3

Work = Callable[[], UpdateResult]
#: Takes a pair's work and the generator that it draws from; returns what does that work when called.
Record = Callable[[Work, torch.Generator], Work]


class Update(Protocol):
    """An update pair of given networks."""

    def __call__(self, real: Tensor, z: Tensor, *, step: int, random: torch.Generator) -> UpdateResult:
        """Do one pair; see `sgad.training.step.update_pair`."""
        ...


def may_be_recorded(config: RunConfig, device: torch.device) -> bool:
    """Whether update pairs of this configuration are recorded as CUDA graphs: engine cuda, float32, our own networks.

    torch's recordable optimisers count their steps in single precision, and a user-defined network may keep Python-side
    state, which a graph would freeze.
    """
    is_ours = ":" not in config.generator and ":" not in config.discriminator
    return is_ours and config.dtype == "float32" and resolve_engine(config.engine, device) == "cuda"


def record_graph(work: Work, random: torch.Generator, pool: Any = None) -> Work:
    """Record `work` as a CUDA graph; each call of what is returned replays it and gives the same tensors, filled anew.

    Graphs of one `pool` (torch.cuda.graph_pool_handle) share their memory: none may be replayed while the results of
    another are still to be read.
    """
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(random)
    # What still holds earlier pairs' gradients would tie the recording to the stream that they ran on.
    gc.collect()
    before = torch.cuda.current_stream()
    try:
        with torch.cuda.graph(graph, pool=pool):
            result = work()
    except RuntimeError:
        # The block stays on its own stream where a recording breaks off.
        torch.cuda.set_stream(before)
        raise

    def replay() -> UpdateResult:
        graph.replay()
        return result

    return replay


def recorder() -> Record:
    """Make `record_graph` with one pool for all that it records."""
    pool = torch.cuda.graph_pool_handle()
    return lambda work, random: record_graph(work, random, pool)


def on_side_stream(work: Work, stream: torch.cuda.Stream) -> UpdateResult:
    """Do `work` on `stream`: what runs before a recording must not belong to the default stream."""
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        result = work()
    torch.cuda.current_stream().wait_stream(stream)
    return result


class GraphedPairs:
    """`update`, recorded at its fourth call and replayed from then on; it computes what `update` computes.

    Batches of another shape (the last of an epoch) and steps at which a lazy penalty is due are recorded on their own.
    What a call returns is overwritten by the next. What cannot be recorded goes on kernel by kernel; `tell` gets a sentence
    about it. Python runs only while a pair is recorded: networks that count or draw in Python must not come here.

    Parameters
    ----------
    update
        The pair, with networks, optimisers and configuration bound.
    networks
        Whose gradients and batch statistics it leaves.
    interval
        Steps between two lazy penalties (`constraint_interval`).
    """

    def __init__(
        self,
        update: Update,
        networks: Sequence[nn.Module],
        interval: int,
        tell: Callable[[str], None],
        record: Record,
    ) -> None:
        self._update, self._networks, self._interval = update, networks, interval
        self._tell, self._record = tell, record
        self._parameters = [parameter for network in networks for parameter in network.parameters()]
        self._calls: Counter[tuple[torch.Size, bool]] = Counter()
        self._recorded: dict[tuple[torch.Size, bool], _Recorded] = {}
        self._may_record = True
        #: Where pairs run that are to be recorded later: allocators keep a stream's memory for that stream.
        self._side: torch.cuda.Stream | None = None

    def __call__(self, real: Tensor, z: Tensor, *, step: int, random: torch.Generator) -> UpdateResult:
        """Do one pair; see `sgad.training.step.update_pair`."""
        key = real.shape, step % self._interval == 0
        self._calls[key] += 1
        if key not in self._recorded and self._may_record and self._calls[key] > WARM_UP:
            self._try_to_record(key, real, z, step)
        if key not in self._recorded:
            return self._by_kernels(real, z, step, random)
        return self._recorded[key].replay(real, z, random)

    def _by_kernels(self, real: Tensor, z: Tensor, step: int, random: torch.Generator) -> UpdateResult:
        def work() -> UpdateResult:
            return self._update(real, z, step=step, random=random)

        if not (real.is_cuda and self._may_record):
            return work()
        self._side = self._side or torch.cuda.Stream(real.device)
        return on_side_stream(work, self._side)

    def _try_to_record(self, key: tuple[torch.Size, bool], real: Tensor, z: Tensor, step: int) -> None:
        own = real.clone(), z.clone()
        random = torch.Generator(real.device)
        try:
            work = self._record(lambda: self._update(*own, step=step, random=random), random)
        except RuntimeError as error:
            self._may_record = False
            for network in self._networks:
                network.zero_grad(set_to_none=True)
                forget_statistics(network)
            # What ends a recording hides what broke it.
            cause = error.__context__ or error
            reason = (str(cause).splitlines() or ["no reason given"])[0]
            remedy = "; a smaller batch_size, memory: low or fewer trainings on the device would leave it room"
            is_full = isinstance(cause, torch.cuda.OutOfMemoryError) or isinstance(error, torch.cuda.OutOfMemoryError)
            self._tell(
                f"update pairs cannot be recorded as a CUDA graph ({reason}); they run kernel by kernel, slower"
                f"{remedy if is_full else ''}"
            )
            return
        self._recorded[key] = _Recorded(*own, random, work, self._parameters)


class _Recorded:
    """A recorded pair and the memory that it reads and leaves."""

    def __init__(
        self, real: Tensor, z: Tensor, random: torch.Generator, work: Work, parameters: Sequence[nn.Parameter]
    ) -> None:
        self._real, self._z, self._random, self._work = real, z, random, work
        self._parameters = parameters
        self._gradients = [parameter.grad for parameter in parameters]

    def replay(self, real: Tensor, z: Tensor, random: torch.Generator) -> UpdateResult:
        """Do the pair on other images and z, with the draws that `random` would give."""
        self._real.copy_(real, non_blocking=True)
        self._z.copy_(z, non_blocking=True)
        self._random.manual_seed(random.initial_seed())
        # Another recording may have left its own gradients there.
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        return self._work()
