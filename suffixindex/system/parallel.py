"""Work shared out to threads: ranges cut into parts, calls answered in the order of their arguments."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

SMALL = 1 << 14  # cost up to which a job is done on the calling thread: handing it over would take as long
RANGES_PER_THREAD = 8  # so that threads end together, though the costs are estimates

Ranges = list[tuple[int, int]]
"""Half-open intervals."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(NamedTuple):
    """A pool of threads, and whom to tell which share of the whole job is done."""

    pool: Executor
    threads: int
    progress: Callable[[float], None] = lambda share: None

    def stream(self, call: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Result]:
        """Call with each tuple of arguments; results in order, as they come."""
        return self.pool.map(lambda each: call(*each), arguments)

    def run(self, call: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]) -> list[Result]:
        """Call with each tuple of arguments; results in order, when all are there."""
        return list(self.stream(call, arguments))

    def blocks(self, size: int) -> Ranges:
        """Split ``range(size)`` into one block a thread."""
        return split_range(size, self.threads)


def split_range(size: int, parts: int) -> Ranges:
    """Split ``range(size)`` into nearly equal half-open intervals.

    >>> split_range(10, 3)
    [(0, 3), (3, 6), (6, 10)]
    """
    edges = [size * k // parts for k in range(parts + 1)]
    return list(pairwise(edges))


def in_pieces(work: Callable[[int, int], None], costs: NDArray[Any], pool: Executor, threads: int) -> None:
    """Call ``work(first, last)`` over consecutive ranges of about equal cost, on the pool; a small job on this thread."""
    done = np.cumsum(costs)
    if not len(done) or done[-1] < SMALL:
        work(0, len(costs))
        return
    wanted = np.linspace(0, float(done[-1]), RANGES_PER_THREAD * threads + 1)[1:-1]
    cuts = np.unique([0, *np.searchsorted(done, wanted), len(costs)]).tolist()
    list(pool.map(work, cuts[:-1], cuts[1:]))


def in_order(pool: Executor, task: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """``map`` over a pool that never works more than ``ahead`` items before the one that is taken.

    An error comes in its place, and what waits behind it is cancelled.
    """
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(task, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
