"""Lookup tables of a shard, small enough to stay in the cache: where to search, and which document a position lies in.

The search tree leads a search to the last few ranks. Its leaves are keys of every ``SPACING``-th suffix: its first tokens
packed into 64 bits, as many as fit. Above them lie levels of nodes of 16 keys, each the last key of the node below it, so
that a search reads two cache lines a level. The array holds the levels from the root down; each is filled up with the
greatest key, at least one, so that no search leaves it. 0.133 bytes a token.

Document blocks say for every 128th position in which document it lies: 0.031 bytes a token. From there on documents are passed
one by one, which takes long where they are short: document marks take their place there, in memory alone.

All are functions of the other arrays. A shard without them answers the same, by bisection over everything.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels import BLOCK_SHIFT, FANOUT, MARKS_SHIFT
from suffixindex.storage.format import DOCUMENT_BLOCKS, SEARCH_TREE

SPACING = 64
"""Ranks between two leaves: 32 costs twice the bytes and saves 16 % of a search (benchmarks/README.md)."""
TABLE_BYTES = 8 / SPACING * FANOUT / (FANOUT - 1) + 4 / (1 << BLOCK_SHIFT)
"""Bytes a token of both tables."""
FEW_TOKENS = 1 << 22
"""Up to so many a tree is made without compiled code, which would take longer to load."""
SHORT_DOCUMENTS = 64
"""Tokens of a shard's mean document, separator and all, below which it has marks."""
MARKED = 1 << 20
"""Documents that are marked at a time."""
PADDING = np.uint64(2**64 - 1)

RankBounds = tuple[int, int, int, int]
"""``(low from, low to, high from, high to)``: the ranks among which an interval's two ends lie."""


class Postings(NamedTuple):
    """What leads from a rank to its document.

    ``blocks`` are document blocks, and ``offsets`` those of all documents; or, where documents are short, ``blocks`` are document
    marks, and ``offsets`` holds the number of tokens alone.
    """

    suffix_array: NDArray[np.uint32]
    blocks: NDArray[np.uint32]
    offsets: NDArray[np.uint64]


class SearchTree(NamedTuple):
    """``keys[levels[i] : levels[i + 1]]`` is level i, the root first; a tree without levels says nothing."""

    keys: NDArray[np.uint64]
    levels: NDArray[np.int64]
    spacing: int
    bits: int
    """Bits of a token in a key."""
    limit: int
    """The vocabulary size, which stands for the separator."""

    def bounds(self, ngram: Sequence[int], size: int) -> RankBounds:
        """Where among ``size`` ranks the interval of an n-gram lies, without compiled code."""
        if len(self.levels) == 1:
            return 0, size, 0, size
        lanes = 64 // self.bits
        first = self._leaves_below(self._pack(ngram, lanes, 0))
        last = self._leaves_below(self._pack(ngram, lanes, (1 << self.bits) - 1) + 1)
        low_from = min(size, max(0, (first - 1) * self.spacing + 1))
        high_to = min(size, last * self.spacing)
        if len(ngram) > lanes:
            return low_from, high_to, low_from, high_to
        high_from = min(size, max(low_from, (last - 1) * self.spacing + 1))
        return low_from, min(size, first * self.spacing), high_from, high_to

    def _pack(self, ngram: Sequence[int], lanes: int, fill: int) -> int:
        """The first tokens in one number; after a separator zeros, after a shorter n-gram ``fill``."""
        key = 0
        for lane in range(lanes):
            token = min(ngram[lane], self.limit) if lane < len(ngram) else fill
            key = key << self.bits | token
            if lane < len(ngram) and token == self.limit:
                return key << self.bits * (lanes - lane - 1)
        return key

    def search(self, sought: list[int], size: int, prefix: Callable[[int], list[int]]) -> tuple[int, int] | None:
        """Ranks of an n-gram among ``size`` suffixes whose first tokens ``prefix`` says; None if the tree leads elsewhere."""
        low_from, low_to, high_from, high_to = self.bounds(sought, size)
        low = bisect_left(range(size), sought, low_from, low_to, key=prefix)
        high = bisect_right(range(size), sought, max(low, high_from), max(low, high_to), key=prefix)
        # a damaged tree is noticed by the suffixes on the other side of the bounds that it gave
        misled = (
            (0 < low <= low_from and prefix(low - 1) >= sought)
            or (low_to <= low < size and prefix(low) < sought)
            or (0 < high <= high_from and prefix(high - 1) > sought)
            or (high_to <= high < size and prefix(high) <= sought)
        )
        return None if misled else (low, high)

    def _leaves_below(self, target: int) -> int:
        node = 0
        for start in self.levels[:-1].tolist():
            first = start + node * FANOUT
            node = node * FANOUT + int(np.searchsorted(self.keys[first : first + FANOUT], np.uint64(target)))
        return node


