"""Small tables that lead to other addresses, checked whole when they are first mapped: vectorised, one pass over each.

Kernels read what these say without a further look. Suffix arrays, which are large, are checked entry by entry as they are
read (:mod:`suffixindex.kernels.guarded`); search trees are checked by the searches that they lead.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import FormatError
from suffixindex.kernels import BLOCK_SHIFT, FANOUT
from suffixindex.storage.tables import PADDING, SearchTree

REMEDY = "run suffixindex verify --full to see what else is damaged, then restore the file or build again"
CHECKED = 1 << 20  # entries that are compared at a time


def check_ascending(path: Path, offsets: Any, parts: int, length: int, what: str) -> None:
    """Offsets divide something of ``length`` into so many parts, none of them empty: ``parts + 1`` entries from 0 on.

    Raises
    ------
    FormatError
    """
    size = len(offsets)
    if size != parts + 1 or int(offsets[0]) != 0 or int(offsets[size - 1]) != length:
        raise FormatError(
            f"{path} does not divide {length:,} {what}: expected {parts + 1:,} entries from 0 to {length:,}; {REMEDY}"
        )
    for start in range(0, parts, CHECKED):
        part = np.asarray(offsets[start : min(start + CHECKED, parts) + 1])
        bad = np.flatnonzero(part[1:] <= part[:-1])
        if len(bad):
            entry = start + int(bad[0])
            raise FormatError(
                f"{path} does not divide {length:,} {what}: entry {entry + 1:,} is {int(part[bad[0] + 1]):,} after "
                f"{int(part[bad[0]]):,}; {REMEDY}"
            )


def check_blocks(path: Path, blocks: NDArray[np.uint32], offsets: Any) -> None:
    """Every entry is the document of its position; ``offsets`` have been checked.

    Raises
    ------
    FormatError
    """
    length, documents = int(offsets[len(offsets) - 1]), len(offsets) - 1
    expected = -(-length >> BLOCK_SHIFT)
    if len(blocks) != expected:
        raise FormatError(f"{path} has {len(blocks):,} entries, expected {expected:,}; {REMEDY}")
    for start in range(0, len(blocks), CHECKED):
        part = blocks[start : start + CHECKED].astype(np.int64)
        inside = np.minimum(part, documents - 1)
        positions = np.arange(start, start + len(part)) << BLOCK_SHIFT
        first, stop = np.asarray(offsets[inside]).astype(np.int64), np.asarray(offsets[inside + 1]).astype(np.int64)
        bad = np.flatnonzero((part >= documents) | (first > positions) | (positions >= stop))
        if len(bad):
            entry = start + int(bad[0])
            raise FormatError(f"{path}: entry {entry:,} is {int(part[bad[0]]):,}, not the document of its position; {REMEDY}")


def check_tree(path: Path, tree: SearchTree) -> None:
    """No descent leaves the tree: it has the keys that its levels need, and none leads past the last node of the level below.

    Raises
    ------
    FormatError
    """
    if len(tree.keys) != tree.levels[-1]:
        raise FormatError(f"{path} has {len(tree.keys):,} keys, expected {tree.levels[-1]:,}; {REMEDY}")
    below = 0  # nodes of the level below that a search may reach, each with a key here: the last one's is the greatest
    for start, stop in reversed([*pairwise(tree.levels.tolist())]):
        below = below or stop - start
        if (tree.keys[start + below - 1 : stop] != PADDING).any():
            raise FormatError(f"{path}: a level does not end with the greatest key; {REMEDY}")
        below = -(-below // FANOUT)


def damage_of(suffix_array: Any, num_tokens: int, vocabulary_size: int) -> str:
    """What is wrong with a suffix array with which something is: an entry that is no position, else the order. O(tokens)."""
    for start in range(0, len(suffix_array), CHECKED):
        bad = np.flatnonzero(suffix_array[start : start + CHECKED] >= num_tokens)
        if len(bad):
            rank = start + int(bad[0])
            return f"entry {rank:,} is {int(suffix_array[rank]):,}, and there are {num_tokens:,} tokens"
    return f"its order, or the search tree's, is not that of the tokens, or an id is outside the vocabulary of {vocabulary_size:,}"


def check_permutation(path: Path, order: NDArray[np.unsignedinteger[Any]]) -> None:
    """Every number below its length is there once.

    Raises
    ------
    FormatError
    """
    size = len(order)
    met = np.zeros(size, bool)
    for start in range(0, size, CHECKED):
        part = order[start : start + CHECKED]
        if (part >= size).any():
            raise FormatError(f"{path}: entry {start + int(np.argmax(part >= size)):,} is none of {size:,} numbers; {REMEDY}")
        met[part] = True
    if not met.all():
        raise FormatError(f"{path}: {int(np.argmin(met)):,} is missing; {REMEDY}")
