"""Refine the suffixes whose codes are equal, by comparing their text a word at a time, down to a depth.

Text is read as bytes, eight at a time, so that one compilation serves ranks of every width; depths are in bytes too. Groups
of at most SMALL suffixes are sorted by insertion that remembers what neighbours share, so a long repeat is read once. Larger
groups are sorted by one word of each suffix, and the runs of equal words again; those above a block's size are first split in
place. Ranks are taken in blocks whose text stays in the L2 cache.
"""

from typing import NamedTuple

import numpy as np

from suffixindex.kernels.jit import helper, kernel, part, prefetch, scratch, word_at

WORD = 8
"""Bytes of a word."""
SMALL = 8
"""Suffixes in a group that is sorted by insertion at most."""
RANK_SORTED = 32
"""Keys that are sorted by counting smaller ones at most."""
BY_POSITION = np.int64(-1)
"""In place of a depth: the group is equal through a separator, and its positions are its keys."""
SEPARATED = 1 << 20
"""In place of the bytes that two suffixes share: they are equal through a separator."""
LARGEST_KEY = np.uint64(0xFFFFFFFFFFFFFFFF)
LOOKAHEAD = 16
"""Groups, or suffixes of a large one, between asking for text and reading it."""
STACK = 128
"""Numbers of a stack of intervals, each at most half of the one before."""
LINE = 64
"""Bytes of a cache line."""
PIVOT_SAMPLE = 15
SPLITS = 256
"""Stack entries for groups that are split in place: two for each halving and each key down to the depth."""
HALVES, PAIRS, BYTES = np.uint64(32), np.uint64(16), np.uint64(8)
LOW_PAIRS, LOW_BYTES = np.uint64(0x0000FFFF0000FFFF), np.uint64(0x00FF00FF00FF00FF)
WORD_BITS = np.uint64(64)


class Lanes(NamedTuple):
    """How ranks lie in a word of the text: 8, 4 or 2 of them, the first one lowest."""

    shift: int  # binary logarithm of the bytes of a rank
    bits: np.uint64  # of a rank
    separators: np.uint64  # the separator in every lane
    tops: np.uint64  # the highest bit of every lane
    lows: np.uint64  # the other bits of every lane


@helper
def holds_separator(word, lanes):
    """Whether a lane of ``word`` is the separator."""
    other = word ^ lanes.separators
    return (~(((other & lanes.lows) + lanes.lows) | other) & lanes.tops) != 0  # a lane of other is 0


@helper
def ends_in_separator(key, lanes):
    """Whether a separator lies in ``key``: reading stays on it, so the last lane holds one."""
    return (key ^ lanes.separators) << (WORD_BITS - lanes.bits) == 0


@helper
def key_of(word, lanes):
    """A word as a number that compares as its ranks do, the first one highest; reading stays on a separator."""
    key = (word >> HALVES) | (word << HALVES)
    if lanes.shift < 2:
        key = ((key >> PAIRS) & LOW_PAIRS) | ((key & LOW_PAIRS) << PAIRS)
    if lanes.shift < 1:
        key = ((key >> BYTES) & LOW_BYTES) | ((key & LOW_BYTES) << BYTES)
    if holds_separator(word, lanes):
        below = WORD_BITS - lanes.bits
        first = np.uint64(0)
        while (key << first) >> below != lanes.separators >> below:
            first += lanes.bits
        after = LARGEST_KEY >> first
        key = (key & ~after) | (lanes.separators & after)
    return key


@helper
def key_at(text, position, depth, lanes):
    """The key of a suffix at a depth."""
    if depth == BY_POSITION:
        return np.uint64(position)
    return key_of(word_at(text, (np.int64(position) << lanes.shift) + depth), lanes)


@helper
def share_two(text, first, second, lanes):
    """Whether two words are equal and hold no separator: in one choice, which a long repeat makes half as often."""
    word, next_word = word_at(text, first), word_at(text, first + WORD)
    differ = (word ^ word_at(text, second)) | (next_word ^ word_at(text, second + WORD))
    return (differ == 0) & (not holds_separator(word, lanes)) & (not holds_separator(next_word, lanes))


