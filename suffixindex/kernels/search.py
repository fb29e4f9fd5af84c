"""Intervals of ranks: where the suffixes that begin with an n-gram lie in a suffix array.

A search goes down the search tree, whose leaves are the packed first tokens of every 64th suffix, and ends by
bisection among the 64 or so suffixes that are left. ``tables.py`` says how a tree lies in its array. Where it ends at a
bound that the tree gave, the suffix beyond is compared too: a damaged tree is noticed, and changes no answer.
"""

import numpy as np

from suffixindex.kernels import FANOUT, DamageError
from suffixindex.kernels.guarded import LINE, position_at
from suffixindex.kernels.jit import helper, kernel, part, prefetch, scratch
from suffixindex.kernels.stored import place

ABREAST = 32
"""Queries that a bulk search takes through the tree together, so that their cache misses overlap."""
SEARCHES = 2 * ABREAST


@helper
def _pack(tokens, ngrams, start, stop, bits, limit, fill):
    """The first tokens of ``ngrams[start:stop]`` in one number, ``bits`` each, ids above ``limit`` (the separator) as it.

    Each by its place in the order of the suffixes of ``tokens``. After a separator come zeros. A shorter n-gram goes on with
    zeros, or with ones if ``fill`` is 1.
    """
    key = np.uint64(0)
    width = np.uint64(bits)
    last = stop
    for lane in range(np.int64(64) // np.int64(bits)):
        key <<= width
        at = start + lane
        if at < last:
            token = min(np.int64(place(tokens, np.int64(ngrams[at]))), limit)
            key |= np.uint64(token)
            if token == limit:
                last = np.int64(-1)
                fill = 0
        elif fill == 1:
            key |= (np.uint64(1) << width) - np.uint64(1)
    return key


@helper
def _compare(tokens, position, ngrams, start, stop):
    """-1, 0, 1 as the suffix at ``position``, cut to the n-gram's length, is below, equal or above it.

    Stays inside ``tokens``: the last one is a separator, which an n-gram holds nowhere but at its end.
    """
    shift = position - start
    order = 0
    for i in range(start, stop):
        token = np.int64(tokens[i + shift])
        if token != ngrams[i]:
            order = -1 if place(tokens, token) < place(tokens, ngrams[i]) else 1
            break
    return order


@helper
def _descend(keys, start, node, target):
    """The node below: the number of keys less than ``target`` in all nodes of the level up to this one."""
    below = np.int64(0)
    first = start + node * FANOUT
    for i in range(first, first + FANOUT):
        below += np.int64(keys[i] < target)
    return node * FANOUT + below


@helper
def _block(first, last, spacing, size, short):
    """Ranks ``(low from, low to, high from, high to)`` among which an interval's ends lie.

    ``first`` leaves are below the n-gram's least key and ``last`` not above its greatest. Where the n-gram is ``short``,
    keys say all of it, and the ends lie in one block each.
    """
    low_from = min(size, max(np.int64(0), (first - 1) * spacing + 1))
    high_to = min(size, last * spacing)
    if short:
        return low_from, min(size, first * spacing), min(size, max(low_from, (last - 1) * spacing + 1)), high_to
    return low_from, high_to, low_from, high_to


@helper
def _look_ahead(tokens, suffix_array, low, high):
    """Ask for the tokens that the next three steps of a bisection of ``[low, high)`` may compare: seven middles."""
    for eighth in range(1, 8):
        prefetch(tokens, np.int64(suffix_array[low + max(((high - low + 1) * eighth >> 3) - 1, 0)]))


@helper
def _bisect(tokens, suffix_array, ngram, length, low, high, beyond):
    """The first rank of ``[low, high)`` whose suffix begins with the n-gram or is above it; with ``beyond`` 1, the first above."""
    step = 0
    while low < high:
        if step % 3 == 0:
            _look_ahead(tokens, suffix_array, low, high)
        step += 1
        middle = (low + high) >> 1
        if _compare(tokens, position_at(suffix_array, middle, len(tokens)), ngram, np.int64(0), length) < beyond:
            low = middle + 1
        else:
            high = middle
    return low


@helper
def _check_bounds(tokens, suffix_array, ngrams, start, stop, found, least, most, beyond):
    """Raise DamageError where a search ended at a bound that the tree gave, and the suffix on the other side says otherwise."""
    if found <= least or found >= most:  # seldom: one in 64
        for rank in range(max(found - np.int64(found <= least), 0), min(found + np.int64(found >= most), len(suffix_array))):
            order = _compare(tokens, position_at(suffix_array, rank, len(tokens)), ngrams, start, stop)
            if (order < beyond) != (rank < found):
                raise DamageError


@kernel
def pack_keys(tokens, suffix_array, spacing, bits, limit, count, out):
    """Fill ``out[:count]`` with the packed first tokens of every ``spacing``-th suffix."""
    lanes = np.int64(64) // np.int64(bits)
    for leaf in range(count):
        position = position_at(suffix_array, leaf * spacing, len(tokens))
        out[leaf] = _pack(tokens, tokens, position, min(position + lanes, np.int64(len(tokens))), bits, limit, 0)


@kernel
def find_interval(tokens, suffix_array, keys, levels, spacing, bits, limit, ngram):
    """``(low, high)`` of one n-gram, which is not empty. O(length + log tokens)."""
    start, above = np.int64(0), np.int64(1)
    length = np.int64(len(ngram))
    size = np.int64(len(suffix_array))
    low, low_to, high, high_to = np.int64(0), size, np.int64(0), size
    if len(levels) > 1:
        least = _pack(tokens, ngram, start, length, bits, limit, start)
        beyond = _pack(tokens, ngram, start, length, bits, limit, above) + np.uint64(1)
        first, last = np.int64(0), np.int64(0)
        for level in range(len(levels) - 1):
            first = _descend(keys, levels[level], first, least)
            last = _descend(keys, levels[level], last, beyond)
        low, low_to, high, high_to = _block(first, last, spacing, size, length <= np.int64(64) // np.int64(bits))
        for rank in range(low, min(low_to, low + spacing), LINE):
            prefetch(suffix_array, rank)
        for rank in range(high, min(high_to, high + spacing), LINE):
            prefetch(suffix_array, rank)
    least, most = low, high
    low = _bisect(tokens, suffix_array, ngram, length, low, low_to, start)
    high = _bisect(tokens, suffix_array, ngram, length, max(low, high), high_to, above)
    _check_bounds(tokens, suffix_array, ngram, start, length, low, least, low_to, start)
    if high > low or high >= high_to:  # else its bound was compared just now
        _check_bounds(tokens, suffix_array, ngram, start, length, high, most, high_to, above)
    return low, high


@part
def _check_bounds_of_all(tokens, suffix_array, ids, starts, stops, begin, end, found, least, most, at_bounds):
    """``_check_bounds`` of 32 queries, whose cache misses overlap too; apart from their search, which it would slow down.

    ``at_bounds`` has room for two searches each.
    """
    count = 0
    for search in range(2 * (end - begin)):
        at_bounds[count] = search
        count += np.int64(found[search] <= least[search] or found[search] >= most[search])
    for i in range(count):
        search = at_bounds[i]
        rank = found[search] - np.int64(found[search] <= least[search])
        prefetch(tokens, np.int64(suffix_array[min(max(rank, 0), len(suffix_array) - 1)]))
    for i in range(count):
        search = at_bounds[i]
        q = begin + (search >> 1)
        _check_bounds(tokens, suffix_array, ids, starts[q], stops[q], found[search], least[search], most[search], search & 1)


@kernel
def find_intervals(tokens, suffix_array, keys, levels, spacing, bits, limit, ids, starts, stops, first, last, low, high):
    """Fill ``[low[q], high[q])`` for the n-grams ``ids[starts[q] : stops[q]]``, ``first <= q < last``.

    They have been checked and are not empty. O(length + log tokens) each; 32 queries go abreast, two searches each, every
    step of which asks the memory for what the next one reads.
    """
    size = np.int64(len(suffix_array))
    lanes = np.int64(64) // np.int64(bits)
    target = scratch(SEARCHES, np.uint64)
    node = scratch(SEARCHES, np.int64)
    below = scratch(SEARCHES, np.int64)
    above = scratch(SEARCHES, np.int64)
    active = scratch(SEARCHES, np.int64)
    least = scratch(SEARCHES, np.int64)
    most = scratch(SEARCHES, np.int64)
    for begin in range(first, last, ABREAST):
        end = min(begin + ABREAST, last)
        searches = 2 * (end - begin)
        for search in range(searches):
            q = begin + (search >> 1)
            target[search] = _pack(tokens, ids, starts[q], stops[q], bits, limit, search & 1) + np.uint64(search & 1)
        for search in range(searches):
            node[search] = 0
        for level in range(len(levels) - 1):
            for search in range(searches):
                prefetch(keys, levels[level] + node[search] * FANOUT)
                prefetch(keys, levels[level] + node[search] * FANOUT + FANOUT // 2)
            for search in range(searches):
                node[search] = _descend(keys, levels[level], node[search], target[search])
        for q in range(begin, end):
            search = 2 * (q - begin)
            if len(levels) > 1:
                short = stops[q] - starts[q] <= lanes
                ranks = _block(node[search], node[search + 1], spacing, size, short)
                below[search], above[search], below[search + 1], above[search + 1] = ranks
            else:
                below[search], above[search], below[search + 1], above[search + 1] = 0, size, 0, size
        going = 0
        for search in range(searches):
            least[search], most[search] = below[search], above[search]
            active[going] = search
            going += np.int64(below[search] < above[search])
        while going > 0:
            for i in range(going):
                search = active[i]
                prefetch(suffix_array, (below[search] + above[search]) >> 1)
            for i in range(going):
                search = active[i]
                node[search] = position_at(suffix_array, (below[search] + above[search]) >> 1, len(tokens))
                prefetch(tokens, node[search])
            still = 0
            for i in range(going):
                search = active[i]
                q = begin + (search >> 1)
                order = _compare(tokens, node[search], ids, starts[q], stops[q])
                middle = (below[search] + above[search]) >> 1
                if order < 0 or (order == 0 and search & 1):
                    below[search] = middle + 1
                else:
                    above[search] = middle
                active[still] = search
                still += np.int64(below[search] < above[search])
            going = still
        for q in range(begin, end):
            search = 2 * (q - begin)
            low[q], high[q] = below[search], below[search + 1]
            if high[q] < low[q]:
                raise DamageError
        _check_bounds_of_all(tokens, suffix_array, ids, starts, stops, begin, end, below, least, most, active)
