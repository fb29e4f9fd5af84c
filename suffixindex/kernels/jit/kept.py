"""Where compiled kernels are kept, and which of them are there."""

import atexit
import glob
import hashlib
import logging
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

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


KNOWN = (0, 68)
"""The latest Numba whose insides are those that are named here and in :mod:`suffixindex.kernels.jit.compiler`."""


def is_known() -> bool:
    """Whether its insides may be used; of another Numba only what all of them have."""
    return bool(numba.version_info.short <= KNOWN)


CACHED = _has_cache()
WAY = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()
"""How kernels are compiled: what was compiled in another way, which may ask for what is not loaded here, is compiled anew."""


class _Cache(FunctionCache):
    """What is kept of a kernel."""

    def be_tolerant(self) -> None:
        """Take no offence at what an earlier version kept."""
        file: Any = self._cache_file
        file._load_index = partial(_index_of, file._load_index)

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), WAY)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Numba would first import all that it can compile: 0.2 s and 230 modules, of which compiled code needs nothing."""
        if not is_known():
            return super().load_overload(sig, target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def kept(compiled: Any) -> Any:
    """A kernel whose code is kept as ours."""
    cache = getattr(compiled, "_cache", None)
    if isinstance(cache, FunctionCache):
        ours: Any = cache
        ours.__class__ = _Cache
        ours.be_tolerant()
    return compiled


def _index_of(load: Callable[[], dict[Any, str]]) -> dict[Any, str]:
    """What is kept of a kernel. Of one from an earlier version, types that there were may be gone: of that, nothing."""
    try:
        return load()
    except Exception:  # whatever unpickling raises: Numba looks whether it is of this source only afterwards
        return {}


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
                found += [key[0] for key in overloads if key[-1] == WAY]
        except (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError, TypeError, ValueError):  # another Numba's
            continue
    return found
