"""From tokens to coded suffixes: ranks, the prefix code, and the scatter into partitions.

A weight-balanced alphabetic code (Gilbert and Moore, 1959) spends about the entropy on a token and keeps the order:
comparing the code bits of two suffixes compares the suffixes. One scan from right to left gives the first bits of the
code of every suffix; the top ones number its partition, so partitions come out nearly equal although tokens are
Zipf-distributed.
"""

import numpy as np

from suffixindex.kernels.jit import helper, kernel, scratch
from suffixindex.kernels.sort.cover import COVER, MODULUS

LENGTH_MASK = np.uint64(63)
TURN_SHIFT = 6
TURN_MASK = np.uint64(255 << TURN_SHIFT)
CODEWORD_MASK = ~(LENGTH_MASK | TURN_MASK)
CODE_BITS = 50
"""Bits of a suffix's code that are exact: an entry of the code table gives its low 14 bits to the length and the turn."""
COVER_BITS = np.uint64(sum(1 << residue for residue in COVER))
WARM_UP = 64
"""Ranks to read before a code is complete: a codeword has at least one bit."""
END_PADDING = 64
"""Zeros after the last rank, so that no code or key is read past the array."""
SEPARATOR_CODE = CODEWORD_MASK | np.uint64(63)
"""The largest codeword, for ever: what follows a separator is shifted out."""
BLOCK = 1024


@kernel
def largest_token(tokens, begin, end, separator):
    """The largest id of ``tokens[begin:end]`` but ``separator``, or -1 where there is none."""
    largest = np.int64(-1)
    for i in range(begin, end):
        token = np.int64(tokens[i])
        if token != separator:
            largest = max(largest, token)
    return largest


@kernel
def mark_tokens(tokens, begin, end, separator, present):
    """Set ``present[id]`` for the ids of ``tokens[begin:end]`` but ``separator``."""
    for i in range(begin, end):
        token = np.int64(tokens[i])
        if token != separator and not present[token]:  # a write a token, by two threads: 5 ns of cache lines in dispute
            present[token] = 1


@kernel
def rank_by_table(tokens, begin, end, separator, separator_rank, rank_of, ranks):
    """``ranks[i] = rank_of[tokens[i]]`` over ``[begin, end)``, or ``separator_rank``."""
    for i in range(begin, end):
        token = np.int64(tokens[i])
        ranks[i] = rank_of[token] if token != separator else separator_rank


@kernel
def rank_by_id(tokens, begin, end, separator, separator_rank, ranks):
    """``ranks[i] = tokens[i] + 1`` over ``[begin, end)``, or ``separator_rank``."""
    for i in range(begin, end):
        token = np.int64(tokens[i])
        ranks[i] = token + 1 if token != separator else separator_rank


@kernel
def count_buckets(ranks, begin, end, bucket_bits, counts):
    """Add the occurrences of each bucket ``rank >> bucket_bits`` in ``ranks[begin:end]`` to ``counts``."""
    for i in range(begin, end):
        counts[np.int64(ranks[i]) >> bucket_bits] += 1


@kernel
def alphabetic_code(below, bucket_bits, codes):
    """Fill ``codes`` with an order-preserving prefix code: each bit halves the weight as nearly as it can.

    ``codes`` has one entry a bucket, whose weights are all positive; ``below`` is the weight of those before each, and of all. A
    codeword has at most log2(total / weight) + 2 bits; it stands at the top of its entry, its length plus ``bucket_bits`` in the
    low 6. O(K log K).
    """
    lows, highs, lengths, prefixes = scratch(64, np.int64), scratch(64, np.int64), scratch(64, np.int64), scratch(64, np.uint64)
    lows[0], highs[0], lengths[0], prefixes[0] = 0, len(codes), 0, 0
    top = 1
    while top > 0:
        top -= 1
        lo, hi, length, prefix = lows[top], highs[top], lengths[top], prefixes[top]
        if hi - lo == 1:
            codes[lo] = prefix | np.uint64(max(length, 1) + bucket_bits)
            continue
        total = below[lo] + below[hi]
        middle, above = lo + 1, hi - 1
        while middle < above:
            at = (middle + above) // 2
            if below[at] < total // 2:
                middle = at + 1
            else:
                above = at
        if middle > lo + 1 and total - 2 * below[middle - 1] < 2 * below[middle] - total:
            middle -= 1
        lows[top], highs[top], lengths[top] = middle, hi, length + 1
        prefixes[top] = prefix | (np.uint64(1) << np.uint64(63 - length))
        lows[top + 1], highs[top + 1], lengths[top + 1] = lo, middle, length + 1
        prefixes[top + 1] = prefix
        top += 2


