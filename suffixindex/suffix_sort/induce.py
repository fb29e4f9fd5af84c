"""Choose which suffixes are sorted and which are derived from them, and derive those.

Of natural text, 45 % of the suffixes must be sorted with 64 groups of tokens (42 % with 256), 53 % with those of the
difference cover. One that is derived costs 7 ns, a read and a write of memory; one that is sorted about 80.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels.sort import codes as sort_codes
from suffixindex.kernels.sort import induce as sort_induce
from suffixindex.suffix_sort.text import RankedText
from suffixindex.system.parallel import Workers

MAX_GROUPS = 254
"""Turns are numbers of 8 bits; the end of the text and the separator have the first, each in a group of its own."""


class Induction(NamedTuple):
    """Pairs of a token's rank and the group of the next, and when each is derived."""

    edges: NDArray[np.int64]  # the first rank of each group, and one past the last
    group_turns: NDArray[np.uint8]
    turns: NDArray[np.uint8]  # of each rank
    starts: NDArray[np.uint32]  # by group and rank: the first rank in the suffix array of the pair
    listed: NDArray[np.uint32]  # by group and rank: how many suffixes of the pair are sorted

    @property
    def sorted_suffixes(self) -> int:
        return int(self.listed.sum(dtype=np.int64))


def plan_induction(text: RankedText, size: int, groups: int, workers: Workers) -> Induction | None:
    """Cut the ranks of tokens into at most ``groups`` groups and choose their turns; None if there are less than two.

    The turns also go into the code table.
    """
    num_ranks = text.separator + 1
    if min(groups, num_ranks - 2) < 2 or text.bucket_bits:
        return None
    edges = _balanced_edges(text.counts, min(groups, MAX_GROUPS))
    group_of = np.repeat(np.arange(len(edges) - 1, dtype=np.uint8), np.diff(edges))
    shape = len(edges) - 1, num_ranks
    blocks = workers.blocks(size)

    def count(kernel: Callable[..., None]) -> NDArray[np.uint32]:
        tables = np.zeros((len(blocks), *shape), np.uint32)
        workers.run(lambda block, bounds: kernel(text.ranks, *bounds, group_of, tables[block]), enumerate(blocks))
        return np.asarray(tables.sum(axis=0, dtype=np.uint32))

    pairs = count(sort_induce.count_pairs)
    weights = np.add.reduceat(pairs, edges[:-1], axis=1, dtype=np.int64).T[1:-1, 1:-1]
    order = np.argsort(weights.sum(axis=1) - weights.sum(axis=0), kind="stable")
    sort_induce.order_groups(np.ascontiguousarray(weights), order)
    group_turns = np.zeros(shape[0], np.uint8)
    group_turns[1 + order] = np.arange(1, len(order) + 1)
    turns = group_turns[group_of]
    text.codes[:] |= turns.astype(np.uint64) << np.uint64(sort_codes.TURN_SHIFT)
    derived = turns > group_turns[:, None]
    listed = np.where(derived, count(sort_induce.count_covered_pairs), pairs)
    ends = np.cumsum(pairs.T, dtype=np.uint32).reshape(num_ranks, shape[0]).T
    return Induction(edges, group_turns, turns, np.ascontiguousarray(ends - pairs), listed)


def _balanced_edges(counts: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    """Edges of a group for the end of the text, ``groups`` at most of about equal weight, and one for the separator."""
    below = np.cumsum(counts[1:-1])
    inner = 1 + np.searchsorted(below, below[-1] * np.arange(1, groups) // groups)
    return np.unique(np.r_[0, 1, inner, len(counts) - 1, len(counts)])


def induce(text: RankedText, induction: Induction, suffix_array: NDArray[np.uint32], workers: Workers, chunk: int) -> None:
    """Fill the suffix array, the sorted suffixes standing at its end; a thread scans ``chunk`` suffixes at a time."""
    edges, group_turns, turns, starts, listed = induction
    size = len(suffix_array)
    sort_induce.spread_sorted(listed, starts, turns, group_turns, suffix_array, size - induction.sorted_suffixes)
    last = int(text.ranks[size - 1])
    if turns[last] > 0:
        suffix_array[starts[0, last]] = size - 1  # derived from the end of the text, which has no rank
    scan = _Scan(text, turns, suffix_array, workers, chunk)
    bounds = np.append(starts[0, edges[:-1]], size).tolist()
    for group in np.argsort(group_turns, kind="stable")[1:-1].tolist():  # from the separator's on; the last derives nothing
        cursors = starts[group]
        for lo in range(bounds[group], bounds[group + 1], workers.threads * chunk):
            hi = min(lo + workers.threads * chunk, bounds[group + 1])
            cursors = scan.derive(lo, hi, int(group_turns[group]), cursors)


class _Scan:
    """Working arrays to scan pieces of the suffix array with."""

    def __init__(
        self, text: RankedText, turns: NDArray[np.uint8], suffix_array: NDArray[np.uint32], workers: Workers, chunk: int
    ) -> None:
        self.text, self.turns, self.suffix_array, self.workers = text, turns, suffix_array, workers
        shape = workers.threads, min(chunk, len(suffix_array))
        self.counts = np.empty((workers.threads, len(turns)), np.uint32)
        self.positions = np.empty(shape, np.uint32)
        self.firsts = np.empty(shape, text.ranks.dtype)

    def derive(self, lo: int, hi: int, turn: int, cursors: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Place the suffixes one token before those of the ranks ``[lo, hi)``; returns where the next ones go."""
        self.counts[:] = 0

        def list_preceding(block: int, bounds: tuple[int, int]) -> int:
            work = self.suffix_array[lo:hi], self.positions[block], self.firsts[block], self.counts[block]
            return int(sort_induce.list_preceding(self.text.ranks, *bounds, turn, self.turns, *work))

        taken = self.workers.run(list_preceding, enumerate(self.workers.blocks(hi - lo)))
        ends = cursors + np.cumsum(self.counts, axis=0, dtype=np.uint32)
        begins = ends - self.counts

        def place_preceding(block: int, taken: int) -> None:
            sort_induce.place_preceding(taken, self.positions[block], self.firsts[block], begins[block], self.suffix_array)

        self.workers.run(place_preceding, enumerate(taken))
        return np.asarray(ends[-1])
