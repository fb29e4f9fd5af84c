"""Passages that a text repeats: a sieve for where they may be, and the maximal repeats of a suffix array.

Words of this file: a window is ``length`` tokens of one document; a candidate is the position of a window that may occur
elsewhere; a stretch is text that windows of candidates cover.
"""

import numpy as np

from suffixindex.kernels.guarded import position_at
from suffixindex.kernels.jit import helper, kernel, prefetch, scratch, word_at

BATCH = 1 << 10  # tokens whose windows are hashed before the first of them is looked up
AHEAD = 24  # random reads that are under way at a time
MIXED = -1  # not every occurrence is preceded by the same token
MIX = np.uint64(0x9E3779B97F4A7C15)
HALF, LOW = np.uint64(32), np.uint64(2**32 - 1)
WORD = 8  # bytes


@helper
def _shift(seen):
    """By how much a hash is shifted to be a slot."""
    shift = np.uint64(64)
    size = 4 * len(seen)
    while size > 1:
        size >>= 1
        shift -= np.uint64(1)
    return shift


@helper
def _settle(slots, starts, stops, found, keep, seen, candidates):
    """Note the slots of ``found`` entries; or look them up, and say so of the windows from ``starts[i]`` up to ``stops[i]``."""
    for i in range(found):
        prefetch(seen, slots[i + AHEAD] >> 2)
        slot = slots[i]
        bit = (slot & 3) << 1
        bits = np.int64(seen[slot >> 2])
        if keep:
            again = (bits >> bit) & 2 != 0
            for start in range(starts[i], stops[i]):
                candidates[start] = again
        else:
            seen[slot >> 2] = bits | ((1 + ((bits >> bit) & 1)) << bit)


@kernel
def sieve(tokens, separator, length, base, drop, part, parts, lo, hi, everywhere, keep, seen, candidates):
    """Drop candidates whose window occurs once: first note their hashes (``keep`` false), then look them up (true).

    The hash is a polynomial in ``base`` modulo 2**64, ``drop`` is ``-base**length``; both are uint64. Of the windows, the
    ``part``-th of ``parts`` by the hash are dealt with. ``seen`` has two bits for a slot, that it was taken once and again;
    it has a power of two of bytes, at most 2**32. Only windows in a stretch ``[lo[i], hi[i])`` are looked at; ``everywhere``: all
    of these are candidates. A window that occurs again is never dropped; one that does not may stay. 3 ns a token of a stretch, and
    a random access for a candidate of the part.
    """
    slots, starts, stops = scratch(BATCH + AHEAD, np.int64), scratch(BATCH, np.int64), scratch(BATCH, np.int64)
    for i in range(len(slots)):
        slots[i] = 0
    shift = _shift(seen)
    parts, part = np.uint64(parts), np.uint64(part)
    found = np.int64(0)
    for stretch in range(len(lo)):
        wrapped = np.uint64(0)
        filled = 0
        for end in range(lo[stretch], hi[stretch]):
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
            slots[found], starts[found], stops[found] = np.int64(mixed >> shift), start, start + 1
            mine = ((mixed & LOW) * parts) >> HALF == part
            found += np.int64(mine & (everywhere | candidates[start]))
            if found == BATCH:
                _settle(slots, starts, stops, found, keep, seen, candidates)
                found = 0
    _settle(slots, starts, stops, found, keep, seen, candidates)


@kernel
def sieve_samples(tokens, lo, hi, separator, length, width, base, drop, part, parts, keep, seen, candidates):
    """Find the candidates among the windows that start in a stretch ``[lo[i], hi[i])``: those whose sample occurs again.

    A window's sample is the last one with the least hash of its parts of ``width`` tokens (a minimizer: Schleimer, Wilkerson and
    Aiken, 2003). So equal windows have equal samples, and neighbours mostly the same one: some ``2 / (length - width + 2)`` a token
    are noted, each position once. ``drop`` is ``-base**width``, and all else as of :func:`sieve`. 5 ns a token.
    """
    slots, starts, stops = scratch(BATCH + AHEAD, np.int64), scratch(BATCH, np.int64), scratch(BATCH, np.int64)
    for i in range(len(slots)):
        slots[i] = 0
    shift = _shift(seen)
    parts, part = np.uint64(parts), np.uint64(part)
    size = 1
    while size <= length - width:
        size *= 2
    hashes = scratch(size, np.uint64)  # of the parts that begin at the last positions
    found = np.int64(0)
    for stretch in range(len(lo)):
        wrapped, least = np.uint64(0), np.uint64(0)
        filled = 0
        sample, since = np.int64(-1), np.int64(0)  # of the last window, and the first window that has it
        stop = min(hi[stretch] + length - 1, len(tokens))
        for end in range(lo[stretch], stop + 1):
            start = np.int64(end - length + 1)
            if end < stop and np.int64(tokens[end]) != separator:
                wrapped = wrapped * base + np.uint64(tokens[end])
                if filled >= width:
                    wrapped += np.uint64(tokens[end - width]) * drop
                filled += 1
                if filled < width:
                    continue
                at = np.int64(end - width + 1)
                mixed = (wrapped ^ (wrapped >> HALF)) * MIX
                hashes[at & (size - 1)] = mixed
                if filled < length or (sample >= start and mixed > least):
                    continue
                place = at
                if sample < start:
                    lowest = mixed
                    for other in range(at - 1, start - 1, -1):
                        if hashes[other & (size - 1)] < lowest:
                            lowest, place = hashes[other & (size - 1)], other
                    mixed = lowest
            else:
                filled, wrapped = 0, np.uint64(0)
                place, mixed = np.int64(-1), np.uint64(0)
            if sample >= 0:
                spread = (least ^ (least >> HALF)) * MIX  # the least hashes are small numbers
                slots[found], starts[found], stops[found] = np.int64(spread >> shift), since, start
                found += np.int64(((spread & LOW) * parts) >> HALF == part)
                if found == BATCH:
                    _settle(slots, starts, stops, found, keep, seen, candidates)
                    found = 0
            sample, since, least = place, start, mixed
    _settle(slots, starts, stops, found, keep, seen, candidates)