@helper
def compare(text, p, q, depth, depth_limit, lanes):
    """Bytes that two suffixes share, which are equal down to ``depth``, and whether p comes before q.

    Whole words are counted, at most down to the depth limit; there neither comes first.
    """
    first = np.int64(p) << lanes.shift
    second = np.int64(q) << lanes.shift
    while depth < depth_limit:
        word = word_at(text, first + depth)
        other = word_at(text, second + depth)
        if word != other:
            key = key_of(word, lanes)
            other = key_of(other, lanes)
            if key != other:
                return depth, key < other
            depth = SEPARATED
        elif holds_separator(word, lanes):
            depth = SEPARATED
        else:
            depth += WORD
            while depth + 2 * WORD <= depth_limit and share_two(text, first + depth, second + depth, lanes):
                depth += 2 * WORD
    return depth, (depth == SEPARATED) & (p < q)


@part
def sort_small(text, lo, size, depth, depth_limit, lanes, suffix_array, tied, common):
    """Sort a group by insertion; returns how many suffixes stay tied, at the depth limit.

    ``common[k]``, what the k-th shares with the one before it, says where the text of a new one need not be read: below two
    that share more than it shares with the upper one, or between two that share less (McIlroy, Bostic and McIlroy's idea of
    comparing no character twice).
    """
    for k in range(1, size):
        position = suffix_array[lo + k]
        slot = k
        above = between = below = depth  # shared with the one above the slot, by those around it, with the one below
        while slot > 0:
            if between < above:
                below = between
                break
            below = above
            if between == above:
                below, precedes = compare(text, position, suffix_array[lo + slot - 1], above, depth_limit, lanes)
                if not precedes:
                    break
            suffix_array[lo + slot] = suffix_array[lo + slot - 1]
            common[slot + 1] = between
            above = below
            slot -= 1
            between = common[slot]
        suffix_array[lo + slot] = position
        common[slot] = below
        common[slot + 1] = above
    left = 0
    was_tied = 0
    for k in range(1, size):
        is_tied = np.int64((common[k] >= depth_limit) & (common[k] < SEPARATED))
        tied[lo + k] = is_tied
        left += is_tied + (is_tied & ~was_tied)
        was_tied = is_tied
    return left


@part
def list_bounds(lo, hi, tied, bounds):
    """List the tied groups of ``[lo, hi)`` as ``[bounds[0], bounds[1])``, ``[bounds[2], bounds[3])``, ...; returns how many.

    Clears ``tied``.
    """
    count = 0
    was_tied = 0
    for rank in range(lo + 1, hi):
        is_tied = np.int64(tied[rank])
        tied[rank] = 0
        bounds[count] = rank - is_tied  # a group starts one before, or has ended here, or this is overwritten
        count += is_tied ^ was_tied
        was_tied = is_tied
    bounds[count] = hi
    return (count + was_tied) // 2


@helper
def ask_for(text, lo, hi, lanes, suffix_array):
    """Ask the memory for the first two cache lines of the suffixes ``[lo, hi)``."""
    for rank in range(lo, hi):
        at = np.int64(suffix_array[rank]) << lanes.shift
        prefetch(text, at)
        prefetch(text, at + LINE)


@kernel
def refine_ties(text, lanes, depth_limit, lo, hi, suffix_array, tied, key, position, groups):
    """Order the tied groups of the ranks ``[lo, hi)`` by their text, down to ``depth_limit`` bytes at least.

    ``text`` is the ranks' memory. ``tied`` tells the groups, whose positions ascend; on return, those that still are equal.
    Returns how many suffixes they hold. ``key`` and ``position`` are working space for a block of ranks, ``groups`` the stack
    of SPLITS + half a block.
    """
    block = len(key)
    bounds = scratch(block + 2, np.int64)
    common = scratch(SMALL + 2, np.int64)
    few = scratch(3 * RANK_SORTED + STACK, np.uint64)
    left = 0
    while lo < hi:
        block_end = min(lo + block, hi)
        while block_end < hi and tied[block_end]:
            block_end += 1
        count = list_bounds(lo, block_end, tied, bounds)
        for k in range(-LOOKAHEAD, count):
            if k + LOOKAHEAD < count:
                first = bounds[2 * (k + LOOKAHEAD)]
                ask_for(text, first, min(bounds[2 * (k + LOOKAHEAD) + 1], first + SMALL), lanes, suffix_array)
            if k < 0:
                continue
            first = bounds[2 * k]
            size = bounds[2 * k + 1] - first
            if size <= SMALL:
                left += sort_small(text, first, size, np.int64(0), depth_limit, lanes, suffix_array, tied, common)
            else:
                left += sort_large(text, first, size, depth_limit, lanes, suffix_array, tied, key, position, groups, common, few)
        lo = block_end
    return left


