"""Passages that a text repeats: a sieve for where they may be, and the maximal repeats of a suffix array.

Words of this file: a window is ``length`` tokens of one document; a candidate is the position of a window that may occur
elsewhere; a stretch is text that windows of candidates cover.
"""

import numpy as np

from suffixindex.kernels.jit import helper, kernel, prefetch

BATCH = 1 << 10  # tokens whose windows are hashed before the first of them is looked up
AHEAD = 24  # random reads that are under way at a time
MIXED = -1  # not every occurrence is preceded by the same token
MIX = np.uint64(0x9E3779B97F4A7C15)
HALF, LOW = np.uint64(32), np.uint64(2**32 - 1)


@kernel
def sieve(tokens, separator, length, base, drop, part, parts, everywhere, keep, seen, candidates):
    """Drop candidates whose window occurs once: first note their hashes (``keep`` false), then look them up (true).

    The hash is a polynomial in ``base`` modulo 2**64, ``drop`` is ``-base**length``; both are uint64. Of the windows, the
    ``part``-th of ``parts`` by the hash are dealt with. ``seen`` has two bits for a slot, that it was taken once and again;
    it has a power of two of bytes, at most 2**32. ``everywhere``: all windows are candidates. A window that occurs again is
    never dropped; one that does not may stay. 3 ns a token, and a random access for a candidate of the part.
    """
    slots, starts = np.empty(BATCH + AHEAD, np.int64), np.empty(BATCH, np.int64)
    slots[:] = 0
    shift = np.uint64(64)
    size = 4 * len(seen)
    while size > 1:
        size >>= 1
        shift -= np.uint64(1)
    parts, part = np.uint64(parts), np.uint64(part)
    wrapped = np.uint64(0)
    filled = 0
    for first in range(0, len(tokens), BATCH):
        found = 0
        for end in range(first, min(first + BATCH, len(tokens))):
            token = tokens[end]
            if np.int64(token) == separator:
                filled, wrapped = 0, np.uint64(0)
                continue
            wrapped = wrapped * base + np.uint64(token)
            if filled == length:
                wrapped += np.uint64(tokens[end - length]) * drop
            else:
                filled += 1
                if filled < length:
                    continue
            start = end - length + 1
            mixed = (wrapped ^ (wrapped >> HALF)) * MIX
            slots[found] = np.int64(mixed >> shift)
            starts[found] = start
            mine = ((mixed & LOW) * parts) >> HALF == part
            found += np.int64(mine & (everywhere | candidates[start]))
        for i in range(found):
            prefetch(seen, slots[i + AHEAD] >> 2)
            slot = slots[i]
            bit = (slot & 3) << 1
            bits = np.int64(seen[slot >> 2])
            if keep:
                candidates[starts[i]] = (bits >> bit) & 2 != 0
            else:
                seen[slot >> 2] = bits | ((1 + ((bits >> bit) & 1)) << bit)


@kernel
def find_stretches(candidates, length, lo, hi):
    """Fill ``[lo, hi)`` with the stretches of the candidates, as far as there is room; returns how many there are. O(tokens)."""
    found = 0
    stop = np.int64(-1)
    for position in range(len(candidates)):
        if not candidates[position]:
            continue
        if position > stop:
            if found < len(lo):
                lo[found] = position
            found += 1
        stop = position + length
        if found <= len(hi):
            hi[found - 1] = stop
    return found


@kernel
def copy_stretches(tokens, lo, hi, separator, starts, out):
    """Copy stretches, each followed by the separator, from ``out[starts[i]]`` on. O(tokens copied)."""
    for stretch in range(len(lo)):
        target = starts[stretch]
        for position in range(lo[stretch], hi[stretch]):
            out[target] = tokens[position]
            target += 1
        out[target] = separator


@kernel
def permuted_lcp(tokens, suffix_array, separator, plcp):
    """``plcp[p]``: tokens that the suffix at p shares with that of the rank before, separators not counted; returns the largest.

    The Φ algorithm (Kärkkäinen, Manzini and Puglisi, 2009) with Φ in the place of its result: O(tokens) whatever the text,
    three random accesses a token.
    """
    size = len(suffix_array)
    for rank in range(1, size):
        plcp[suffix_array[rank]] = suffix_array[rank - 1]
    first = np.int64(suffix_array[0])
    largest = np.int64(0)
    shared = np.int64(0)
    for position in range(size):
        if position == first:
            shared = np.int64(0)
        else:
            before = np.int64(plcp[position])
            while tokens[position + shared] == tokens[before + shared] and np.int64(tokens[position + shared]) != separator:
                shared += 1
        plcp[position] = shared
        largest = max(largest, shared)
        shared = max(shared - 1, np.int64(0))
    return largest


@helper
def _preceding(tokens, position, separator):
    """The token before a suffix; MIXED at a document's start, which nothing else is equal to."""
    if position == 0 or np.int64(tokens[position - 1]) == separator:
        return np.int64(MIXED)
    return np.int64(tokens[position - 1])


@kernel
def find_repeats(tokens, suffix_array, plcp, separator, min_length, stack, lo, hi, lengths):
    """The maximal repeats of at least ``min_length`` tokens: ranks ``[lo, hi)`` and lengths, as far as there is room.

    Returns how many there are. They are the nodes of the LCP-interval tree (Abouelhoda, Kurtz and Ohlebusch, 2004) whose
    suffixes are not all preceded by the same token. ``stack`` is ``int64[3, …]`` with a column for each length that may be
    nested: the length, the first rank, and the common preceding token. O(tokens), two random reads each.
    """
    size = len(suffix_array)
    found = 0
    top = -1
    for rank in range(1, size + 1):
        if rank + AHEAD < size:
            prefetch(plcp, np.int64(suffix_array[rank + AHEAD]))
            prefetch(tokens, np.int64(suffix_array[rank + AHEAD]) - 1)
        shared = np.int64(0)
        if rank < size:
            shared = np.int64(plcp[suffix_array[rank]])
        if shared < min_length:
            if top < 0:
                continue
            shared = np.int64(0)
        start = np.int64(rank - 1)
        preceding = _preceding(tokens, np.int64(suffix_array[start]), separator)
        while top >= 0 and stack[0, top] > shared:
            if preceding != stack[2, top]:
                preceding = np.int64(MIXED)
            start = stack[1, top]
            if preceding == MIXED:
                if found < len(lo):
                    lo[found], hi[found], lengths[found] = start, rank, stack[0, top]
                found += 1
            top -= 1
        if shared == 0:
            continue
        if top >= 0 and stack[0, top] == shared:
            if preceding != stack[2, top]:
                stack[2, top] = MIXED
        else:
            top += 1
            stack[0, top], stack[1, top], stack[2, top] = shared, start, preceding
    return found


@kernel
def count_repeated(suffix_array, plcp, min_length, repeated):
    """Tokens that lie in a window which occurs at least twice. ``repeated`` is false for every position. O(tokens)."""
    for rank in range(1, len(suffix_array)):
        position = np.int64(suffix_array[rank])
        if plcp[position] >= min_length:
            repeated[position] = True
            repeated[suffix_array[rank - 1]] = True
    covered = np.int64(0)
    stop = np.int64(0)
    for position in range(len(repeated)):
        if repeated[position]:
            stop = position + min_length
        if position < stop:
            covered += 1
    return covered
