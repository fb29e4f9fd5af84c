"""The one place that decides how kernels are compiled.

Kernels release the GIL and are cached on disk; parallelism is threads over blocks of work, never
``prange``: bounds errors are swallowed inside it, and nested pools fight over cores. Division follows
NumPy, so that no kernel carries a hidden zero check. ``NUMBA_DISABLE_JIT=1`` runs the same code as plain
Python, ``NUMBA_BOUNDSCHECK=1`` checks every index.
"""

import atexit
import glob
import logging
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, event, typed_passes, types, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager
from numba.extending import intrinsic

from suffixindex.kernels import COMPILING

log = logging.getLogger(__name__)


def _has_cache() -> bool:
    """Whether compiled kernels can be kept; where neither the package's folder nor a home takes them, until this process ends."""

    def anything() -> None:
        """Stands for any kernel."""

    try:
        numba.njit(cache=True)(anything)
        return True
    except RuntimeError:  # no locator available
        pass
    try:
        folder = tempfile.mkdtemp(prefix="suffixindex-kernels-")
    except OSError:
        log.warning("compiled kernels cannot be kept anywhere, so each process compiles them: set NUMBA_CACHE_DIR to a folder")
        return False
    log.warning("compiled kernels are kept in %s until this process ends: set NUMBA_CACHE_DIR to a folder to keep them", folder)
    numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = folder  # type: ignore[attr-defined] # read again when others change
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    return True


CACHED = _has_cache()


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


PASSES = (
    (untyped_passes.TranslateByteCode, "analyzing bytecode"),
    (untyped_passes.FixupArgs, "fix up args"),
    (untyped_passes.IRProcessing, "processing IR"),
    (untyped_passes.GenericRewrites, "nopython rewrites"),
    (untyped_passes.ReconstructSSA, "ssa"),
    (typed_passes.NopythonTypeInference, "nopython frontend"),
    (typed_passes.PreLowerStripPhis, "remove phis nodes"),
    (typed_passes.InlineOverloads, "inline overloaded functions"),
    (typed_passes.IRLegalization, "ensure IR is legal prior to lowering"),
    (typed_passes.AnnotateTypes, "annotate types"),
    (typed_passes.NativeLowering, "native lowering"),
    (typed_passes.NoPythonBackend, "nopython mode backend"),
)
"""What Numba does with a kernel: half of what it mostly does, since loops over arrays hold no closures or array expressions."""


class _Code(JITCodeLibrary):
    """Code that is optimized as a whole, and not function by function before."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout


class _LinkedCode(_Code):
    """What only kernels call: optimized and translated as a piece of each of these, and not once more by itself."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True

    @property
    def codegen(self) -> "_LinkedCode":
        """Whom Numba tells of the environment, in which such code looks nothing up."""
        return self

    def set_env(self, name: str, environment: Any) -> None:
        pass


class _Kernel(CompilerBase):
    """The compiler of kernels."""

    code = _Code

    def define_pipelines(self) -> list[Any]:
        self.state.library = self.code(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        self.state.library.enable_object_caching()
        passes = PassManager("kernel")
        for made, what in PASSES:
            passes.add_pass(made, what)
        passes.finalize()
        return [passes]


class _Part(_Kernel):
    """Of what they call. Its flags are set here, since what Numba compiles for it is compiled again where they are others."""

    code = _LinkedCode
    forceinline = False

    def define_pipelines(self) -> list[Any]:
        self.state.flags.no_cpython_wrapper = True
        self.state.flags.forceinline = self.forceinline
        return super().define_pipelines()


class _Helper(_Part):
    forceinline = True


_COMPILED: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "pipeline_class": _Kernel}
_UNCOUNTED = _COMPILED | {"_nrt": False}
"""Without counted references: of five arrays these are ten atomic additions, 80 ns."""


def kernel(function: Callable[..., Any]) -> Any:
    """Decorator of a kernel that Python calls, and that makes no arrays."""
    return _cached(numba.njit(cache=CACHED, **_UNCOUNTED)(function))


def allocating_kernel(function: Callable[..., Any]) -> Any:
    """Decorator of a kernel that Python calls, and that makes arrays: references to all are counted."""
    return _cached(numba.njit(cache=CACHED, **_COMPILED)(function))


def _cached(compiled: Any) -> Any:
    kept = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if kept is not None:
        kept._load_index = partial(_index_of, kept._load_index)
    return compiled


