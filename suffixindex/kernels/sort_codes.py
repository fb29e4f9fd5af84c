"""From tokens to partitions: ranks, the prefix code, and the scatter of coded suffixes.

A weight-balanced alphabetic code (Gilbert and Moore, 1959) spends about the entropy on a token and keeps the order: comparing the
code bits of two suffixes compares the suffixes. One scan from right to left gives the first 64 code bits of every
suffix; their top bits are the partition, so partitions come out nearly equal although tokens are Zipf-distributed.
"""

import numpy as np

from suffixindex.kernels.jit import helper, kernel

LENGTH_MASK = np.uint64(63)
CODEWORD_MASK = ~LENGTH_MASK
CODE_BITS = 58
"""Bits of a suffix's code that are exact: codewords give their low 6 bits to their length."""
WARM_UP = 64
"""Ranks to read before a code is complete: a codeword has at least one bit."""
SEPARATOR_CODE = CODEWORD_MASK | np.uint64(63)
"""The largest codeword, repeated for ever: what follows a separator does not count."""
BLOCK = 1024


@kernel
def count_tokens(tokens, begin, end, counts):
    """Add the occurrences of each id in ``tokens[begin:end]`` to ``counts``."""
    for i in range(begin, end):
        counts[tokens[i]] += 1


@kernel
def rank_tokens(tokens, begin, end, rank_of, ranks):
    """``ranks[i] = rank_of[tokens[i]]`` over ``[begin, end)``."""
    for i in range(begin, end):
        ranks[i] = rank_of[tokens[i]]


@kernel
def shift_tokens(tokens, begin, end, shift, separator, separator_rank, ranks):
    """``ranks[i] = tokens[i] + shift`` over ``[begin, end)``, but ``separator_rank`` for the separator."""
    for i in range(begin, end):
        token = np.int64(tokens[i])
        ranks[i] = separator_rank if token == separator else token + shift


@kernel
def count_buckets(ranks, begin, end, bucket_bits, counts):
    """Add the occurrences of each bucket ``rank >> bucket_bits`` in ``ranks[begin:end]`` to ``counts``."""
    for i in range(begin, end):
        counts[np.int64(ranks[i]) >> bucket_bits] += 1


@kernel
def alphabetic_code(weights, bucket_bits, codes):
    """Fill ``codes`` with an order-preserving prefix code by halving the weight at each bit.

    ``weights`` (positive) and ``codes`` have one entry a bucket. A codeword stands at the top of its entry, its
    length plus ``bucket_bits`` in the low 6 bits. A codeword has at most log2(total / weight) + 2 bits. O(K log K).
    """
    size = len(weights)
    below = np.zeros(size + 1, np.int64)
    for i in range(size):
        below[i + 1] = below[i] + np.int64(weights[i])
    stack = np.empty((64, 3), np.int64)  # lo, hi, length of the codeword so far
    prefix = np.zeros(64, np.uint64)
    stack[0] = 0, size, 0
    top = 1
    while top > 0:
        top -= 1
        lo, hi, length = stack[top]
        code = prefix[top]
        if hi - lo == 1:
            codes[lo] = code | np.uint64(max(length, 1) + bucket_bits)
            continue
        middle = lo + np.searchsorted(below[lo + 1 : hi], (below[lo] + below[hi] + 1) // 2) + 1
        if middle == hi or (middle > lo + 1 and 2 * below[middle] - below[lo] - below[hi] > below[lo] + below[hi] - 2 * below[middle - 1]):
            middle -= 1
        stack[top] = middle, hi, length + 1
        prefix[top] = code | (np.uint64(1) << np.uint64(63 - length))
        stack[top + 1] = lo, middle, length + 1
        prefix[top + 1] = code
        top += 2


@helper
def prepend(code, rank, text):
    """The code of a suffix, given its first rank and the code of the suffix after it."""
    entry = text.codes[rank >> text.bucket_bits]
    length = entry & LENGTH_MASK
    low = np.uint64(rank & ((1 << text.bucket_bits) - 1)) << (np.uint64(64) - length)
    return (entry & CODEWORD_MASK) | low | (code >> length)


@helper
def code_at(end, text):
    """The code of the suffix at ``end``."""
    code = np.uint64(0)
    for i in range(end + WARM_UP - 1, end - 1, -1):
        code = prepend(code, np.int64(text.ranks[i]), text)
    return code


@kernel
def count_partitions(text, begin, end, partition_bits, counts):
    """Count the suffixes of ``[begin, end)`` in each of the ``2**partition_bits`` partitions. Two to four ns a suffix."""
    shift = np.uint64(64 - partition_bits)
    code = code_at(end, text)
    for i in range(end - 1, begin - 1, -1):
        code = prepend(code, np.int64(text.ranks[i]), text)
        counts[code >> shift] += 1


@kernel
def scatter_records(text, begin, end, partition_bits, key_bits, first, last, cursors, records):
    """Write a record for each suffix of ``[begin, end)`` whose partition lies in ``[first, last)``.

    A record holds the ``key_bits`` code bits after the partition's at the top and the position in the low 32 bits.
    ``cursors[partition]`` is the end of this block's share of ``records``; filled downwards, so positions ascend in
    each partition. Suffixes are first gathered into a small buffer without a branch: whether one
    lies in the round is a coin toss.
    """
    partition_shift = np.uint64(64 - partition_bits)
    drop = np.uint64(partition_bits)
    key_mask = ~((np.uint64(1) << np.uint64(64 - key_bits)) - np.uint64(1))
    lo, span = np.uint64(first), np.uint64(last - first)
    taken_codes = np.empty(BLOCK, np.uint64)
    taken_positions = np.empty(BLOCK, np.uint32)
    code = code_at(end, text)
    for block_end in range(end, begin, -BLOCK):
        taken = 0
        for i in range(block_end - 1, max(block_end - BLOCK, begin) - 1, -1):
            code = prepend(code, np.int64(text.ranks[i]), text)
            taken_codes[taken] = code
            taken_positions[taken] = i
            taken += np.int64((code >> partition_shift) - lo < span)
        for k in range(taken):
            code_k = taken_codes[k]
            partition = code_k >> partition_shift
            slot = cursors[partition] - 1
            cursors[partition] = slot
            records[slot] = ((code_k << drop) & key_mask) | np.uint64(taken_positions[k])


@kernel
def collect_partition(text, begin, end, partition_bits, partition, cursor, positions):
    """Write the positions in ``[begin, end)`` of one partition, ascending, so that they end before ``cursor``."""
    shift = np.uint64(64 - partition_bits)
    code = code_at(end, text)
    for i in range(end - 1, begin - 1, -1):
        code = prepend(code, np.int64(text.ranks[i]), text)
        if code >> shift == np.uint64(partition):
            cursor -= 1
            positions[cursor] = i
