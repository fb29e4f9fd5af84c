"""Occurrences of patterns: around each occurrence of one part, the tokens are read whether the other parts stand there too."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels import DamageError
from suffixindex.kernels.guarded import inside, position_at
from suffixindex.kernels.jit import kernel, prefetch

AHEAD = 32
"""Occurrences by which the tokens are asked for early: a miss is most of what one costs."""


class Holed(NamedTuple):
    """A pattern: part p is any of the n-grams ``ids[starts[i] : stops[i]]``, ``parts[p] <= i < parts[p + 1]``.

    Before it stand ``least[p]`` to ``most[p]`` tokens. The last part may be the empty n-gram. Only the last id of the last part, or
    the first of the first, may be the separator.
    """

    least: NDArray[np.int64]
    most: NDArray[np.int64]
    parts: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    ids: NDArray[np.int64]


@kernel
def find_rigid(tokens, separator, pivots, first, last, before, length, offsets, wanted, ahead, starts, nexts):
    """Find the stretches of ``length`` tokens that start ``before`` tokens before ``pivots[i]``, ``first <= i < last``.

    The token at ``offsets[k]`` is ``wanted[k]``, or anything but the separator where that is negative: all tokens of
    the pattern but those of the pivot. Fills ``starts``, and ``nexts`` with the tokens behind them, or if not ``ahead`` before
    them, as far as each has room; returns how many there are. 2 to 10 ns a pivot: a cache miss, which overlaps with others.
    """
    size = np.int64(len(tokens))
    separator = np.int64(separator)
    found = np.int64(0)
    read_first = (offsets[0] if len(offsets) > 0 else length) - before
    for i in range(first, last):
        if i + AHEAD < last:
            prefetch(tokens, np.int64(pivots[np.uint64(i + AHEAD)]) + read_first)
        start = position_at(pivots, i, size) - before
        if start < 0:
            continue
        k = 0
        while k < len(offsets) and offsets[k] < size - start:
            token = np.int64(tokens[np.uint64(start + offsets[k])])
            if token != wanted[k] and (wanted[k] >= 0 or token == separator):
                break
            k += 1
        if k == len(offsets):
            if found < len(starts):
                starts[found] = start
            if start + length > size:
                raise DamageError  # the pivot does not stand there, which was not read
            if found < len(nexts):
                nexts[found] = tokens[np.uint64(inside(start + (length if ahead else -1), size))]
            found += 1
    return found


@kernel
def find_stretches(
    tokens, separator, pivots, first, last, nearest, farthest, after, pattern, reached, ahead, starts, lengths, nexts
):
    """Find the stretches of a pattern that start ``nearest`` to ``farthest`` tokens before ``pivots[i]``, ``first <= i < last``.

    Each start is tried once: where the two differ, pivots ascend, and starts up to ``after`` are left out. Fills ``starts`` and
    ``lengths``, and ``nexts`` with the token behind each stretch, or if not ``ahead`` before it, as far as each has room; returns
    how many stretches there are. ``reached`` is false, ``bool[2, tokens of the longest stretch + 1]``: where the parts so far end.
    30 ns a pivot, and 3 ns for each token that a gap may skip.
    """
    least, most, parts, begins, ends, ids = pattern
    size = np.int64(len(tokens))
    separator = np.int64(separator)
    last_part = len(least) - 1
    found = np.int64(0)
    head = np.int64(-1)  # the token that each stretch begins with
    if parts[1] == 1 and most[0] == 0 and begins[0] < ends[0]:
        head = ids[begins[0]]
    for i in range(first, last):
        if i + AHEAD < last:
            prefetch(tokens, np.int64(pivots[np.uint64(i + AHEAD)]) - nearest)
        pivot = position_at(pivots, i, size)
        for start in range(max(pivot - farthest, after + 1, 0), pivot - nearest + 1):
            if head >= 0 and np.int64(tokens[np.uint64(start)]) != head:
                continue
            low, high = np.int64(0), np.int64(0)
            reached[0, 0] = True
            read = np.int64(0)  # tokens from the start on that are no separator, or in a part
            for part in range(last_part + 1):
                here = part & 1
                there = 1 - here
                skip, spread = least[part], most[part] - least[part]
                first_ngram, last_ngram = parts[part], parts[part + 1]
                first_id = np.int64(-1)  # of one n-gram alone, its first token is looked for
                if last_ngram - first_ngram == 1 and begins[first_ngram] < ends[first_ngram]:
                    first_id = ids[begins[first_ngram]]
                next_low, next_high = np.int64(len(reached[0])), np.int64(-1)
                untried = np.int64(0)
                for end in range(low, high + 1):
                    if not reached[here, end]:
                        continue
                    reached[here, end] = False
                    read = max(read, end)
                    for begin in range(max(untried, end + skip), end + skip + spread + 1):
                        while read < begin and np.int64(tokens[np.uint64(start + read)]) != separator:
                            read += 1
                        if read < begin:
                            break
                        if first_id >= 0 and np.int64(tokens[np.uint64(start + begin)]) != first_id:
                            continue
                        for ngram in range(first_ngram, last_ngram):
                            at, stop = begins[ngram], ends[ngram]
                            shift = start + begin - at
                            while at < stop and np.int64(tokens[np.uint64(at + shift)]) == ids[at]:
                                at += 1
                            if at == stop:
                                length = begin + stop - begins[ngram]
                                reached[there, length] = True
                                next_low = min(next_low, length)
                                next_high = max(next_high, length)
                    untried = max(untried, end + skip + spread + 1)
                low, high = next_low, next_high
                if high < 0:
                    break
            here = 1 - (last_part & 1)
            for length in range(low, high + 1):
                if reached[here, length]:
                    reached[here, length] = False
                    if found < len(starts):
                        starts[found] = start
                        lengths[found] = length
                    if found < len(nexts):
                        nexts[found] = tokens[np.uint64(start + (length if ahead else -1))]
                    found += 1
        if farthest > nearest:
            after = max(after, pivot - nearest)
    return found
