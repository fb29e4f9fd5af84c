"""Order the suffixes that share many tokens, by a difference cover.

Every two residues modulo 64 have a shift below 64 that brings both into the cover {0, 1, 2, 5, 14, 16, 34, 42, 59}
(Burkhardt and Kärkkäinen, 2003). So once the suffixes at cover positions, 9 of 64, have their final ranks, two suffixes that
share 64 tokens compare by one pair of ranks. The cover's suffixes get them by prefix doubling: groups that share h tokens,
h a multiple of 64, are ordered by the ranks h further on, which are cover positions again.
"""

import numpy as np

from suffixindex.kernels.jit import helper, kernel, part, prefetch, scratch

MODULUS = 64
"""A modulus of 32, with 7 residues, takes 1.02 times as long on natural text, 1.3 times on a Fibonacci word."""
MODULUS_BITS, RESIDUE = MODULUS.bit_length() - 1, MODULUS - 1
COVER = (0, 1, 2, 5, 14, 16, 34, 42, 59)
COVER_SIZE = len(COVER)
NOT_COVERED = COVER_SIZE
COVER_INDEX = np.array([COVER.index(r) if r in COVER else NOT_COVERED for r in range(MODULUS)], np.uint8)
"""Place of a residue in the cover, or NOT_COVERED."""
COVER_SHIFT = np.array(
    [
        [next(d for d in range(MODULUS) if (r + d) % MODULUS in COVER and (s + d) % MODULUS in COVER) for s in range(MODULUS)]
        for r in range(MODULUS)
    ],
    np.uint8,
)
"""``COVER_SHIFT[r, s]``: the smallest shift that brings the residues r and s into the cover."""
SHORT_RUN = 12
RUNS = 64
"""Sorted runs that wait to be merged at most: each is more than twice as long as the next but one."""
LOOKAHEAD = 64
"""Suffixes of the sample between asking for a rank and reading it."""
BLOCK = 4096
"""Ranks whose groups are fetched together before they are ordered."""


@helper
def rank_slot(position):
    """Where ``sample_ranks`` holds the rank of a cover position."""
    return (position >> MODULUS_BITS) * COVER_SIZE + np.int64(COVER_INDEX[position & RESIDUE])


@helper
def rank_after(p, q, shift, sample_ranks):
    """Ranks of the suffixes ``shift`` after p and q, or, where it is 0, after the shift of the cover."""
    p = np.int64(p)
    q = np.int64(q)
    if shift == 0:
        shift = np.int64(COVER_SHIFT[p & RESIDUE, q & RESIDUE])
    return sample_ranks[rank_slot(p + shift)], sample_ranks[rank_slot(q + shift)]


@kernel
def next_head(tied, rank):
    """The first rank from ``rank`` on that starts a group."""
    while rank < len(tied) and tied[rank]:
        rank += 1
    return rank


@kernel
def rank_sample(suffix_array, tied, lo, hi, sample_ranks):
    """Give each cover position among the ranks ``[lo, hi)`` the rank of its group's head, plus 1. ``lo`` is a head."""
    head = lo
    for rank in range(lo, hi):
        if not tied[rank]:
            head = rank
        position = np.int64(suffix_array[rank])
        if COVER_INDEX[position & RESIDUE] != NOT_COVERED:
            sample_ranks[rank_slot(position)] = head + 1


@kernel
def tied_sample(suffix_array, tied, lo, hi, sample, starts):
    """List the cover positions of the groups in ``[lo, hi)`` that have at least two; returns their number.

    ``starts[i]`` is set where ``sample[i]`` begins a group.
    """
    count = 0
    group = 0
    for rank in range(lo, hi):
        if not tied[rank]:
            if count - group == 1:
                count = group
            group = count
            if rank + 1 == hi or not tied[rank + 1]:
                continue
        position = suffix_array[rank]
        if COVER_INDEX[np.int64(position) & RESIDUE] != NOT_COVERED:
            sample[count] = position
            starts[count] = count == group
            count += 1
    return group if count - group == 1 else count


@kernel
def sort_sample(sample, starts, shift, sample_ranks, spare):
    """Order each group of the sample by the ranks ``shift`` further on.

    ``starts`` becomes 2 where a run of equal ranks begins inside a group. ``spare`` has room for half of the sample.
    """
    size = len(sample)
    runs = scratch(RUNS, np.int64)
    fetched = 0
    lo = 0
    while lo < size:
        hi = lo + 1
        while hi < size and starts[hi] != 1:
            hi += 1
        while fetched < min(hi + LOOKAHEAD, size):
            prefetch(sample_ranks, rank_slot(np.int64(sample[fetched]) + shift))
            fetched += 1
        sort_group(sample, lo, hi, shift, sample_ranks, spare, runs)
        for i in range(lo + 1, hi):
            before, after = rank_after(sample[i - 1], sample[i], shift, sample_ranks)
            if before != after:
                starts[i] = 2
        lo = hi


