"""The suffix array by libdivsufsort, through pydivsufsort: a yardstick, and an oracle that shares no code.

libdivsufsort sorts the bytes of the tokens, most significant first, on one thread; of its positions every other one
(or fourth) starts a token. It compares past separators, so a linear pass then finds the suffixes that are equal through
their separator and puts them in the order of their positions.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import MissingDependencyError
from suffixindex.kernels.sort import separated as sort_separated


def divsufsort_suffix_array(tokens: NDArray[np.unsignedinteger[Any]], separator: int | None = None) -> NDArray[np.uint32]:
    """Return the same array as :func:`suffixindex.suffix_sort.sort.suffix_array`, by pydivsufsort.

    For comparisons: it runs on one thread and takes 20 bytes a 16-bit token and more. At most 2**31 bytes of tokens.

    Raises
    ------
    ValueError
        An id exceeds the separator.
    MissingDependencyError
        pydivsufsort is not installed.
    """
    try:
        from pydivsufsort import divsufsort
    except ImportError as error:
        raise MissingDependencyError("pydivsufsort is not installed: pip install pydivsufsort") from error
    if len(tokens) == 0:
        return np.empty(0, np.uint32)
    if separator is not None and int(tokens.max()) > separator:
        raise ValueError(f"the separator {separator} is smaller than the id {int(tokens.max())}: it must be the largest id")
    width = tokens.dtype.itemsize
    big_endian = tokens.astype(tokens.dtype.newbyteorder(">"))
    byte_array = divsufsort(big_endian.view(np.uint8))
    suffix_array: NDArray[np.uint32] = (byte_array[byte_array % width == 0] // width).astype(np.uint32)
    if separator is not None:
        tied = np.zeros(len(tokens), np.bool_)
        sort_separated.mark_equal(tokens, suffix_array, separator, np.empty(len(tokens), np.uint32), tied)
        _order_by_position(suffix_array, tied)
    return suffix_array


def _order_by_position(suffix_array: NDArray[np.uint32], tied: NDArray[np.bool_]) -> None:
    """Sort each run of tied ranks by position: one sort of (head of the run, position)."""
    head = np.maximum.accumulate(np.where(tied, 0, np.arange(len(tied), dtype=np.uint64)))
    in_run = tied.copy()
    in_run[:-1] |= tied[1:]
    keys = (head[in_run] << np.uint64(32)) | suffix_array[in_run]
    keys.sort()
    suffix_array[in_run] = keys.astype(np.uint32)
