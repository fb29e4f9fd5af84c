"""Numbers read from disk, checked before they are used as addresses.

A suffix array may be damaged: an entry then names a position that is none, and memory would be read that is not ours. One
comparison, which the processor predicts, costs nothing beside the read that it guards. Tokens are safe to read from any
position on as far as text is compared, because the last one is a separator; document tables are checked whole when they are
mapped (:mod:`suffixindex.storage.checks`).
"""

import numpy as np

from suffixindex.kernels import DamageError
from suffixindex.kernels.jit import helper


@helper
def position_at(suffix_array, rank, size):
    """The position of a rank; raises DamageError where it is not below ``size``."""
    position = np.int64(suffix_array[rank])
    if not 0 <= position < size:
        raise DamageError
    return position


@helper
def inside(position, size):
    """The position itself; raises DamageError where it is not below ``size``."""
    if not 0 <= position < size:
        raise DamageError
    return position
