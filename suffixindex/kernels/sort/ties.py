"""Refine the suffixes whose codes are equal, by keys of several ranks at a time, down to a depth.

Groups of tied suffixes are taken in blocks whose text stays in the L2 cache. Groups of at most SMALL suffixes lie side
by side in a batch and are refined together, a key a round, by loops without a branch; larger ones are sorted one by
one and give their small parts to the batch; those above a block's size are first split in place.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels.jit import helper, kernel, prefetch
from suffixindex.kernels.sort.codes import LENGTH_MASK

SMALL = 8
"""Suffixes in a group of the batch at most; 4 and 12 were measured 3-8 % slower."""
RANK_SORTED = 32
"""Keys that are sorted by counting smaller ones at most."""
BY_POSITION = -1
"""In place of a depth: the group is equal through a separator, and its positions are its keys."""
NO_KEY = np.uint64(0xFFFFFFFFFFFFFFFF)
LOOKAHEAD = 16
"""Groups between asking for the text of one and reading it."""
LINE = 32
"""Ranks of 16 bits in a cache line."""
PIVOT_SAMPLE = 15
SPLITS = 256
"""Stack entries for groups that are split in place: two for each halving and each key down to the depth."""


class Batch(NamedTuple):
    """Small groups side by side: one entry a suffix, the suffixes of a group next to one another in text order."""

    position: NDArray[np.uint32]
    depth: NDArray[np.uint16]  # how many tokens its group is known to share
    rank: NDArray[np.uint32]  # where in the suffix array this entry of the group goes
    head: NDArray[np.int32]  # the first entry of its group
    key: NDArray[np.uint64]
    place: NDArray[np.int32]  # the entry that the suffix gets when its group is sorted
    sorted_position: NDArray[np.uint32]
    sorted_key: NDArray[np.uint64]


class Scratch(NamedTuple):
    """Working arrays of a call of ``refine_ties``."""

    bounds: NDArray[np.int64]
    groups: NDArray[np.int64]  # a stack of (lowest rank, size, depth)
    key: NDArray[np.uint64]  # a group of at most the block's size
    position: NDArray[np.uint32]
    few_keys: NDArray[np.uint64]
    few_positions: NDArray[np.uint32]
    few_equal: NDArray[np.uint8]
    parts: NDArray[np.int64]  # a stack of quick_sort
    batch: Batch


@helper
def new_scratch(block):
    """Scratch for blocks of ``block`` ranks, about 70 bytes each."""
    room = block + SMALL + 1
    return Scratch(
        np.empty(block + 2, np.int64),
        np.empty((block // 2 + SPLITS, 3), np.int64),
        np.empty(block, np.uint64),
        np.empty(block, np.uint32),
        np.empty(RANK_SORTED, np.uint64),
        np.empty(RANK_SORTED, np.uint32),
        np.empty(RANK_SORTED, np.uint8),
        np.empty((64, 2), np.int64),
        Batch(
            np.empty(room, np.uint32),
            np.empty(room, np.uint16),
            np.empty(room, np.uint32),
            np.empty(room, np.int32),
            np.empty(room, np.uint64),
            np.empty(room, np.int32),
            np.empty(room, np.uint32),
            np.empty(room, np.uint64),
        ),
    )


@kernel
def refine_ties(text, bits, depth_limit, block, lo, hi, suffix_array, tied):
    """Order the ranks ``[lo, hi)``, whose groups share ``bits`` code bits, by at least ``depth_limit`` tokens.

    ``tied`` tells the groups, whose positions ascend; on return, those that still are equal. Returns how many
    suffixes they hold. About 40 ns a suffix of natural text.
    """
    scratch = new_scratch(block)
    left = 0
    while lo < hi:
        block_end = min(lo + block, hi)
        while block_end < hi and tied[block_end]:
            block_end += 1
        groups, batched = list_groups(text, bits, lo, block_end, suffix_array, tied, scratch)
        left += refine_groups(text, depth_limit, groups, batched, suffix_array, tied, scratch)
        lo = block_end
    return left


@helper
def load_key(text, at):
    """The next ``text.lanes`` ranks from ``at`` in one word; reading stays on a separator."""
    ranks = text.ranks
    if text.lanes == 4:  # unrolled for 16-bit ranks, the common case
        key = (np.uint64(ranks[at]) << np.uint64(48)) | (np.uint64(ranks[at + 1]) << np.uint64(32))
        key |= (np.uint64(ranks[at + 2]) << np.uint64(16)) | np.uint64(ranks[at + 3])
    else:
        key = np.uint64(0)
        for lane in range(text.lanes):
            key = (key << np.uint64(text.lane_bits)) | np.uint64(ranks[at + lane])
    if holds_separator(text, key):
        key = np.uint64(0)
        for _ in range(text.lanes):
            key = (key << np.uint64(text.lane_bits)) | np.uint64(ranks[at])
            at += np.int64(ranks[at] != text.separator)
    return key


@helper
def holds_separator(text, key):
    """Whether a lane of ``key``, or of a word with its lanes in another order, is the separator."""
    other = key ^ text.separator_lanes
    return (~(((other & text.lane_lows) + text.lane_lows) | other) & text.lane_tops) != 0  # a lane of other is 0


@helper
def share_key(text, first, second):
    """Whether two suffixes share the next ``text.lanes`` ranks, and those hold no separator."""
    if text.lanes == 4:  # lanes as they lie in memory: one load
        word, other = load_word(text.ranks, first), load_word(text.ranks, second)
        return (word == other) & (not holds_separator(text, word))
    key = load_key(text, first)
    return (key == load_key(text, second)) & (not ends_in_separator(text, key))


@helper
def load_word(ranks, at):
    """Four 16-bit ranks, the first one lowest."""
    word = np.uint64(ranks[at]) | (np.uint64(ranks[at + 1]) << np.uint64(16))
    return word | (np.uint64(ranks[at + 2]) << np.uint64(32)) | (np.uint64(ranks[at + 3]) << np.uint64(48))


@helper
def ends_in_separator(text, key):
    """Whether a separator lies in ``key``: reading stays on it, so the last lane holds one."""
    return key & ((np.uint64(1) << np.uint64(text.lane_bits)) - np.uint64(1)) == np.uint64(text.separator)


@helper
def shared_depth(text, position, bits):
    """How many tokens those suffixes share that have their first ``bits`` code bits in common with ``position``."""
    depth = 0
    at = np.int64(position)
    while text.ranks[at] != text.separator:
        bits -= np.int64(text.codes[np.int64(text.ranks[at]) >> text.bucket_bits] & LENGTH_MASK)
        if bits < 0:
            break
        depth += 1
        at += 1
    return depth


@helper
def push(groups, top, rank, size, depth):
    """Put a group on the stack if it has two suffixes or more; returns the height of the stack."""
    groups[top, 0] = rank
    groups[top, 1] = size
    groups[top, 2] = depth
    return top + np.int64(size > 1)


@helper
def append(batch, batched, rank, size, depth, suffix_array):
    """Put a group into the batch, its positions ascending; returns the new size of the batch."""
    for i in range(batched, batched + size):
        position = suffix_array[rank + i - batched]
        place = i
        while place > batched and batch.position[place - 1] > position:
            batch.position[place] = batch.position[place - 1]
            place -= 1
        batch.position[place] = position
        batch.depth[i] = depth
        batch.rank[i] = rank + i - batched
        batch.head[i] = batched
    return batched + size


@kernel
def list_bounds(lo, hi, tied, bounds):
    """List the tied groups of ``[lo, hi)`` as ``[bounds[0], bounds[1])``, ``[bounds[2], bounds[3])``, ...; returns how many."""
    count = 0
    was_tied = 0
    for rank in range(lo + 1, hi):
        is_tied = np.int64(tied[rank])
        bounds[count] = rank - is_tied  # a group starts one before, or has ended here, or this is overwritten
        count += is_tied ^ was_tied
        was_tied = is_tied
    bounds[count] = hi
    return (count + was_tied) // 2


@kernel
def list_groups(text, bits, lo, hi, suffix_array, tied, scratch):
    """Put the tied groups of ``[lo, hi)`` on the stack or into the batch, and ask for the text that they will read.

    Clears ``tied``. Returns the height of the stack and the size of the batch.
    """
    bounds = scratch.bounds
    count = list_bounds(lo, hi, tied, bounds)
    tied[lo:hi] = 0
    top = 0
    batched = 0
    for k in range(min(count, LOOKAHEAD)):
        prefetch(text.ranks, suffix_array[bounds[2 * k]])
    for k in range(count):
        if k + LOOKAHEAD < count:
            prefetch(text.ranks, suffix_array[bounds[2 * (k + LOOKAHEAD)]])
        first = bounds[2 * k]
        size = bounds[2 * k + 1] - first
        depth = shared_depth(text, suffix_array[first], bits)
        for rank in range(first + 1, first + min(size, len(scratch.key))):
            prefetch(text.ranks, suffix_array[rank] + depth)
        if size <= SMALL:
            batched = append(scratch.batch, batched, first, size, depth, suffix_array)
        else:
            top = push(scratch.groups, top, first, size, depth)
    return top, batched


@kernel
def refine_batch(text, depth_limit, size, suffix_array, tied, batch):
    """Refine the first ``size`` entries of the batch until none is left; returns how many suffixes stay tied."""
    left = 0
    while size > 0:
        for i in range(size):
            batch.key[i] = load_key(text, np.int64(batch.position[i]) + np.int64(batch.depth[i]))
        sort_batch(size, batch)
        more, size = settle_batch(text, depth_limit, size, suffix_array, tied, batch)
        left += more
        deepen_batch(text, depth_limit, size, batch)
    return left


@kernel
def sort_batch(size, batch):
    """Sort each group of the batch by key: the place of a suffix is the number of smaller keys, or equal ones before it.

    Every pair of entries less than SMALL apart is compared, whatever their groups, so the loops are vector code: 3 ns
    an entry.
    """
    key, head, place = batch.key, batch.head, batch.place
    place[:size] = head[:size]
    for distance in range(1, SMALL):
        for i in range(size - distance):
            place[i] += np.int32((head[i + distance] <= i) & (key[i + distance] < key[i]))
        for i in range(size - distance):
            place[i + distance] += np.int32((head[i + distance] <= i) & (key[i] <= key[i + distance]))
    for i in range(size):
        batch.sorted_position[place[i]] = batch.position[i]
        batch.sorted_key[place[i]] = key[i]


@kernel
def settle_batch(text, depth_limit, size, suffix_array, tied, batch):
    """Write the sorted batch to the suffix array; keep the runs of equal keys that can still be told apart.

    Returns how many suffixes stay tied, at the depth limit, and the new size of the batch.
    """
    position, depth, rank, head = batch.position, batch.depth, batch.rank, batch.head
    sorted_position, sorted_key = batch.sorted_position, batch.sorted_key
    left = 0
    kept = 0
    new_head = 0
    equals_last = False
    head[size] = size
    sorted_key[size] = NO_KEY
    for i in range(size):
        suffix_array[rank[i]] = sorted_position[i]
        equals_next = (sorted_key[i] == sorted_key[i + 1]) & (head[i + 1] <= i)
        in_run = (equals_last | equals_next) & ~ends_in_separator(text, sorted_key[i])
        deeper = np.int64(depth[i]) + text.lanes
        if in_run & (deeper >= depth_limit):
            tied[rank[i]] = equals_last
            left += 1
        new_head = new_head if equals_last else kept
        position[kept] = sorted_position[i]
        depth[kept] = deeper
        rank[kept] = rank[i]
        head[kept] = new_head
        for ahead in range(LINE - 1, depth_limit, LINE):
            prefetch(text.ranks, np.int64(sorted_position[i]) + ahead)
        kept += np.int64(in_run & (deeper < depth_limit))
        equals_last = equals_next
    head[kept] = kept
    return left, kept


@kernel
def deepen_batch(text, depth_limit, size, batch):
    """Raise the depth of each group by the keys that all its suffixes share, short of the last before ``depth_limit``.

    What is tied so far is mostly a long repeat: this takes a fifth of the time that whole rounds would.
    """
    position, depth, head = batch.position, batch.depth, batch.head
    first = 0
    shared = 0
    for i in range(size):
        if head[i] == i:
            first = np.int64(position[i])
            shared = depth_limit - text.lanes
            continue
        other = np.int64(position[i])
        deep = np.int64(depth[i])
        while deep < shared and share_key(text, first + deep, other + deep):
            deep += text.lanes
        shared = min(shared, deep)
        if head[i + 1] == i + 1:
            depth[head[i] : i + 1] = shared


@kernel
def refine_groups(text, depth_limit, top, batched, suffix_array, tied, scratch):
    """Refine the ``top`` groups on the stack, depth first, and the batch; returns how many suffixes stay tied."""
    groups, key, position = scratch.groups, scratch.key, scratch.position
    few = scratch.few_keys, scratch.few_positions, scratch.few_equal, scratch.parts
    left = 0
    while top > 0:
        top -= 1
        lo, size, depth = groups[top, 0], groups[top, 1], groups[top, 2]
        if size > len(key):
            top, more = split_group(text, depth_limit, lo, size, depth, suffix_array, tied, groups, top)
            left += more
            continue
        position[:size] = suffix_array[lo : lo + size]
        depth, all_equal = load_group(text, depth_limit, size, depth, key, position)
        if not all_equal:
            if size <= RANK_SORTED // 2:
                rank_sort(0, size, RANK_SORTED // 2, key, position, few)
            else:
                quick_sort(size, key, position, few)
            suffix_array[lo : lo + size] = position[:size]
        first = 0
        while first < size:
            end = first + 1
            while end < size and key[end] == key[first]:
                end += 1
            run = end - first
            deeper = depth + text.lanes
            if 1 < run <= SMALL and deeper < depth_limit and not ends_in_separator(text, key[first]):
                if batched + SMALL > len(key):
                    left += refine_batch(text, depth_limit, batched, suffix_array, tied, scratch.batch)
                    batched = 0
                batched = append(scratch.batch, batched, lo + first, run, deeper, suffix_array)
            elif run > 1:
                top, more = settle_run(text, depth_limit, lo + first, run, deeper, key[first], suffix_array, tied, groups, top)
                left += more
            first = end
    return left + refine_batch(text, depth_limit, batched, suffix_array, tied, scratch.batch)


@helper
def load_group(text, depth_limit, size, depth, key, position):
    """Load the keys of a group, deeper as long as all are equal; returns the depth and whether they still are."""
    while True:
        all_equal = True
        for i in range(size):
            prefetch(text.ranks, np.int64(position[min(i + LOOKAHEAD, size - 1)]) + depth)
            key[i] = group_key(text, position[i], depth)
            all_equal &= key[i] == key[0]
        if not all_equal or depth + text.lanes >= depth_limit or ends_in_separator(text, key[0]):
            return depth, all_equal
        depth += text.lanes


@helper
def group_key(text, position, depth):
    """The key of a suffix in a group of this depth."""
    return np.uint64(position) if depth == BY_POSITION else load_key(text, np.int64(position) + depth)


@helper
def settle_run(text, depth_limit, lo, size, deeper, key, suffix_array, tied, groups, top):
    """Decide on a run of equal keys up to the depth ``deeper``: done, left tied, or back on the stack.

    Returns the height of the stack and how many suffixes stay tied.
    """
    left = 0
    if ends_in_separator(text, key):
        ascending = True
        for rank in range(lo + 1, lo + size):
            ascending &= suffix_array[rank - 1] < suffix_array[rank]
        if not ascending:
            top = push(groups, top, lo, size, BY_POSITION)
    elif deeper >= depth_limit:
        tied[lo + 1 : lo + size] = 1
        left = size
    else:
        top = push(groups, top, lo, size, deeper)
    return top, left


@helper
def rank_sort(lo, size, width, key, position, few):
    """Sort ``size`` keys from ``lo`` on, with their positions: the place of a key is the number of smaller ones.

    ``width``, at least ``size``, is a constant where this is inlined, so that the comparisons become vector code.
    """
    few_keys, few_positions, few_equal, _ = few
    for i in range(width):
        few_keys[i] = NO_KEY
    for i in range(size):
        few_keys[i] = key[lo + i]
        few_positions[i] = position[lo + i]
        few_equal[i] = 0
    for i in range(size):
        smaller = 0
        for j in range(width):
            smaller += np.int64(few_keys[j] < few_keys[i])
        place = lo + smaller + np.int64(few_equal[smaller])
        few_equal[smaller] += 1
        key[place] = few_keys[i]
        position[place] = few_positions[i]


@helper
def scramble(state):
    """The next state of a xorshift generator (Marsaglia, 2003): pivots that no text is made against."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state