@helper
def prepend(code, rank, codes, bucket_bits):
    """The code of a suffix, given its first rank and the code of the suffix after it."""
    entry = codes[rank >> bucket_bits]
    length = entry & LENGTH_MASK
    low_bits = np.uint64(rank & ((1 << bucket_bits) - 1)) << (np.uint64(64) - length)
    return (entry & CODEWORD_MASK) | low_bits | (code >> length)


@helper
def code_at(end, ranks, codes, bucket_bits):
    """The code of the suffix at ``end``."""
    code = np.uint64(0)
    for i in range(end + WARM_UP - 1, end - 1, -1):
        code = prepend(code, np.int64(ranks[i]), codes, bucket_bits)
    return code


@helper
def turn_at(position, ranks, codes, bucket_bits):
    """The turn of the token at ``position``, in place in the entry of its code."""
    return codes[np.int64(ranks[position]) >> bucket_bits] & TURN_MASK


@helper
def is_sorted(position, turn, next_turn):
    """Whether a suffix is sorted: it cannot be derived, or the difference cover needs it."""
    return (turn <= next_turn) | np.bool_((COVER_BITS >> np.uint64(position % MODULUS)) & np.uint64(1))


@kernel
def count_partitions(ranks, codes, bucket_bits, begin, end, partition_bits, counts):
    """Count the sorted suffixes of ``[begin, end)`` in each of the ``2**partition_bits`` partitions. About 1.5 ns a suffix."""
    shift = np.uint64(64 - partition_bits)
    code = code_at(end, ranks, codes, bucket_bits)
    next_turn = turn_at(end, ranks, codes, bucket_bits)
    for i in range(end - 1, begin - 1, -1):
        code = prepend(code, np.int64(ranks[i]), codes, bucket_bits)
        turn = turn_at(i, ranks, codes, bucket_bits)
        counts[code >> shift] += np.uint32(is_sorted(i, turn, next_turn))
        next_turn = turn


@kernel
def scatter_records(ranks, codes, bucket_bits, begin, end, partition_bits, key_bits, first, last, cursors, records):
    """Write a record for each sorted suffix of ``[begin, end)`` whose partition lies in ``[first, last)``.

    A record holds the ``key_bits`` code bits after the partition's at the top and the position below. ``cursors``
    holds, for each partition, where this block's share of ``records`` ends; it is filled downwards, so that positions
    ascend in each partition. Whether a suffix belongs to the round is a coin toss: gathering those that do without a
    branch costs 7.2 ns a suffix over three rounds, against 13.6 with one.
    """
    partition_shift = np.uint64(64 - partition_bits)
    drop = np.uint64(partition_bits)
    key_mask = ~((np.uint64(1) << np.uint64(64 - key_bits)) - np.uint64(1))
    lo, hi = np.uint64(first), np.uint64(last)
    taken_codes = scratch(BLOCK, np.uint64)
    taken_positions = scratch(BLOCK, np.uint32)
    code = code_at(end, ranks, codes, bucket_bits)
    next_turn = turn_at(end, ranks, codes, bucket_bits)
    for block_end in range(end, begin, -BLOCK):
        taken = 0
        for i in range(block_end - 1, max(block_end - BLOCK, begin) - 1, -1):
            code = prepend(code, np.int64(ranks[i]), codes, bucket_bits)
            taken_codes[taken] = code
            taken_positions[taken] = i
            partition = code >> partition_shift
            turn = turn_at(i, ranks, codes, bucket_bits)
            taken += np.int64((partition >= lo) & (partition < hi) & is_sorted(i, turn, next_turn))
            next_turn = turn
        for k in range(taken):
            partition = taken_codes[k] >> partition_shift
            slot = cursors[partition] - 1
            cursors[partition] = slot
            records[slot] = ((taken_codes[k] << drop) & key_mask) | np.uint64(taken_positions[k])


@kernel
def collect_partition(ranks, codes, bucket_bits, begin, end, partition_bits, partition, cursor, positions):
    """Write the sorted positions in ``[begin, end)`` of one partition, ascending, so that they end before ``cursor``."""
    shift = np.uint64(64 - partition_bits)
    code = code_at(end, ranks, codes, bucket_bits)
    next_turn = turn_at(end, ranks, codes, bucket_bits)
    for i in range(end - 1, begin - 1, -1):
        code = prepend(code, np.int64(ranks[i]), codes, bucket_bits)
        turn = turn_at(i, ranks, codes, bucket_bits)
        if code >> shift == np.uint64(partition) and is_sorted(i, turn, next_turn):
            cursor -= 1
            positions[cursor] = i
        next_turn = turn
