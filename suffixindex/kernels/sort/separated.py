"""Suffixes that are equal through their first separator, in a suffix array sorted past it."""

import numpy as np

from suffixindex.kernels.jit import kernel


@kernel
def mark_equal(tokens, suffix_array, separator, before, tied):
    """Set ``tied[rank]`` where the suffix equals, through its separator, that of the rank before.

    The longest common prefixes in text order (Kasai et al., 2001; Kärkkäinen et al., 2009), cut after the separator:
    that of a suffix is at most one shorter than that of the suffix before it. ``before`` is working space, ``uint32`` a token: the
    suffix of the rank before, then 1 where it is equal. O(n).
    """
    size = len(tokens)
    nothing = np.uint32(size)
    before[suffix_array[0]] = nothing
    for rank in range(1, size):
        before[suffix_array[rank]] = suffix_array[rank - 1]
    common = 0
    for position in range(size):
        other = np.int64(before[position])
        if other == size:
            common = 0
        equal = common > 0 and np.int64(tokens[position + common - 1]) == separator
        if other < size:
            while not equal and max(position, other) + common < size and tokens[position + common] == tokens[other + common]:
                equal = np.int64(tokens[position + common]) == separator
                common += 1
        before[position] = np.uint32(equal)
        common = max(common - 1, 0)
    for rank in range(size):
        tied[rank] = before[suffix_array[rank]] == 1