@helper
def push(groups, top, rank, size, depth):
    """Put a group on the stack if it has two suffixes or more; returns the height of the stack."""
    groups[top, 0] = rank
    groups[top, 1] = size
    groups[top, 2] = depth
    return top + np.int64(size > 1)


@part
def sort_large(text, lo, size, depth_limit, lanes, suffix_array, tied, key, position, groups, common, few):
    """Sort a group of any size, its parts depth first; returns how many suffixes stay tied, at the depth limit."""
    left = 0
    top = push(groups, np.int64(0), lo, size, np.int64(0))
    while top > 0:
        top -= 1
        lo, size, depth = groups[top, 0], groups[top, 1], groups[top, 2]
        if size > len(key):
            top, lo, size, pivot = split_group(text, lo, size, depth, lanes, suffix_array, key, position, groups, top, few)
            top, more = settle_run(text, lo, size, pivot, depth + WORD, depth_limit, lanes, suffix_array, tied, groups, top, common)
            left += more
            continue
        for i in range(size):
            position[i] = suffix_array[lo + i]
        depth, all_equal = load_keys(text, size, depth, depth_limit, lanes, position, key)
        if not all_equal:
            sort_keys(size, key, position, few)
            for i in range(size):
                suffix_array[lo + i] = position[i]
        first = 0
        while first < size:
            end = first + 1
            while end < size and key[end] == key[first]:
                end += 1
            if end - first > 1:
                top, more = settle_run(
                    text,
                    lo + first,
                    end - first,
                    key[first],
                    depth + WORD,
                    depth_limit,
                    lanes,
                    suffix_array,
                    tied,
                    groups,
                    top,
                    common,
                )
                left += more
            first = end
    return left


@part
def settle_run(text, lo, size, key, depth, depth_limit, lanes, suffix_array, tied, groups, top, common):
    """Decide on suffixes that share a key, the last one before ``depth``: done, left tied, sorted now or back on the stack.

    Returns the height of the stack and how many suffixes stay tied.
    """
    if size == 1:
        return top, 0
    if ends_in_separator(key, lanes):
        ascending = True
        for rank in range(lo + 1, lo + size):
            ascending &= suffix_array[rank - 1] < suffix_array[rank]
        return (top if ascending else push(groups, top, lo, size, BY_POSITION)), 0
    if depth >= depth_limit:
        for rank in range(lo + 1, lo + size):
            tied[rank] = 1
        return top, size
    if size <= SMALL:
        return top, sort_small(text, lo, size, depth, depth_limit, lanes, suffix_array, tied, common)
    return push(groups, top, lo, size, depth), 0


@part
def load_keys(text, size, depth, depth_limit, lanes, position, key):
    """Load the keys of a group, deeper as long as all are equal; returns the depth and whether they still are."""
    while True:
        all_equal = True
        for i in range(size):
            ahead = np.int64(position[min(i + LOOKAHEAD, size - 1)])
            prefetch(text, (ahead << lanes.shift) + depth)
            key[i] = key_at(text, position[i], depth, lanes)
            all_equal &= key[i] == key[0]
        if not all_equal or depth + WORD >= depth_limit or ends_in_separator(key[0], lanes):
            return depth, all_equal
        depth += WORD


