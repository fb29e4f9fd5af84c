"""Work in two pools: many cheap questions, few expensive ones, each with a bounded queue, so that none waits for the other kind."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from suffixindex.serve import problems
from suffixindex.serve.metrics import Metrics
from suffixindex.serve.settings import Settings

Answer = TypeVar("Answer")
GRACE = 60.0
"""Seconds beyond the deadline in which a block may end by itself: to compile code at its first use takes long on a busy machine."""
LEAST_SECONDS = 10.0
"""A question has before it is stopped: a busy machine is no reason to refuse a cheap one."""


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


class Job:
    """One question under way: asked between blocks whether it is to go on."""

    def __init__(self, seconds: float) -> None:
        self._started = time.monotonic()
        self._deadline = self._started + seconds
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        self._cancelled.set()

    def left(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self._deadline - time.monotonic())

    def too_slow(self) -> problems.ProblemError:
        return problems.too_slow(time.monotonic() - self._started)

    def check(self) -> None:
        """
        Raises
        ------
        ClientGoneError
            The client is gone.
        ProblemError
            The time is over.
        """
        if self._cancelled.is_set():
            raise ClientGoneError
        if time.monotonic() > self._deadline:
            raise self.too_slow()


class Pool:
    """Some threads and a queue of bounded length."""

    def __init__(self, name: str, workers: int, queue: int, metrics: Metrics) -> None:
        self.name, self._workers, self._most = name, workers, workers + queue
        self._executor = ThreadPoolExecutor(workers, f"serve-{name}")
        self._lock = threading.Lock()
        self._metrics = metrics
        self.taken = 0
        """Questions that run or wait."""
        self.seconds = 0.0
        """What they cost together, by their prices."""

    def submit(self, work: Callable[[], Answer], price: float) -> "Future[Answer]":
        """Queue some work.

        Raises
        ------
        ProblemError
            The queue is full.
        """
        self._take(price)
        future = self._executor.submit(work)
        future.add_done_callback(lambda _: self._give_back(price))
        return future

    @contextmanager
    def place(self, price: float) -> Iterator[Callable[[Callable[[], Answer]], "Future[Answer]"]]:
        """A place in the queue for work that comes in blocks: call it with each.

        Raises
        ------
        ProblemError
            The queue is full.
        """
        self._take(price)
        try:
            yield self._executor.submit
        finally:
            self._give_back(price)

    def _take(self, price: float) -> None:
        with self._lock:
            if self.taken >= self._most:
                self._metrics.refused[self.name] += 1
                raise problems.overloaded(self.seconds / self._workers)
            self.taken += 1
            self.seconds += price

    def _give_back(self, price: float) -> None:
        with self._lock:
            self.taken -= 1
            self.seconds -= price

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


class Workers:
    """Both pools. A question is priced by a cheap worker, which answers it at once if it is cheap."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.cheap = Pool("cheap", settings.cheap_workers, settings.cheap_queue, metrics)
        self.expensive = Pool("expensive", settings.expensive_workers, settings.expensive_queue, metrics)
        self._metrics = metrics

    def job(self, budget: float) -> Job:
        return Job(max(budget * self.settings.patience, LEAST_SECONDS))

    def refuse_expensive(self, cost: float, budget: float) -> None:
        """
        Raises
        ------
        ProblemError
            The cost is over the budget.
        """
        if cost > budget:
            self._metrics.too_expensive += 1
            raise problems.too_expensive(cost, budget)

    async def answer(
        self, price: Callable[[], float], work: Callable[[Job], Answer], gone: Callable[[], Awaitable[None]] | None = None
    ) -> Answer:
        """The answer of ``work``, which costs ``price()`` seconds; ``gone()`` returns when the client is gone.

        Raises
        ------
        ProblemError
            Too expensive, too slow, or too many wait already.
        ClientGoneError
            The client is gone; what was queued is dropped, what runs ends at its next block.
        """
        settings = self.settings
        job = self.job(settings.budget)

        def first() -> tuple[float, list[Answer]]:
            job.check()
            cost = price()
            self.refuse_expensive(cost, settings.budget)
            return cost, [work(job)] if cost <= settings.cheap else []

        watcher = None if gone is None else asyncio.ensure_future(gone())
        try:
            cost, answers = await watched(self.cheap.submit(first, 0.0), job, watcher)
            if answers:
                return answers[0]

            def second() -> Answer:
                job.check()
                return work(job)

            return await watched(self.expensive.submit(second, cost), job, watcher)
        finally:
            if watcher is not None:
                watcher.cancel()
                with suppress(asyncio.CancelledError):
                    await watcher

    def close(self) -> None:
        self.cheap.close()
        self.expensive.close()


async def watched(future: "Future[Answer]", job: Job, watcher: "asyncio.Future[Any] | None" = None) -> Answer:
    """The result of some work, unless the client goes or the time is over first: a block of work, which nothing stops, may hang."""
    wrapped: asyncio.Future[Any] = asyncio.wrap_future(future)
    awaited = [wrapped] if watcher is None else [wrapped, watcher]
    try:
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED, timeout=job.left() + GRACE)
        if not wrapped.done():
            raise ClientGoneError if watcher is not None and watcher.done() else job.too_slow()
        answer: Answer = await wrapped
        return answer
    except BaseException:
        job.cancel()
        if not wrapped.done():
            wrapped.cancel()  # a queued one is dropped
        raise