@helper
def _last_word(memory, begin, end):
    """The last eight of some bytes as a number, or all where they are less."""
    if begin + WORD <= end:
        return word_at(memory, end - WORD)
    word = np.uint64(0)
    for at in range(begin, end):
        word = word << np.uint64(8) | np.uint64(memory[np.uint64(at)])
    return word


@helper
def _equal(memory, one, other, size):
    """Whether ``size`` bytes are equal, of which the last eight are known to be."""
    at = np.int64(0)
    while at + WORD < size and word_at(memory, one + at) == word_at(memory, other + at):
        at += WORD
    return at + WORD >= size


@kernel
def later_windows(memory, width, suffix_array, plcp, length, low, high, found):
    """Fill ``found`` with the windows that occur further to the left, as far as there is room; returns how many there are.

    Each is a number, of which the upper half is the window's position and the lower one that of its first occurrence. ``memory``
    are the tokens by byte, ``width`` of each. Equal windows stand together in a suffix array: dealt with are those of which the
    first stands at a rank in ``[low, high)``. A window that holds a separator is as any other, or none. A random read a token, of
    a window's end, by which most neighbours differ: 10 ns; and the windows of those that do not, unless there is the ``plcp`` of
    :func:`permuted_lcp`, which may be empty.
    """
    size, ranks = np.int64(len(memory) // width), np.int64(len(suffix_array))
    num_bytes = length * width
    number = np.int64(0)
    begin = max(low - 1, 0)
    group = begin
    before, before_word = np.int64(-1), np.uint64(0)
    for rank in range(begin, ranks + 1):
        start, word = np.int64(-1), np.uint64(0)
        if rank < ranks:
            if rank + AHEAD < ranks:
                prefetch(memory, np.int64(suffix_array[np.uint64(rank + AHEAD)]) * width + num_bytes - 1)
            position = position_at(suffix_array, rank, size)
            if position + length <= size:
                start = position * width
                word = _last_word(memory, start, start + num_bytes)
                if before >= 0 and word == before_word:
                    if plcp[np.uint64(position)] >= length if len(plcp) > 0 else _equal(memory, start, before, num_bytes):
                        continue
        if rank - group > 1 and group >= low:
            first = np.int64(suffix_array[np.uint64(group)])
            for member in range(group, rank):
                first = min(first, np.int64(suffix_array[np.uint64(member)]))
            for member in range(group, rank):
                position = np.int64(suffix_array[np.uint64(member)])
                if position != first:
                    if number < len(found):
                        found[number] = np.uint64(position) << HALF | np.uint64(first)
                    number += 1
        if rank >= high:
            break
        group, before, before_word = rank, start, word
    return number


@kernel
def later_stretches(windows, offsets, length, begins, ends, sources):
    """What lies in windows that occur further to the left, and beyond their first occurrence; returns how many stretches that is.

    ``windows`` are what :func:`later_windows` finds, ascending; those that are of no document are passed over. ``offsets`` are the
    first tokens of documents, then the length. Fills where each stretch begins and ends, and where the window with which it
    begins, the last of several, occurs first. No more than there are windows.
    """
    stretches = 0
    document = 0
    for window in windows:
        position, first = np.int64(window >> HALF), np.int64(window & LOW)
        while np.int64(offsets[document + 1]) <= position:
            document += 1
        if position + length >= np.int64(offsets[document + 1]):
            continue
        begin = max(position, first + length)
        source = first + begin - position
        while stretches > 0 and begin <= ends[stretches - 1]:
            stretches -= 1
            if begins[stretches] < begin:
                begin, source = begins[stretches], sources[stretches]
        begins[stretches], ends[stretches], sources[stretches] = begin, position + length, source
        stretches += 1
    return stretches


@kernel
def find_stretches(candidates, eights, length, lo, hi):
    """Fill ``[lo, hi)`` with the stretches of the candidates, for at most one in ``length + 1`` tokens; returns how many there are.

    ``eights`` are the candidates by eight, zero where there is none, but for less than eight at the end. A tenth of a nanosecond a
    token where there are few.
    """
    found = 0
    stop = np.int64(-1)
    for eight in range(len(eights) + 1):
        last = len(candidates)
        if eight < len(eights):
            if eights[eight] == 0:
                continue
            last = 8 * eight + 8
        for position in range(8 * eight, last):
            if not candidates[position]:
                continue
            if position > stop:
                lo[found] = position
                found += 1
            stop = np.int64(position + length)
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