@part
def rank_sort(lo, size, key, position, few):
    """Sort at most RANK_SORTED keys from ``lo`` on, with their positions: the place of a key is the number of smaller ones.

    Keys are compared with RANK_SORTED others, a constant, so that the comparisons become vector code.
    """
    positions, equal = RANK_SORTED, 2 * RANK_SORTED
    for i in range(RANK_SORTED):
        few[i] = LARGEST_KEY
    for i in range(size):
        few[i] = key[lo + i]
        few[positions + i] = position[lo + i]
        few[equal + i] = 0
    for i in range(size):
        smaller = 0
        for j in range(RANK_SORTED):
            smaller += np.int64(few[j] < few[i])
        place = lo + smaller + np.int64(few[equal + smaller])
        few[equal + smaller] += np.uint64(1)
        key[place] = few[i]
        position[place] = few[positions + i]


@helper
def scramble(state):
    """The next state of a xorshift generator (Marsaglia, 2003): pivots that no text is made against."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state


@part
def sort_keys(size, key, position, few):
    """Sort ``key[:size]`` with their positions: partitions without a branch (Lomuto's) down to RANK_SORTED.

    Half the time of merging at 33 to 2,000 keys. The stack, in ``few``, has two entries for each halving.
    """
    bottom = 3 * RANK_SORTED
    top = bottom
    lo, hi = np.int64(0), size
    state = np.uint64(size)
    while True:
        while hi - lo > RANK_SORTED:
            state = scramble(state)
            a, b, c = key[lo], key[lo + np.int64(state % np.uint64(hi - lo))], key[hi - 1]
            pivot = max(min(a, b), min(max(a, b), c))
            middle = move_below(lo, hi, pivot, np.int64(0), key, position)
            if middle == lo:  # the pivot is the smallest key: take its equals off
                lo = move_below(lo, hi, pivot, np.int64(1), key, position)
                continue
            larger_lo, larger_hi = lo, middle
            if middle - lo < hi - middle:
                larger_lo, larger_hi, hi = middle, hi, middle
            else:
                lo = middle
            few[top], few[top + 1] = larger_lo, larger_hi
            top += 2
        rank_sort(lo, hi - lo, key, position, few)
        if top == bottom:
            return
        top -= 2
        lo, hi = np.int64(few[top]), np.int64(few[top + 1])


@part
def move_below(lo, hi, pivot, or_equal, key, position):
    """Move the keys of ``[lo, hi)`` below ``pivot``, ``or_equal``, to the front; returns where they end."""
    middle = lo
    for i in range(lo, hi):
        key_i, position_i = key[i], position[i]
        key[i], position[i] = key[middle], position[middle]
        key[middle], position[middle] = key_i, position_i
        middle += np.int64(key_i < pivot) + (or_equal & np.int64(key_i == pivot))
    return middle


@part
def split_group(text, lo, size, depth, lanes, suffix_array, key, position, groups, top, few):
    """Split a group that is larger than a block into smaller, equal and greater keys, in place; the outer ones go on the stack.

    Multikey quicksort (Bentley and Sedgewick, 1997); the pivot is the median of a pseudo-random sample, so n log n
    steps are expected on any text. The larger of the outer parts goes on the stack first, so that few are. Returns the
    height of the stack, and of the equal ones the first rank, the number and the key.
    """
    state = np.uint64(size)
    for i in range(PIVOT_SAMPLE):
        state = scramble(state)
        key[i] = key_at(text, suffix_array[lo + np.int64(state % np.uint64(size))], depth, lanes)
        position[i] = 0
    rank_sort(np.int64(0), np.int64(PIVOT_SAMPLE), key, position, few)
    pivot = key[PIVOT_SAMPLE // 2]
    equal = lo
    greater = lo + size
    i = lo
    while i < greater:
        moved = suffix_array[i]
        moved_key = key_at(text, moved, depth, lanes)
        if moved_key < pivot:
            suffix_array[i] = suffix_array[equal]
            suffix_array[equal] = moved
            equal += 1
            i += 1
        elif moved_key > pivot:
            greater -= 1
            suffix_array[i] = suffix_array[greater]
            suffix_array[greater] = moved
        else:
            i += 1
    smaller_size, greater_size = equal - lo, lo + size - greater
    if smaller_size >= greater_size:
        top = push(groups, top, lo, smaller_size, depth)
        top = push(groups, top, greater, greater_size, depth)
    else:
        top = push(groups, top, greater, greater_size, depth)
        top = push(groups, top, lo, smaller_size, depth)
    return top, equal, greater - equal, pivot
