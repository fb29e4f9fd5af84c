"""Questions about some documents only: the suffixes that start in these, in the order of all, answer as a shard does.

An n-gram's ranks are filtered by a mask of documents. What is left stands in a suffix array of its own, on which every
query runs as it does on the whole one.
"""

from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.storage.shard import FEW, LOOK, Shard
from suffixindex.system.parallel import in_pieces
from suffixindex.system.patience import few_enough


def count_kept(
    shard: Shard, low: NDArray[np.int64], high: NDArray[np.int64], mask: NDArray[np.bool_], pool: Executor, threads: int
) -> NDArray[np.int64]:
    """Of the ranks ``[low[q], high[q])``, those that lie in documents of ``mask``: ``int64[len(low)]``.

    2.5 ns an occurrence on one core; a few are counted without compiled code.
    """
    low, high, of_each = distinct_intervals(low, high)
    counts = np.zeros(len(low), np.int64)
    if few_enough(int((high - low).sum()), FEW, LOOK):
        for query in np.flatnonzero(high > low).tolist():
            counts[query] = len(_kept(shard, low[query], high[query], mask))
        return counts[of_each]
    from suffixindex.kernels.occurrences import count_kept

    def count(first: int, last: int) -> None:
        shard.run(count_kept, shard.postings, low, high, first, last, mask, counts)

    in_pieces(count, high - low, pool, threads)
    return counts[of_each]


def restrict(
    shard: Shard, low: NDArray[np.int64], high: NDArray[np.int64], mask: NDArray[np.bool_], pool: Executor, threads: int
) -> tuple[Shard, NDArray[np.int64], NDArray[np.int64]]:
    """A shard of the occurrences in documents of ``mask``, and the ranks of each n-gram there.

    4 ns an occurrence on one core, and at most 4 bytes, or 8 in a shard of more than 2**32 tokens.
    """
    low, high, of_each = distinct_intervals(low, high)
    ends = np.cumsum(high - low)
    starts = ends - (high - low)
    kept = np.empty(int((high - low).sum()), shard.position_type)
    if few_enough(len(kept), FEW, LOOK):
        for query in np.flatnonzero(high > low).tolist():
            positions = _kept(shard, low[query], high[query], mask)
            ends[query] = starts[query] + len(positions)
            kept[starts[query] : ends[query]] = positions
    else:
        from suffixindex.kernels.occurrences import keep

        def fill(first: int, last: int) -> None:
            shard.run(keep, shard.postings, low, high, first, last, mask, starts, ends, kept)

        in_pieces(fill, high - low, pool, threads)
    kept.flags.writeable = False  # as a mapped suffix array, for which the kernels are compiled
    return shard.over(kept), starts[of_each], ends[of_each]


def distinct_intervals(
    low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Each of the intervals ``[low[q], high[q])`` once, and which of them is the one of q: equal n-grams are looked at together."""
    of_each = np.zeros(len(low), np.int64)
    if len(low) < 2:
        return low, high, of_each
    order = np.lexsort((high, low))
    lows, highs = low[order], high[order]
    new = np.append(True, (lows[1:] != lows[:-1]) | (highs[1:] != highs[:-1]))
    of_each[order] = np.cumsum(new) - 1
    return lows[new], highs[new], of_each


def _kept(shard: Shard, low: int, high: int, mask: NDArray[np.bool_]) -> NDArray[np.integer[Any]]:
    positions = shard.positions_at(low, high)
    return positions[mask[shard.documents_at(positions)]]
