"""Anchors: suffixes by whose order others are told apart (Manzini and Ferragina, 2004).

Whether a position is an anchor is told by the tokens from it on, WINDOW at most. So suffixes that share the tokens through
the window of their next anchor have that anchor at the same distance, and their anchors' order is theirs. Only
anchors are told apart token by token as far as tokens are compared at all; the others only as far as their next anchor.

A bitmap holds the anchors: its entry 2k is for the positions from 64k on, 2k + 1 counts the anchors before 64k.
"""

import numpy as np

from suffixindex.kernels.jit import bit_count, helper, kernel
from suffixindex.kernels.sort.cover import MODULUS

WORD = 64
"""Positions in a word of the bitmap."""
WINDOW = 3
"""Tokens that tell whether a position is an anchor."""
RARITY = 7
"""A mask of the bits that are 0 in the hash of an anchor's tokens: 4 % of natural text are anchors, one in every 25 tokens.

Of text that repeats spans of 64 tokens, masks of 1, 3 and 7 take 0.93, 1.03 and 1 times as long to tell apart, and 1.2, 1.4
and 1 times to order by anchors.
"""


@kernel
def mark_anchors(text, begin, end, turns):
    """Set the bits of the anchors in ``[begin, end)``, which are whole words of the bitmap or the rest of the text.

    An anchor is sorted, the suffix after it is derived (see sort_induce), and its tokens have a rare hash. A separator is
    one too, so that no suffix looks past it. The odd entries become the numbers of anchors in each word. About 3 ns a token.
    """
    ranks = text.ranks
    for start in range(begin, end, WORD):
        word = np.uint64(0)
        for i in range(start, min(start + WORD, end)):
            a, b, c = np.int64(ranks[i]), np.int64(ranks[i + 1]), np.int64(ranks[i + 2])
            scrambled = (a * 0x9E3779B1 + b * 0x85EBCA77 + c * 0xC2B2AE3D) >> 29
            peak = (turns[a] <= turns[b]) & (turns[b] > turns[c]) & (scrambled & RARITY == 0)
            word |= np.uint64(peak | (a == text.separator)) << np.uint64(i - start)
        text.anchors[2 * (start // WORD)] = word
        text.anchors[2 * (start // WORD) + 1] = bit_count(word)


@helper
def anchor_word(position):
    """Where the bitmap has a position."""
    return (position >> 6) << 1


@helper
def told_apart(anchors, position):
    """How many tokens a suffix is told apart by: through the window of its next anchor, or MODULUS."""
    position = np.int64(position)
    at = anchor_word(position)
    shift = np.uint64(position & 63)
    word = (anchors[at] >> shift) | ((anchors[at + 2] << np.uint64(1)) << (np.uint64(63) - shift))
    if word == 0:
        return MODULUS
    distance = bit_count((word - np.uint64(1)) & ~word)
    return distance + WINDOW if 0 < distance <= MODULUS - WINDOW else MODULUS


@helper
def anchor_number(anchors, position):
    """How many anchors lie before ``position``: the number of the next one."""
    position = np.int64(position)
    at = anchor_word(position)
    before = (np.uint64(1) << np.uint64(position & 63)) - np.uint64(1)
    return np.int64(anchors[at + 1]) + bit_count(anchors[at] & before)
