"""Which device sorts a text. Imports torch only where a GPU is asked for, or worth it and installed."""

import logging
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import BuildError, MissingDependencyError

if TYPE_CHECKING:
    from suffixindex.gpu_sort.sort import Timed

log = logging.getLogger(__name__)

CPU = "cpu"
WORTH_TOKENS = 1 << 25
"""Tokens that are worth a GPU: importing torch and starting a device take some seconds, once a process."""
HOST_BYTES = 2 << 30
"""Memory of the host that torch and a started device take, about: it does not grow with the text."""


def choose_device(request: str, num_tokens: int, shard: int = 0) -> str:
    """The name of the device that sorts a shard: ``cpu`` or ``cuda:0``, ``cuda:1``, ….

    Parameters
    ----------
    request
        ``cpu``; ``cuda``, all GPUs in turns, a shard each; ``cuda:1``, that one; ``auto``, a GPU if torch is installed, sees one,
        and the text is worth the start.
    num_tokens
        Of the shard.
    shard
        Its number: shards take turns at the GPUs.

    Raises
    ------
    BuildError
        The request is none of these, or torch sees no such GPU.
    MissingDependencyError
        A GPU is asked for, and torch is not installed.

    Examples
    --------
    >>> choose_device("auto", 1000)
    'cpu'
    """
    match = re.fullmatch(r"cpu|auto|cuda(?::(\d+))?", request)
    if not match:
        raise BuildError(f"{request!r} is no device: cpu, cuda, cuda:NUMBER or auto")
    if request == CPU or (request == "auto" and (num_tokens < WORTH_TOKENS or not _may_have_gpu())):
        return CPU
    if not _installed():
        if request == "auto":
            return CPU
        raise MissingDependencyError(f"sorting on {request} needs torch: pip install torch; --device cpu needs nothing")
    count = _count_gpus()
    if count == 0 or int(match[1] or 0) >= count:
        if request == "auto":
            return CPU
        raise BuildError(f"torch sees {count} GPUs, and {request} is none of them: --device auto takes what there is")
    return f"cuda:{match[1] or shard % count}"


def shards_at_once(request: str, num_tokens: int) -> int:
    """How many shards of so many tokens a build works on at a time: one on the CPU, one a GPU and one that is written."""
    if choose_device(request, num_tokens) == CPU:
        return 1
    return 1 + _count_gpus() if request == "cuda" else 2


def shards_planned(request: str) -> int:
    """What :func:`shards_at_once` may say of large shards, without importing torch for ``auto``."""
    if request == "auto":
        return 2 if _installed() and _may_have_gpu() else 1
    return shards_at_once(request, WORTH_TOKENS)


def sort_tokens(
    tokens: NDArray[np.unsignedinteger[Any]],
    separator: int | None,
    device: str,
    on_cpu: Callable[[], NDArray[np.uint32]],
    *,
    shard: int = 0,
    out: NDArray[np.uint32] | None = None,
    progress: Callable[[float], None] | None = None,
    tell: "Callable[[Timed], None] | None" = None,
) -> NDArray[np.uint32]:
    """The suffix array of ``tokens``, sorted on the device that ``device`` asks for, or by ``on_cpu``.

    See :func:`choose_device` for what may be asked, and :func:`suffixindex.gpu_sort.sort.sort_on_device` for the rest.
    ``on_cpu`` sorts the same tokens into the same ``out``; it is called where the CPU is chosen or a GPU lacks the memory.
    """
    chosen = choose_device(device, len(tokens), shard)
    if chosen == CPU:
        return on_cpu()
    from suffixindex.gpu_sort.sort import sort_on_device

    return sort_on_device(tokens, separator, chosen, on_cpu, out=out, progress=progress, tell=tell)


def _may_have_gpu() -> bool:
    """Whether a driver of NVIDIA's or AMD's is there; asked before torch is imported, which takes seconds."""
    return sys.platform != "linux" or any(Path(name).exists() for name in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))


def _installed() -> bool:
    return "torch" in sys.modules or find_spec("torch") is not None


def _count_gpus() -> int:
    """GPUs that torch sees; none where torch or its driver does not load."""
    try:
        import torch

        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    except (ImportError, OSError, RuntimeError) as error:
        log.warning("no GPU is used: torch does not start (%s)", error)
        return 0
