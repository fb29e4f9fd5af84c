"""Intervals of ranks: where the suffixes that begin with an n-gram lie in a suffix array."""

import numpy as np

from suffixindex.kernels.jit import helper, kernel


@helper
def _compare(tokens, position, ngrams, start, stop):
    """-1, 0, 1 as the suffix at ``position``, cut to the n-gram's length, is below, equal or above it.

    Stays inside ``tokens``: the last one is a separator, which an n-gram holds nowhere but at its end.
    """
    shift = position - start
    for i in range(start, stop):
        token = tokens[i + shift]
        if token != ngrams[i]:
            return -1 if token < ngrams[i] else 1
    return 0


@kernel
def find_intervals(tokens, suffix_array, ngrams, offsets, first, last, low, high):
    """Fill ``[low[q], high[q])`` for the n-grams ``ngrams[offsets[q] : offsets[q + 1]]``, ``first <= q < last``.

    An empty n-gram gets the whole array. O(length log tokens) each.
    """
    for query in range(first, last):
        start, stop = offsets[query], offsets[query + 1]
        below, above = np.int64(0), np.int64(len(suffix_array))
        end = above  # the least rank known to be beyond the n-gram
        while below < above:
            middle = (below + above) >> 1
            order = _compare(tokens, np.int64(suffix_array[middle]), ngrams, start, stop)
            if order < 0:
                below = middle + 1
            else:
                above = middle
                if order > 0:
                    end = middle
        low[query] = below
        above = end
        while below < above:
            middle = (below + above) >> 1
            if _compare(tokens, np.int64(suffix_array[middle]), ngrams, start, stop) <= 0:
                below = middle + 1
            else:
                above = middle
        high[query] = below
