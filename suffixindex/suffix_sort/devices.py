"""The suffix sort wherever it runs: on the processor's cores, or on a GPU where one is asked for and worth it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.gpu_sort.device import CPU, sort_tokens
from suffixindex.suffix_sort import sort


def suffix_array(
    tokens: NDArray[np.unsignedinteger[Any]],
    *,
    separator: int | None = None,
    threads: int | None = None,
    device: str = CPU,
    shard: int = 0,
    out: NDArray[np.uint32] | None = None,
    progress: Callable[[float], None] | None = None,
    config: sort.SortConfig = sort.DEFAULT_CONFIG,
) -> NDArray[np.uint32]:
    """Return the positions of all suffixes of ``tokens`` in their order: the same array on any device.

    Parameters
    ----------
    tokens, separator, threads, out, progress
        As for :func:`suffixindex.suffix_sort.sort.suffix_array`, which says what the order is and what the CPU costs.
    device
        ``cpu``; ``cuda``, ``cuda:1``: a GPU, through torch; ``auto``: a GPU if torch sees one and the text is worth its start.
        A GPU without the memory for the text leaves it to the CPU, with a line in the log.
    shard
        Its number, where several texts are shared out to several GPUs.

    Raises
    ------
    TypeError, ValueError
        ``tokens`` or ``out`` is none that can be sorted.
    BuildError, MissingDependencyError
        There is no such device, or no torch to reach it.

    Examples
    --------
    >>> suffix_array(np.array([2, 1, 2, 1], np.uint16)).tolist()
    [3, 1, 2, 0]
    """

    def on_cpu() -> NDArray[np.uint32]:
        return sort.suffix_array(tokens, separator=separator, threads=threads, out=out, progress=progress, config=config)

    if device == CPU:
        return on_cpu()
    plain = sort.checked_tokens(tokens)
    if separator is not None and len(plain) and int(plain.max()) > separator:
        raise ValueError(f"the id {int(plain.max())} exceeds the separator {separator}")
    if out is not None:
        sort.check_out(out, len(plain))
    return sort_tokens(plain, separator, device, on_cpu, shard=shard, out=out, progress=progress)
