"""Work in blocks on all cores, in order, with a bounded number of blocks in flight."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sgad.machine.facts import usable_cores

Task = TypeVar("Task")
Block = TypeVar("Block")


def map_blocks(work: Callable[[Task], Block], tasks: Sequence[Task], workers: int | None = None) -> Iterator[Block]:
    """Yield `work(task)` for each task, in order; at most two blocks a worker are held at a time.

    Threads, not processes: Pillow, zlib and our kernels release Python's lock while they work, and nothing has to be
    started, copied or imported again.
    """
    workers = min(usable_cores() if workers is None else workers, len(tasks))
    if workers <= 1:
        yield from map(work, tasks)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="sgad-blocks") as pool:
        waiting: deque[Future[Block]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # An error or a Ctrl-C does not wait for work that nobody will take.
            pool.shutdown(wait=True, cancel_futures=True)