def _index_of(load: Callable[[], dict[Any, str]]) -> dict[Any, str]:
    """What is kept of a kernel. Of one from an earlier version, types that there were may be gone: of that, nothing."""
    try:
        return load()
    except Exception:  # whatever unpickling raises: Numba looks whether it is of this source only afterwards
        return {}


part: Callable[..., Any] = numba.njit(**_UNCOUNTED | {"pipeline_class": _Part})
"""Decorator of a function that kernels call: it is compiled once, not in each of them, and allocates nothing.

A number among its arguments is a type of its own where it is written as a literal: ``np.int64(0)`` is none.
"""

helper: Callable[..., Any] = numba.njit(**_UNCOUNTED | {"pipeline_class": _Helper})
"""As ``part``, for leaves: LLVM puts them where they are called. Numba's own inlining infers their types anew at each call."""


def is_ready(compiled: Any, first: Any) -> bool:
    """Whether a kernel runs without being compiled first, with ``first`` as its first argument: here before, or kept on disk.

    Where Numba does not say, or compiles nothing, it is not.
    """
    if not hasattr(compiled, "signatures"):
        return False
    wanted = numba.typeof(first)
    return any(signature[0] == wanted for signature in [*compiled.signatures, *_kept_signatures(compiled)])


def _kept_signatures(compiled: Any) -> list[Any]:
    """The signatures of a kernel's code on disk, if it is no older than the source."""
    function = compiled.py_func
    written = os.stat(function.__code__.co_filename).st_mtime
    name = f"*{glob.escape(function.__qualname__)}-{function.__code__.co_firstlineno}.*.nbi"
    found: list[Any] = []
    for path in glob.glob(os.path.join(glob.escape(str(compiled.stats.cache_path)), name)):
        try:
            with open(path, "rb") as file:
                version = pickle.load(file)
                _, overloads = pickle.load(file)
            if version == numba.__version__ and os.stat(path).st_mtime >= written:
                found += [key[0] for key in overloads]
        except (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError, TypeError, ValueError):  # another Numba's
            continue
    return found


def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of ``array[index]``; a hint, so an index past the end is harmless."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, index_type = signature.args
        index = context.cast(builder, arguments[1], index_type, types.int64)
        if isinstance(array_type, types.Array):
            data = context.make_array(array_type)(context, builder, value=arguments[0]).data
            address = builder.bitcast(builder.gep(data, [index]), ir.IntType(8).as_pointer())
        else:  # of `stored`
            first = cgutils.create_struct_proxy(array_type)(context, builder, arguments[0]).address
            offset = builder.mul(index, ir.Constant(ir.IntType(64), array_type.width))
            address = builder.inttoptr(builder.add(first, offset), ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        function_type = ir.FunctionType(ir.VoidType(), [address.type, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        read, keep_in_all_caches, data_cache = word(0), word(3), word(1)
        builder.call(function, [address, read, keep_in_all_caches, data_cache])
        return context.get_dummy_value()

    return types.void(array, index), emit


def _word_at(typing_context: Any, memory: Any, index: Any) -> Any:
    """The eight bytes from ``memory[index]`` on as a number, the first one lowest; their address needs no alignment."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, index_type = signature.args
        index = context.cast(builder, arguments[1], index_type, types.int64)
        data = context.make_array(array_type)(context, builder, value=arguments[0]).data
        word = builder.bitcast(builder.gep(data, [index]), ir.IntType(64).as_pointer())
        return builder.load(word, align=1)

    return types.uint64(memory, index), emit


def _word_at_interpreted(memory: Any, index: Any) -> Any:
    """What ``word_at`` is when the JIT is off."""
    return memory[index : index + 8].view("<u8")[0]


def _prefetch_nothing(array: Any, index: Any) -> None:
    """What ``prefetch`` is when the JIT is off."""


INTERPRETED = bool(getattr(numba.config, "DISABLE_JIT", False))
prefetch: Callable[..., Any] = _prefetch_nothing if INTERPRETED else intrinsic(_prefetch)
"""``prefetch(array, index)`` in a kernel; overlapping cache misses is worth 3-5 times in batch searches."""

word_at: Callable[..., Any] = _word_at_interpreted if INTERPRETED else intrinsic(_word_at)
"""``word_at(memory, index)`` in a kernel: one load from an array of bytes. That it ends inside the array is not checked."""
