"""The one place that decides how kernels are compiled.

Kernels release the GIL and are cached on disk; parallelism is threads over blocks of work, never
``prange``: bounds errors are swallowed inside it, and nested pools fight over cores. Division follows
NumPy, so that no kernel carries a hidden zero check. ``NUMBA_DISABLE_JIT=1`` runs the same code as plain
Python, ``NUMBA_BOUNDSCHECK=1`` checks every index.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from threading import Lock
from typing import Any

import numba
from numba.core import event

from suffixindex.kernels import COMPILING
from suffixindex.kernels.jit.intrinsics import INTERPRETED, prefetch, scratch, word_at
from suffixindex.kernels.jit.kept import CACHED, is_known, is_ready, kept

__all__ = ["INTERPRETED", "helper", "is_ready", "kernel", "part", "prefetch", "scratch", "word_at"]


class _Teller(event.Listener):
    """Tells who wants to know that something compiles. What it needs compiles within it, and in other threads beside it."""

    def __init__(self) -> None:
        self._under_way = 0
        self._lock = Lock()

    def on_start(self, happening: Any) -> None:
        self._count(1, 1)

    def on_end(self, happening: Any) -> None:
        self._count(-1, 0)

    def _count(self, more: int, telling: int) -> None:
        with self._lock:
            self._under_way += more
            changed = self._under_way == telling
        for tell in list(COMPILING) if changed else ():
            tell(telling == 1)


event.register("numba:compile", _Teller())


def _compilers() -> tuple[dict[str, Any], ...]:
    """By what kernels, parts and helpers are compiled: of a Numba that is not known, by all that it mostly does."""
    if not is_known():
        called = {"no_cpython_wrapper": True}
        return {}, called, called | {"forceinline": True}
    return tuple({"pipeline_class": partial(_compiler, name)} for name in ("Kernel", "Part", "Helper"))


def _compiler(name: str, *arguments: Any) -> Any:
    """One of our compilers, imported where something is compiled: most processes load what earlier ones have kept."""
    return getattr(import_module("suffixindex.kernels.jit.compiler"), name)(*arguments)


_OF_KERNELS, _OF_PARTS, _OF_HELPERS = _compilers()
_COMPILED: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}
"""Without counted references: of five arrays these are ten atomic additions, 80 ns. So a kernel makes no array but ``scratch``."""


def kernel(function: Callable[..., Any]) -> Any:
    """Decorator of a kernel that Python calls."""
    return kept(numba.njit(cache=CACHED, **_COMPILED, **_OF_KERNELS)(function))


part: Callable[..., Any] = numba.njit(**_COMPILED, **_OF_PARTS)
"""Decorator of a function that kernels call: it is compiled once, not in each of them, and allocates nothing.

A number among its arguments is a type of its own where it is written as a literal: ``np.int64(0)`` is none.
"""

helper: Callable[..., Any] = numba.njit(**_COMPILED, **_OF_HELPERS)
"""As ``part``, for leaves: LLVM puts them where they are called. Numba's own inlining infers their types anew at each call."""