@kernel
def quick_sort(size, key, position, few):
    """Sort ``key[:size]`` with their positions: partitions without a branch (Lomuto's) down to RANK_SORTED.

    Half the time of merging at 33 to 2,000 keys.
    """
    stack = few[3]
    stack[0, 0], stack[0, 1] = 0, size
    top = 1
    state = np.uint64(size)
    while top > 0:
        top -= 1
        lo, hi = stack[top, 0], stack[top, 1]
        while hi - lo > RANK_SORTED:
            state = scramble(state)
            a, b, c = key[lo], key[lo + np.int64(state % np.uint64(hi - lo))], key[hi - 1]
            pivot = max(min(a, b), min(max(a, b), c))
            middle = move_below(lo, hi, pivot, False, key, position)
            if middle == lo:  # the pivot is the smallest key: take its equals off
                lo = move_below(lo, hi, pivot, True, key, position)
            elif middle - lo < hi - middle:
                stack[top, 0], stack[top, 1] = middle, hi
                top += 1
                hi = middle
            else:
                stack[top, 0], stack[top, 1] = lo, middle
                top += 1
                lo = middle
        rank_sort(lo, hi - lo, RANK_SORTED, key, position, few)


@helper
def move_below(lo, hi, pivot, or_equal, key, position):
    """Move the keys of ``[lo, hi)`` below ``pivot``, ``or_equal``, to the front; returns where they end."""
    middle = lo
    for i in range(lo, hi):
        key_i, position_i = key[i], position[i]
        key[i], position[i] = key[middle], position[middle]
        key[middle], position[middle] = key_i, position_i
        middle += np.int64((key_i < pivot) | (or_equal & (key_i == pivot)))
    return middle


