"""Check a suffix array against its tokens, in linear time and without comparing text.

A permutation is sorted if, for each suffix and the one of the rank before, either their first tokens are in order, or
these are equal and the ranks of the suffixes one token on are in order (Burkhardt and Kärkkäinen, 2003). The ranks that
are returned are wrong ones; -1 says that there is none.
"""

import numpy as np

from suffixindex.kernels.jit import kernel

GOOD = -1


@kernel
def invert(suffix_array, lo, hi, rank_of):
    """``rank_of[suffix_array[rank]] = rank`` over the ranks ``[lo, hi)``; returns the first that holds no position."""
    for rank in range(lo, hi):
        position = np.int64(suffix_array[rank])
        if position >= len(rank_of):
            return rank
        rank_of[position] = rank
    return GOOD


@kernel
def find_duplicate(suffix_array, lo, hi, rank_of):
    """The first rank in ``[lo, hi)`` whose position another rank has taken in ``rank_of``."""
    for rank in range(lo, hi):
        if np.int64(rank_of[suffix_array[rank]]) != rank:
            return rank
    return GOOD


@kernel
def find_disorder(tokens, suffix_array, separator, lo, hi, rank_of):
    """The first rank in ``[max(lo, 1), hi)`` whose suffix does not follow that of the rank before.

    ``separator`` is -1 where there is none. Three random reads a suffix, about 20 ns.
    """
    size = len(tokens)
    for rank in range(max(lo, 1), hi):
        before = np.int64(suffix_array[rank - 1])
        after = np.int64(suffix_array[rank])
        token = np.int64(tokens[before])
        if token != np.int64(tokens[after]):
            ordered = token < np.int64(tokens[after])
        elif token == separator:
            ordered = before < after
        elif before + 1 == size or after + 1 == size:
            ordered = before + 1 == size
        else:
            ordered = rank_of[before + 1] < rank_of[after + 1]
        if not ordered:
            return rank
    return GOOD


@kernel
def find_sampled_disorder(tokens, suffix_array, separator, ranks, max_tokens):
    """The first of ``ranks`` (all at least 1) whose suffix does not follow that of the rank before, or holds no position.

    Compares at most ``max_tokens`` tokens of a pair; what is equal that far counts as ordered.
    """
    size = len(tokens)
    for rank in ranks:
        before = np.int64(suffix_array[rank - 1])
        after = np.int64(suffix_array[rank])
        if before >= size or after >= size or before == after:
            return rank
        for _ in range(max_tokens):
            if before == size:
                break
            if after == size or tokens[before] > tokens[after]:
                return rank
            if tokens[before] < tokens[after]:
                break
            if np.int64(tokens[before]) == separator:
                if before > after:
                    return rank
                break
            before += 1
            after += 1
    return GOOD
