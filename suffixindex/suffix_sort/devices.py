"""The suffix sort wherever it runs: on the processor's cores, or on a GPU where one is asked for and worth it."""

from collections.abc import Callable
from sys import modules
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.gpu_sort.device import CPU, sort_tokens
from suffixindex.suffix_sort import doubling
from suffixindex.suffix_sort.checked import check_out, checked_tokens

if TYPE_CHECKING:
    from suffixindex.suffix_sort.sort import SortConfig

COMPILING_TOKENS = 1 << 22
"""Up to so many tokens are sorted without compiled code where that is not there: one or two seconds, where compiling takes four."""
FEW_TOKENS = 1 << 15
"""Up to so many always: milliseconds."""
UNLOADED_TOKENS = 1 << 18
"""Up to so many where Numba is not loaded, which takes a quarter of a second: this a fiftieth, of repetitive text 0.15 s."""

SAMPLE_IDS = {1: 200, 2: 300, 4: 70_000}
"""By bytes of an id: so many different ones, if there are, that a sample of them is sorted as a corpus of that type is."""


def load(dtype: np.dtype[Any], vocabulary_size: int, separator: int) -> None:
    """Load what sorts ids of a type where that is compiled, so that the first text need not wait: 0.3 s, once in a process."""
    from suffixindex.suffix_sort import sort

    ids = np.arange(min(vocabulary_size, SAMPLE_IDS[dtype.itemsize]), dtype=dtype)
    sample = np.append(np.tile(ids, 3 + FEW_TOKENS // max(len(ids), 1)), dtype.type(separator))
    if sort.is_compiled(sample, separator):
        sort.suffix_array(sample, separator=separator, threads=1)


def suffix_array(
    tokens: NDArray[np.unsignedinteger[Any]],
    *,
    separator: int | None = None,
    threads: int | None = None,
    device: str = CPU,
    shard: int = 0,
    out: NDArray[np.uint32] | None = None,
    progress: Callable[[float], None] | None = None,
    config: "SortConfig | None" = None,
) -> NDArray[np.uint32]:
    """Return the positions of all suffixes of ``tokens`` in their order: the same array on any device.

    Parameters
    ----------
    tokens, separator, threads, out, progress
        As for :func:`suffixindex.suffix_sort.sort.suffix_array`, which says what the order is and what the CPU costs. A text of
        up to 4 M tokens does not wait for a compiler: :mod:`suffixindex.suffix_sort.doubling`.
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

    plain = checked_tokens(tokens)
    if out is not None:
        check_out(out, len(plain))

    def on_cpu() -> NDArray[np.uint32]:
        told = progress or (lambda share: None)
        if config is None and len(plain) <= (FEW_TOKENS if "numba" in modules else UNLOADED_TOKENS):
            return doubling.suffix_array(plain, separator, out, told)
        from suffixindex.suffix_sort import sort

        if config is None and len(plain) <= COMPILING_TOKENS and not sort.is_compiled(plain, separator):
            return doubling.suffix_array(plain, separator, out, told)
        how = config or sort.DEFAULT_CONFIG
        return sort.suffix_array(plain, separator=separator, threads=threads, out=out, progress=progress, config=how)

    if device == CPU:
        return on_cpu()
    if separator is not None and len(plain) and int(plain.max()) > separator:
        raise ValueError(f"the id {int(plain.max())} exceeds the separator {separator}")
    return sort_tokens(plain, separator, device, on_cpu, shard=shard, out=out, progress=progress)