@kernel
def update_sample(sample, starts, sample_ranks):
    """Give the runs that ``sort_sample`` found their ranks, and keep those of two suffixes or more.

    Returns how many suffixes are kept; they stand at the front of ``sample`` and ``starts``.
    """
    size = len(sample)
    kept = 0
    group = 0
    rank_of_group = np.uint32(0)
    lo = 0
    while lo < size:
        if starts[lo] == 1:
            group = lo
            rank_of_group = sample_ranks[rank_slot(np.int64(sample[lo]))]
        hi = lo + 1
        while hi < size and starts[hi] == 0:
            hi += 1
        if lo > group:
            for i in range(lo, hi):
                sample_ranks[rank_slot(np.int64(sample[i]))] = rank_of_group + (lo - group)
        if hi - lo > 1:
            for i in range(lo, hi):
                sample[kept] = sample[i]
                starts[kept] = i == lo
                kept += 1
        lo = hi
    return kept


@helper
def precedes(p, q, shift, sample_ranks):
    """Whether suffix p comes before suffix q."""
    rank_p, rank_q = rank_after(p, q, shift, sample_ranks)
    return rank_p < rank_q


@part
def list_tied(tied, lo, hi, bounds):
    """List the tied groups of the ranks ``[lo, hi)``, which start and end between groups; returns their number.

    They are ``[bounds[0], bounds[1])``, ``[bounds[2], bounds[3])``, ... .
    """
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
def sort_tied(suffix_array, tied, lo, hi, sample_ranks, spare):
    """Order each tied group of the ranks ``[lo, hi)`` by the final ranks of the sample. ``spare`` has room for half of them."""
    bounds = scratch(BLOCK + 2, np.int64)
    runs = scratch(RUNS, np.int64)
    while lo < hi:
        block_end = min(next_head(tied, lo + BLOCK), hi)
        groups = list_tied(tied, lo, block_end, bounds)
        for k in range(groups):
            first = bounds[2 * k]
            p, q = np.int64(suffix_array[first]), np.int64(suffix_array[first + 1])
            shift = np.int64(COVER_SHIFT[p & RESIDUE, q & RESIDUE])
            prefetch(sample_ranks, rank_slot(p + shift))
            prefetch(sample_ranks, rank_slot(q + shift))
        for k in range(groups):
            sort_group(suffix_array, bounds[2 * k], bounds[2 * k + 1], np.int64(0), sample_ranks, spare, runs)
        lo = block_end


@part
def sort_group(group, lo, hi, shift, sample_ranks, spare, runs):
    """Sort the positions ``group[lo:hi]``: natural merge sort.

    Long repeats of a short period come as ascending or descending runs, which cost one comparison a suffix.
    """
    count = 0
    while lo < hi:
        end = next_run(group, lo, hi, shift, sample_ranks)
        runs[count] = lo
        count += 1
        while count > 1 and (end == hi or runs[count - 1] - runs[count - 2] <= 2 * (end - runs[count - 1])):
            merge(group, runs[count - 2], runs[count - 1], end, shift, sample_ranks, spare)
            count -= 1
        lo = end


@part
def next_run(group, lo, size, shift, sample_ranks):
    """Find the sorted run that starts at ``lo``, or make one of SHORT_RUN by insertion; returns its end, at most ``size``."""
    hi = lo + 1
    descends = False
    while hi < size:
        steps_down = precedes(group[hi], group[hi - 1], shift, sample_ranks)
        if hi == lo + 1:
            descends = steps_down
        if steps_down != descends:
            break
        hi += 1
    if descends:
        for i in range((hi - lo) // 2):
            group[lo + i], group[hi - 1 - i] = group[hi - 1 - i], group[lo + i]
    end = min(lo + SHORT_RUN, size)
    for i in range(hi, end):
        position = group[i]
        j = i - 1
        while j >= lo and precedes(position, group[j], shift, sample_ranks):
            group[j + 1] = group[j]
            j -= 1
        group[j + 1] = position
    return max(hi, end)


@part
def merge(group, lo, middle, hi, shift, sample_ranks, spare):
    """Merge ``group[lo:middle]`` and ``group[middle:hi]``; the shorter is put aside."""
    if not precedes(group[middle], group[middle - 1], shift, sample_ranks):
        return
    if middle - lo <= hi - middle:
        left = middle - lo
        for i in range(left):
            spare[i] = group[lo + i]
        i = 0
        j = middle
        for k in range(lo, hi):
            if i == left:
                break
            if j < hi and precedes(group[j], spare[i], shift, sample_ranks):
                group[k] = group[j]
                j += 1
            else:
                group[k] = spare[i]
                i += 1
    else:
        right = hi - middle
        for i in range(right):
            spare[i] = group[middle + i]
        i = middle - 1
        j = right - 1
        for k in range(hi - 1, lo - 1, -1):
            if j < 0:
                break
            if i >= lo and precedes(spare[j], group[i], shift, sample_ranks):
                group[k] = group[i]
                i -= 1
            else:
                group[k] = spare[j]
                j -= 1
