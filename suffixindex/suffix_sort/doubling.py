"""The suffix sort without compiled code: prefix doubling (Manber and Myers, 1993) of what is tied, in NumPy.

For texts of some million tokens, on a machine that has not compiled the other sort yet: that takes a minute, this seconds.
The order is the same, so the array is.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = (1 << 23) - 1
"""Tokens of the longest text: of a piece, 20 bits for the group, 23 for a rank and 21 for the place fit a word."""
PIECE = 1 << 20
"""Tied suffixes that are sorted at once."""
MOST_TOKENS = 16
"""Tokens by which suffixes are sorted at first, at most: each takes a pass over the text."""
FIRST = 0.4
"""Share of the time that the sort by the first tokens takes."""


def suffix_array(
    tokens: NDArray[np.unsignedinteger[Any]],
    separator: int | None = None,
    out: NDArray[np.uint32] | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> NDArray[np.uint32]:
    """As :func:`suffixindex.suffix_sort.sort.suffix_array`. O(n log n) time, one thread, about 30 bytes a token.

    Raises
    ------
    ValueError
        An id exceeds the separator.
    """
    size = len(tokens)
    order = np.empty(size, np.uint32) if out is None else out
    if size == 0:
        return order
    stops = np.flatnonzero(tokens == separator) if separator is not None else np.empty(0, np.int64)
    depth, tied = _sort_by_first_tokens(_dense(tokens, separator), stops, order)
    progress(FIRST)
    heads = np.flatnonzero(~tied)
    ranks = np.zeros(size + 1, np.uint32)  # one more than the first slot of a suffix's group; 0 where the text has ended
    ranks[order] = np.repeat(heads + 1, np.diff(heads, append=size)).astype(np.uint32)
    alone = ~tied & np.append(~tied[1:], True)
    slots = np.flatnonzero(~alone).astype(np.uint32)
    while len(slots := slots[_goes_on(order[slots], stops, depth, size)]):
        slots = _refine(order, ranks, slots, depth)
        depth *= 2
        progress(FIRST + (1 - FIRST) * (1 - len(slots) / size))
    progress(1.0)
    return order


def _dense(tokens: NDArray[np.unsignedinteger[Any]], separator: int | None) -> NDArray[np.uint32]:
    """The rank of each token's id among those that occur, from 1 on."""
    largest = int(tokens.max())
    if separator is not None and largest > separator:
        raise ValueError(f"the separator {separator} is smaller than the id {largest}: it must be the largest id")
    if largest < max(1 << 16, len(tokens)):
        occurs = np.zeros(largest + 1, np.uint32)
        occurs[tokens] = 1
        ranks: NDArray[np.uint32] = np.cumsum(occurs, dtype=np.uint32)[tokens]
        return ranks
    return np.searchsorted(np.unique(tokens), tokens).astype(np.uint32) + np.uint32(1)


def _sort_by_first_tokens(
    dense: NDArray[np.uint32], stops: NDArray[np.int64], order: NDArray[np.uint32]
) -> tuple[int, NDArray[np.bool_]]:
    """Fill the order by as many tokens as go into a word with the position; also which suffixes equal the one before."""
    size = len(dense)
    width = int(dense.max()).bit_length()
    places = size.bit_length()
    depth = max(1, min((64 - places) // width, MOST_TOKENS))
    keys = dense.astype(np.uint64)
    for length in range(1, depth):
        keys[:-1] = keys[1:]
        keys[-1] = 0
        keys[stops] = 0  # what follows a separator is not compared
        keys |= dense.astype(np.uint64) << np.uint64(width * length)
    keys <<= np.uint64(places)
    keys |= np.arange(size, dtype=np.uint64)
    keys.sort()
    order[:] = keys & np.uint64((1 << places) - 1)
    keys >>= np.uint64(places)
    tied = np.zeros(size, bool)
    np.equal(keys[1:], keys[:-1], out=tied[1:])
    return depth, tied


def _goes_on(positions: NDArray[np.uint32], stops: NDArray[np.int64], depth: int, size: int) -> NDArray[np.bool_]:
    """Which suffixes have no separator in their first ``depth`` tokens; the others are ordered by their positions for good."""
    ends = np.append(stops, size + depth)[np.searchsorted(stops, positions)]
    return np.asarray(ends >= positions.astype(np.int64) + depth)


def _refine(order: NDArray[np.uint32], ranks: NDArray[np.uint32], slots: NDArray[np.uint32], depth: int) -> NDArray[np.uint32]:
    """Sort groups of suffixes that share ``depth`` tokens by the ranks of what follows; the slots that are still tied."""
    positions = order[slots]
    following = ranks[np.minimum(positions.astype(np.int64) + depth, len(order))]
    begins = np.flatnonzero(np.diff(ranks[positions], prepend=0))
    new = np.empty(len(slots), bool)
    for lo, hi in _pieces(begins, len(slots)):
        here = slice(lo, hi)
        groups = np.zeros(hi - lo, np.uint64)
        groups[begins[np.searchsorted(begins, lo) : np.searchsorted(begins, hi)] - lo] = 1
        places, width = (hi - lo).bit_length(), len(order).bit_length()
        keys = np.cumsum(groups, dtype=np.uint64) << np.uint64(width + places)
        keys |= following[here].astype(np.uint64) << np.uint64(places)
        keys |= np.arange(hi - lo, dtype=np.uint64)
        keys.sort()
        positions[here] = positions[here][keys & np.uint64((1 << places) - 1)]
        keys >>= np.uint64(places)
        new[lo] = True
        np.not_equal(keys[1:], keys[:-1], out=new[lo + 1 : hi])
    order[slots] = positions
    heads = np.flatnonzero(new)
    ranks[positions] = np.repeat(slots[heads] + np.uint32(1), np.diff(heads, append=len(slots)))
    tied: NDArray[np.uint32] = slots[~(new & np.append(new[1:], True))]
    return tied


def _pieces(begins: NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    """Whole groups, at most ``PIECE`` suffixes together; a larger group is a piece by itself."""
    cuts = np.searchsorted(begins, np.arange(PIECE, size, PIECE), side="right")
    ends = np.append(begins, size)
    return list(pairwise(np.unique([0, *ends[cuts - 1].tolist(), *ends[cuts].tolist(), size]).tolist()))