def level_offsets(size: int, spacing: int = SPACING) -> NDArray[np.int64]:
    """First key of each level of the search tree of ``size`` suffixes, from the root down, and the number of all keys."""
    sizes = [FANOUT * (-(-size // spacing) // FANOUT + 1)]
    while sizes[0] > FANOUT:
        sizes.insert(0, FANOUT * (sizes[0] // FANOUT // FANOUT + 1))
    return np.cumsum([0, *sizes])


def search_tree(keys: NDArray[np.uint64], size: int, vocabulary_size: int, spacing: int = SPACING) -> SearchTree:
    """The tree that the keys of a shard of ``size`` suffixes make; no keys, no tree."""
    levels = level_offsets(size, spacing) if len(keys) else np.zeros(1, np.int64)
    return SearchTree(keys, levels, spacing, max(vocabulary_size.bit_length(), 1), vocabulary_size)


def grow_search_tree(
    tokens: NDArray[Any],
    suffix_array: NDArray[np.uint32],
    vocabulary_size: int,
    spacing: int = SPACING,
    bits: int | None = None,
    *,
    compiled: bool = True,
) -> SearchTree:
    """Make the tree from sorted suffixes. O(tokens / spacing), about 1 ns a token; 3 ns where no code is to be ``compiled``.

    With ``bits``, tokens go into the keys as they are, that many bits each, separators and what follows them too.
    """
    size = len(suffix_array)
    tree = search_tree(np.full(level_offsets(size, spacing)[-1], PADDING), size, vocabulary_size, spacing)
    if bits is not None:
        tree = tree._replace(bits=bits, limit=1 << bits)
    keys, levels = tree.keys, tree.levels
    leaves = keys[levels[-2] :]
    if compiled:
        from suffixindex.kernels.search import pack_keys

        pack_keys(tokens, suffix_array, spacing, tree.bits, tree.limit, -(-size // spacing), leaves)
    else:
        leaves[: -(-size // spacing)] = _packed(tokens, suffix_array[::spacing], tree.bits, tree.limit)
    for level in range(len(levels) - 3, -1, -1):
        greatest = keys[levels[level + 1] : levels[level + 2]].reshape(-1, FANOUT)[:, -1]
        keys[levels[level] : levels[level] + len(greatest)] = greatest
    return tree


def _packed(tokens: NDArray[Any], positions: NDArray[np.uint32], bits: int, limit: int) -> NDArray[np.uint64]:
    """The packed first tokens of some suffixes, as ``pack_keys`` packs them."""
    keys = np.zeros(len(positions), np.uint64)
    ended = np.zeros(len(positions), bool)
    for lane in range(64 // bits):
        places = positions.astype(np.int64) + lane
        ended |= places >= len(tokens)
        token = np.minimum(tokens[np.minimum(places, len(tokens) - 1)].astype(np.uint64), np.uint64(limit))
        token[ended] = 0
        keys = keys << np.uint64(bits) | token
        ended |= token == limit
    return keys


def lookup_tables(
    tokens: NDArray[Any], suffix_array: NDArray[np.uint32], document_offsets: NDArray[np.uint64], vocabulary_size: int
) -> dict[str, NDArray[Any]]:
    """The tables that go with a shard's other arrays, by file name."""
    compiled = len(suffix_array) > FEW_TOKENS
    tree = grow_search_tree(tokens, suffix_array, vocabulary_size, compiled=compiled)
    return {SEARCH_TREE: tree.keys, DOCUMENT_BLOCKS: document_blocks(document_offsets)}


def document_blocks(document_offsets: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The document of every 128th position. O(positions / 128 × log documents)."""
    starts = np.arange(0, int(document_offsets[-1]), 1 << BLOCK_SHIFT, dtype=np.uint64)
    return (np.searchsorted(document_offsets, starts, side="right") - 1).astype(np.uint32)


def document_marks(document_offsets: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Where documents begin, by 32 positions: a bit for each, the first one's the lowest, then the number of documents before.

    ``uint32[2 * ceil(positions / 32)]``, read-only: 0.25 bytes a token, and 24 MiB meanwhile.
    """
    marks = np.zeros((-(-int(document_offsets[-1]) >> MARKS_SHIFT), 2), np.uint32)
    for first in range(0, len(document_offsets) - 1, MARKED):
        starts = np.asarray(document_offsets[first : min(first + MARKED, len(document_offsets) - 1)]).astype(np.int64)
        words = starts >> MARKS_SHIFT
        groups = np.flatnonzero(np.diff(words, prepend=-1))
        marks[words[groups], 0] += np.bitwise_or.reduceat(np.uint32(1) << (starts & 31).astype(np.uint32), groups)
    np.cumsum(np.bitwise_count(marks[:-1, 0]), dtype=np.uint32, out=marks[1:, 1])
    marks.flags.writeable = False  # as what is mapped, for which kernels are compiled
    return marks.ravel()
