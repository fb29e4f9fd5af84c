"""Threads and locks that outlive a fork: a forked process has none of its parent's threads, and any lock may be held by one."""

import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from threading import Lock, RLock
from types import TracebackType
from typing import Any
from weakref import WeakSet

from suffixindex.errors import QueryError


class ForkLock:
    """A lock that is free again in a forked process, whoever holds it in the parent."""

    def __init__(self) -> None:
        self._lock = Lock()
        _RENEWED.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Forget who holds it. For the child of a fork."""
        self._lock = Lock()


CLOSED = "the index is closed: open it again with suffixindex.open"


class _Pool(ThreadPoolExecutor):
    """Threads that refuse work with an error of ours, once they are stopped."""

    def submit(self, *arguments: Any, **named: Any) -> "Future[Any]":
        try:
            return super().submit(*arguments, **named)
        except RuntimeError:
            raise QueryError(CLOSED) from None


class Threads:
    """A pool of threads that is started when first needed, and anew in a forked process; none after it is closed."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self._lock = ForkLock()
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False
        _RENEWED.add(self)

    @property
    def pool(self) -> ThreadPoolExecutor:
        """
        Raises
        ------
        QueryError
            It is closed.
        """
        with self._lock:
            if self._closed:
                raise QueryError(CLOSED)
            if self._pool is None:
                self._pool = _Pool(self.cores, "suffixindex")
            return self._pool

    def close(self) -> None:
        """Stop the threads when they have done what they were given."""
        with self._lock:
            pool, self._pool, self._closed = self._pool, None, True
        if pool is not None:
            pool.shutdown()

    def renew(self) -> None:
        """Forget the pool, whose threads are the parent's. For the child of a fork."""
        self._pool = None


_RENEWED: "WeakSet[ForkLock | Threads]" = WeakSet()


def _after_fork() -> None:
    for one in list(_RENEWED):
        one.renew()
    if sys.version_info < (3, 12):  # a cached property has a lock there, which another thread may have held
        for name, module in list(sys.modules.items()):
            if name.startswith("suffixindex"):
                for kind in vars(module).values():
                    for member in vars(kind).values() if isinstance(kind, type) else ():
                        if isinstance(member, cached_property):
                            member.lock = RLock()  # type: ignore[attr-defined]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
