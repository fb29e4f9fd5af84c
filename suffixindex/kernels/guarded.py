"""Numbers read from disk, checked before they are used as addresses.

A suffix array may be damaged: an entry then names a position that is none, and memory would be read that is not ours. One
comparison, which the processor predicts, costs nothing beside the read that it guards, and unsigned ranks pay for it: an index
that may be negative is a choice at every access. Tokens are safe to read from any
position on as far as text is compared, because the last one is a separator; document tables are checked whole when they are
mapped (:mod:`suffixindex.storage.checks`).
"""

import numpy as np

from suffixindex.kernels import DamageError
from suffixindex.kernels.jit import helper, prefetch

BLOCK = 512
"""Ranks that are checked together before they are used: 2 KiB, still in the nearest cache then."""
LINE = 16
"""Ranks in a cache line of the suffix array."""


@helper
def position_at(suffix_array, rank, size):
    """The position of a rank; raises DamageError where it is not below ``size``."""
    position = np.int64(suffix_array[np.uint64(rank)])
    if np.uint64(position) >= np.uint64(size):
        raise DamageError
    return position


@helper
def inside(position, size):
    """The position itself; raises DamageError where it is not below ``size``."""
    if np.uint64(position) >= np.uint64(size):
        raise DamageError
    return position


@helper
def check_block(suffix_array, low, high, size):
    """The end of a block of ranks from ``low`` on; raises DamageError where one has a position that is not below ``size``.

    For loops that do so little that a check in them is a third of it. The memory is asked for the next block meanwhile.
    """
    end = min(low + BLOCK, high)
    for line in range(end, min(end + BLOCK, high), LINE):
        prefetch(suffix_array, line)
    if low < end:
        largest = suffix_array[np.uint64(low)]
        for rank in range(low + 1, end):
            position = suffix_array[np.uint64(rank)]
            largest = position if position > largest else largest
        if np.uint64(largest) >= np.uint64(size):
            raise DamageError
    return end
