"""What follows an n-gram: the runs of equal tokens behind it, which lie together because suffixes are sorted."""

import numpy as np

from suffixindex.kernels import DamageError
from suffixindex.kernels.guarded import inside, position_at
from suffixindex.kernels.jit import helper, kernel, prefetch, scratch

ABREAST = 32
"""Stretches of ranks that are halved together, so that their cache misses overlap."""
AHEAD = 24  # ranks by which a suffix's text is asked for early
STACK = 2 * ABREAST * 33
"""Stretches that wait at most: twice as many as go together, of each of the 33 sizes that halving 2**32 ranks makes."""


@helper
def _run(start, token):
    return (np.uint64(start) << np.uint64(32)) | np.uint64(token)


@helper
def _token(tokens, suffix_array, rank, length):
    return np.int64(tokens[np.uint64(inside(np.int64(suffix_array[np.uint64(rank)]) + length, len(tokens)))])


@kernel
def scan_runs(tokens, suffix_array, low, high, length, runs):
    """Fill ``runs`` with (first rank - low) << 32 | token of each run in ``[low, high)``; returns how many. O(ranks)."""
    found = np.int64(0)
    previous = np.int64(-1)
    for rank in range(low, high):
        token = _token(tokens, suffix_array, rank, length)
        if token != previous:
            if found == len(runs):
                raise DamageError  # more than the vocabulary has
            runs[found] = _run(rank - low, token)
            found += 1
            previous = token
    return found


@kernel
def halve_runs(tokens, suffix_array, low, high, length, runs):
    """As ``scan_runs``, in no order. O(runs × log(ranks / runs)).

    A stretch of ranks whose two ends have the same token is one run; another is halved. ``[low, high)`` is not empty.
    """
    first_rank = scratch(STACK, np.int64)
    last_rank = scratch(STACK, np.int64)
    first_token = scratch(STACK, np.int64)
    last_token = scratch(STACK, np.int64)
    left = scratch(ABREAST, np.int64)
    right = scratch(ABREAST, np.int64)
    left_token = scratch(ABREAST, np.int64)
    right_token = scratch(ABREAST, np.int64)
    at = scratch(ABREAST, np.int64)
    waiting = 1
    first_rank[0], last_rank[0] = low, high - 1
    first_token[0] = _token(tokens, suffix_array, low, length)
    last_token[0] = _token(tokens, suffix_array, high - 1, length)
    runs[0] = _run(np.int64(0), first_token[0])
    found = np.int64(1)
    while waiting > 0:
        taken = 0
        while taken < ABREAST and waiting > 0:
            waiting -= 1
            if first_token[waiting] == last_token[waiting]:
                continue
            if first_rank[waiting] + 1 == last_rank[waiting]:
                if found == len(runs):
                    raise DamageError  # more than the vocabulary has
                runs[found] = _run(last_rank[waiting] - low, last_token[waiting])
                found += 1
                continue
            left[taken], right[taken] = first_rank[waiting], last_rank[waiting]
            left_token[taken], right_token[taken] = first_token[waiting], last_token[waiting]
            prefetch(suffix_array, (left[taken] + right[taken]) >> 1)
            taken += 1
        for i in range(taken):
            at[i] = inside(np.int64(suffix_array[np.uint64((left[i] + right[i]) >> 1)]) + length, len(tokens))
            prefetch(tokens, at[i])
        for i in range(taken - 1, -1, -1):  # so that smaller stretches stay on top
            middle = (left[i] + right[i]) >> 1
            token = np.int64(tokens[np.uint64(at[i])])
            first_rank[waiting], last_rank[waiting] = left[i], middle
            first_token[waiting], last_token[waiting] = left_token[i], token
            waiting += 1
            first_rank[waiting], last_rank[waiting] = middle, right[i]
            first_token[waiting], last_token[waiting] = token, right_token[i]
            waiting += 1
    return found


@kernel
def read_before(tokens, suffix_array, low, out):
    """Fill ``out`` with the tokens before the suffixes from rank ``low`` on. A random read each."""
    for i in range(len(out)):
        if i + AHEAD < len(out):
            prefetch(tokens, np.int64(suffix_array[low + i + AHEAD]) - 1)
        out[i] = tokens[position_at(suffix_array, low + i, len(tokens)) - 1]


@kernel
def count_runs(runs, size, vocabulary_size, separator, ids, counts):
    """Split sorted ``runs`` of ``size`` ranks into token ids and how long each run is; raises DamageError for an unknown id."""
    low_half = np.uint64(2**32 - 1)
    unknown = np.int64(0)
    for i in range(len(runs)):
        ids[i] = np.int64(runs[i] & low_half)
        unknown += np.int64(ids[i] >= vocabulary_size) & np.int64(ids[i] != separator)
        end = np.int64(runs[i + 1] >> np.uint64(32)) if i + 1 < len(runs) else size
        counts[i] = end - np.int64(runs[i] >> np.uint64(32))
    if unknown:
        raise DamageError