@kernel
def split_group(text, depth_limit, lo, size, depth, suffix_array, tied, groups, top):
    """Split a group that is larger than a block into smaller, equal and greater keys, in place, back on the stack.

    Multikey quicksort (Bentley and Sedgewick, 1997); the pivot is the median of a pseudo-random sample, so n log n
    steps are expected on any text. The larger of the outer parts goes on the stack first, so that few are. Returns the
    height of the stack and how many suffixes stay tied.
    """
    state = np.uint64(size)
    sample = np.empty(PIVOT_SAMPLE, np.uint64)
    for i in range(PIVOT_SAMPLE):
        state = scramble(state)
        sample[i] = group_key(text, suffix_array[lo + np.int64(state % np.uint64(size))], depth)
    pivot = np.sort(sample)[PIVOT_SAMPLE // 2]
    equal = lo
    greater = lo + size
    i = lo
    while i < greater:
        position = suffix_array[i]
        key = group_key(text, position, depth)
        if key < pivot:
            suffix_array[i] = suffix_array[equal]
            suffix_array[equal] = position
            equal += 1
            i += 1
        elif key > pivot:
            greater -= 1
            suffix_array[i] = suffix_array[greater]
            suffix_array[greater] = position
        else:
            i += 1
    smaller_size, greater_size = equal - lo, lo + size - greater
    if smaller_size >= greater_size:
        top = push(groups, top, lo, smaller_size, depth)
        top = push(groups, top, greater, greater_size, depth)
    else:
        top = push(groups, top, greater, greater_size, depth)
        top = push(groups, top, lo, smaller_size, depth)
    if greater - equal == 1:
        return top, 0
    return settle_run(text, depth_limit, equal, greater - equal, depth + text.lanes, pivot, suffix_array, tied, groups, top)
