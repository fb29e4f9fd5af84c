"""Order the suffixes that share the tokens through their next anchor, by the ranks of their anchors."""

import numpy as np

from suffixindex.kernels.jit import helper, kernel, prefetch
from suffixindex.kernels.sort.anchors import anchor_number, anchor_word, told_apart
from suffixindex.kernels.sort.cover import MODULUS, list_tied, next_head
from suffixindex.kernels.sort.ties import RANK_SORTED, quick_sort

BLOCK = 4096
"""Ranks whose groups are fetched together before they are ordered."""
FEW = 16
"""Suffixes that insertion sorts at most."""
LOOKAHEAD = 32
"""Suffixes between asking for the bitmap's word of one and reading it."""


@kernel
def rank_anchors(suffix_array, tied, lo, hi, anchors, anchor_ranks):
    """Give each anchor among the ranks ``[lo, hi)`` the rank of its group's head. ``lo`` is a head."""
    head = lo
    for rank in range(lo, hi):
        prefetch(anchors, anchor_word(np.int64(suffix_array[min(rank + LOOKAHEAD, hi - 1)])))
        if not tied[rank]:
            head = rank
        position = np.int64(suffix_array[rank])
        if (anchors[anchor_word(position)] >> np.uint64(position & 63)) & np.uint64(1):
            anchor_ranks[anchor_number(anchors, position)] = head


@helper
def insertion_sort(size, key, position):
    """Sort ``key[:size]`` with their positions; faster than ``quick_sort`` for few."""
    for i in range(1, size):
        key_i, position_i = key[i], position[i]
        j = i
        while j > 0 and key[j - 1] > key_i:
            key[j] = key[j - 1]
            position[j] = position[j - 1]
            j -= 1
        key[j] = key_i
        position[j] = position_i


@kernel
def sort_anchored(suffix_array, tied, lo, hi, anchors, anchor_ranks):
    """Order each tied group of the ranks ``[lo, hi)`` whose suffixes share their next anchor, by the ranks of those.

    ``lo`` and ``hi`` are heads. On return ``tied`` tells the groups that still are equal; returns how many suffixes they
    hold.
    """
    bounds = np.empty(BLOCK + 2, np.int64)
    key = np.empty(BLOCK, np.uint64)
    position = np.empty(BLOCK, np.uint32)
    few = np.empty(RANK_SORTED, np.uint64), np.empty(RANK_SORTED, np.uint32), np.empty(RANK_SORTED, np.uint8)
    left = 0
    while lo < hi:
        block_end = min(next_head(tied, lo + BLOCK), hi)
        count = list_tied(tied, lo, block_end, bounds)
        if block_end - lo > len(key):
            key = np.empty(block_end - lo, np.uint64)
            position = np.empty(block_end - lo, np.uint32)
        for k in range(count):
            for rank in range(bounds[2 * k], bounds[2 * k + 1]):
                prefetch(anchors, anchor_word(np.int64(suffix_array[rank])))
        for k in range(count):
            first = bounds[2 * k]
            if told_apart(anchors, suffix_array[first]) == MODULUS:
                left += bounds[2 * k + 1] - first
                bounds[2 * k + 1] = first
            for rank in range(first, bounds[2 * k + 1]):
                number = anchor_number(anchors, suffix_array[rank])
                key[rank - lo] = number
                prefetch(anchor_ranks, number)
        for k in range(count):
            first, end = bounds[2 * k], bounds[2 * k + 1]
            size = end - first
            for i in range(size):
                key[i] = anchor_ranks[np.int64(key[first - lo + i])]
                position[i] = suffix_array[first + i]
            if size <= FEW:
                insertion_sort(size, key, position)
            else:
                quick_sort(size, key, position, few)
            equals_last = False
            for i in range(size):
                suffix_array[first + i] = position[i]
                equals_next = i + 1 < size and key[i + 1] == key[i]
                tied[first + i] = equals_last
                left += np.int64(equals_last | equals_next)
                equals_last = equals_next
        lo = block_end
    return left
