"""Suffix arrays of token arrays.

About half of the suffixes are sorted, the others derived from them. The sort works in five steps, each a file of
kernels; the middle ones hand on a suffix array and the marks of its tied ranks:

1. ``sort_codes``: every suffix to sort gets the bits of an order-preserving prefix code, which scatter it into a partition;
2. ``sort_partitions``: a radix sort orders each partition by the rest of the code bits;
3. ``sort_ties``: suffixes with equal codes are told apart by words of their text, down to 64 tokens;
4. ``sort_cover``: those that share 64 tokens are ordered by a difference cover, in O(n log n) whatever the text;
5. ``sort_induce``: every other suffix is placed by a scan of those one token on.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels.jit import is_ready
from suffixindex.kernels.sort import codes as sort_codes
from suffixindex.kernels.sort import cover as sort_cover
from suffixindex.kernels.sort import partitions as sort_partitions
from suffixindex.kernels.sort import ties as sort_ties
from suffixindex.suffix_sort.checked import check_out, checked_tokens
from suffixindex.suffix_sort.induce import induce, plan_induction
from suffixindex.suffix_sort.text import RankedText, is_ready_for, rank_text
from suffixindex.system.memory import cpu_count
from suffixindex.system.parallel import Ranges, Workers


@dataclass(frozen=True)
class SortConfig:
    """Sizes that the suffix sort works with; tests shrink them, so that small inputs take every path."""

    thread_tokens: int = 1 << 16
    """Tokens that are worth a thread."""
    partition_size: int = 1 << 16
    """Suffixes in a partition on average: 512 KiB of records."""
    max_partition_bits: int = 16
    max_partition_size: int = 1 << 22
    """A partition larger than this gets no records and is sorted in place."""
    max_key_bits: int = sort_partitions.MAX_KEY_BITS
    units_per_thread: int = 16
    """Pieces of work a thread gets, so that threads end together."""
    block: int = 1 << 12
    """Ranks whose ties are refined together: their text takes half of a 512 KiB L2 cache."""
    rounds: int | None = None
    """Passes over the text, each for a part of the partitions, were all suffixes sorted; None: 3 or 4, and 1 for a small text."""
    groups: int = 64
    """Groups of tokens for the induction."""
    tokens_per_pair: float = 16
    """Tokens to each pair of a token and a group: a large vocabulary gets fewer groups, or no induction."""
    scan: int = 1 << 20
    """Suffixes that a thread scans at a time to derive others."""


DEFAULT_CONFIG = SortConfig()
ONE_ROUND_TOKENS = 1 << 22
CODED, TOLD_APART, ORDERED = 0.1, 0.75, 0.9
"""Shares of the time on natural text after which the text is coded, what is tied shares 64 tokens, nothing is tied."""


class Partitions(NamedTuple):
    """Where the partitions of the coded suffixes lie in the suffix array."""

    bits: int
    key_bits: int  # code bits after the partition's that are sorted
    offsets: NDArray[np.int64]  # ranks, one more than partitions
    ends: NDArray[np.int64]  # by block of the text and partition: the rank where the block's share of it ends

    def size(self, first: int, last: int) -> int:
        return int(self.offsets[last] - self.offsets[first])


def suffix_array(
    tokens: NDArray[np.unsignedinteger[Any]],
    *,
    separator: int | None = None,
    threads: int | None = None,
    out: NDArray[np.uint32] | None = None,
    progress: Callable[[float], None] | None = None,
    config: SortConfig = DEFAULT_CONFIG,
) -> NDArray[np.uint32]:
    """Return the positions of all suffixes of ``tokens`` in their order.

    Suffixes compare by the numbers of their ids; one that ends sorts before any that goes on. With a ``separator``,
    comparison stops at it: suffixes that are equal through their first separator stand in the order of their
    positions.

    Parameters
    ----------
    tokens
        One-dimensional, uint8, uint16 or uint32, at most 2**32 - 2 long; a read-only memmap will do.
    separator
        An id that no other id exceeds.
    threads
        Threads to sort with, by default one for each core that the process may use. The result does not depend on it.
    out
        Array to fill instead of a new one; a memmap is written all over, so its pages should fit the memory.
    progress
        Called on this thread, now and then, with the share of the work that is done.

    Raises
    ------
    TypeError
        ``tokens`` or ``out`` has another dtype.
    ValueError
        An id exceeds the separator, there are too many tokens, or ``out`` has another shape.

    Notes
    -----
    O(n log n) time for any text, about 30 ns a token of natural text on two cores, and at most
    10 bytes a token (11.5 of u32 ids). Two-stage sorting (Itoh and Tanaka, 1999) leaves half of the suffixes to
    sort; the text is coded by an alphabetic code (Gilbert and Moore, 1959), what stays tied is ordered by a difference
    cover (Burkhardt and Kärkkäinen, 2003).

    Examples
    --------
    >>> suffix_array(np.array([2, 1, 2, 1], np.uint16)).tolist()
    [3, 1, 2, 0]
    >>> suffix_array(np.array([2, 1, 9, 2, 1, 9], np.uint16), separator=9).tolist()
    [1, 4, 0, 3, 2, 5]
    """
    tokens = checked_tokens(tokens)
    size = len(tokens)
    if out is None:
        out = np.empty(size, np.uint32)
    else:
        check_out(out, size)
    if size == 0:
        return out
    ranks = out.view(np.ndarray)  # a memmap is another type to Numba
    threads = min(threads or cpu_count(), 1 + size // config.thread_tokens)
    with ThreadPoolExecutor(threads) as pool:
        workers = Workers(pool, threads, progress) if progress else Workers(pool, threads)
        text = rank_text(tokens, separator, workers)
        groups = min(config.groups, int(size / (config.tokens_per_pair * (text.separator + 1))))
        induction = plan_induction(text, size, groups, workers)
        listed = ranks[size - induction.sorted_suffixes :] if induction else ranks
        tied = np.empty(len(listed), np.uint8)
        if _sort_by_depth(text, size, listed, tied, workers, config):
            _sort_by_cover(size, listed, tied, workers, config)
        del tied
        if induction:
            workers.progress(ORDERED)
            induce(text, induction, ranks, workers, config.scan)
        workers.progress(1.0)
    return out


def is_compiled(tokens: NDArray[np.unsignedinteger[Any]], separator: int | None) -> bool:
    """Whether these tokens are sorted without compiling for a minute first. O(tokens log tokens)."""
    refined = is_ready(sort_ties.refine_ties, np.empty(0, np.uint8))
    return refined and is_ready_for(tokens, separator, sort_codes.scatter_records)


class _Sort(NamedTuple):
    """What the steps up to the difference cover share."""

    text: RankedText
    partitions: Partitions
    blocks: Ranges  # of the text, one a thread
    suffix_array: NDArray[np.uint32]
    tied: NDArray[np.uint8]
    workers: Workers
    config: SortConfig

    def refine(self, first: int, last: int) -> int:
        """Tell the ties of the partitions ``[first, last)`` apart; returns how many stay."""
        lo, hi = self.partitions.offsets[[first, last]].tolist()
        lanes, block = self.text.lanes, self.config.block
        space = np.empty(block, np.uint64), np.empty(block, np.uint32), np.empty((block // 2 + sort_ties.SPLITS, 3), np.int64)
        text, depth = self.text.ranks.view(np.uint8), sort_cover.MODULUS << lanes.shift
        return int(sort_ties.refine_ties(text, lanes, depth, lo, hi, self.suffix_array, self.tied, *space))


def _sort_by_depth(
    text: RankedText, size: int, suffix_array: NDArray[np.uint32], tied: NDArray[np.uint8], workers: Workers, config: SortConfig
) -> int:
    """Sort the suffixes that are sorted by their first 64 tokens at least; returns how many stay tied with another."""
    blocks = workers.blocks(size)
    partitions = _count_partitions(text, size, len(suffix_array), blocks, workers, config)
    sort = _Sort(text, partitions, blocks, suffix_array, tied, workers, config)
    large = np.flatnonzero(np.diff(partitions.offsets) > config.max_partition_size).tolist()
    listed = len(suffix_array)
    rounds = config.rounds or (1 if size <= ONE_ROUND_TOKENS else 3 if text.ranks.itemsize < 4 else 4)
    room = -(-size // rounds) + (size - listed) // 2  # the part of the suffix array that is derived is no memory yet
    between = zip([0, *(k + 1 for k in large)], [*large, 1 << partitions.bits], strict=True)
    pieces = [piece for first, last in between for piece in _cut(partitions, first, last, -(-listed // -(-listed // room)))]
    return _sort_in_rounds(sort, pieces) + _sort_in_place(sort, large)


def _sort_in_rounds(sort: _Sort, pieces: Ranges) -> int:
    """Scatter, sort and refine one piece of the partitions after the other: only its records are in memory."""
    text, partitions, workers = sort.text, sort.partitions, sort.workers
    records = np.empty(max((partitions.size(*piece) for piece in pieces), default=0), np.uint64)
    left = done = 0
    for first, last in pieces:
        base = int(partitions.offsets[first])
        share = partitions.size(first, last) // (workers.threads * sort.config.units_per_thread) + 1

        def scatter(block: int, bounds: tuple[int, int], first: int = first, last: int = last, base: int = base) -> None:
            cursors = partitions.ends[block] - base
            sort_codes.scatter_records(*text.coded, *bounds, partitions.bits, partitions.key_bits, first, last, cursors, records)

        def sort_unit(lo: int, hi: int, base: int = base) -> int:
            unit = records[partitions.offsets[lo] - base : partitions.offsets[hi] - base]
            spare = np.empty(np.diff(partitions.offsets[lo : hi + 1]).max(), np.uint64)
            space = spare, np.empty((sort_partitions.PASSES, 1 << -(-partitions.key_bits // sort_partitions.PASSES)), np.uint32)
            sort_partitions.sort_partitions(
                partitions.offsets, lo, hi, unit, *space, partitions.key_bits, sort.suffix_array, sort.tied
            )
            return sort.refine(lo, hi)

        workers.run(scatter, enumerate(sort.blocks))
        units = _cut(partitions, first, last, share)
        for unit, more in zip(units, workers.stream(sort_unit, units), strict=True):
            left += more
            done += partitions.size(*unit)
            workers.progress(CODED + (TOLD_APART - CODED) * done / len(sort.suffix_array))
    return left


def _sort_in_place(sort: _Sort, large: Sequence[int]) -> int:
    """Sort the partitions that are too large for records: one group each, split in place.

    Texts have them that repeat a few tokens over and over: an ordinary corpus has none.
    """
    text, partitions, workers = sort.text, sort.partitions, sort.workers

    def collect(block: int, bounds: tuple[int, int]) -> None:
        for partition in large:
            end = int(partitions.ends[block, partition])
            sort_codes.collect_partition(*text.coded, *bounds, partitions.bits, partition, end, sort.suffix_array)

    def refine(partition: int) -> int:
        lo, hi = partitions.offsets[[partition, partition + 1]].tolist()
        sort.tied[lo:hi] = 1
        sort.tied[lo] = 0
        return sort.refine(partition, partition + 1)

    workers.run(collect, enumerate(sort.blocks))
    return sum(workers.run(refine, ((partition,) for partition in large)))


def _count_partitions(text: RankedText, size: int, listed: int, blocks: Ranges, workers: Workers, config: SortConfig) -> Partitions:
    """Choose how many partitions there are, and count their suffixes in each block of the text."""
    bits = min(max(1, (listed // config.partition_size).bit_length()), config.max_partition_bits)
    key_bits = min(config.max_key_bits, 64 - (size - 1).bit_length(), sort_codes.CODE_BITS - bits)
    counts = np.zeros((len(blocks), 1 << bits), np.uint32)
    workers.run(lambda block, bounds: sort_codes.count_partitions(*text.coded, *bounds, bits, counts[block]), enumerate(blocks))
    offsets = np.zeros(counts.shape[1] + 1, np.int64)
    np.cumsum(counts.sum(axis=0, dtype=np.int64), out=offsets[1:])
    return Partitions(bits, key_bits, offsets, offsets[:-1] + np.cumsum(counts, axis=0, dtype=np.int64))


def _cut(partitions: Partitions, first: int, last: int, size: int) -> Ranges:
    """Cut the partitions ``[first, last)`` into pieces of about ``size`` suffixes."""
    lo, hi = partitions.offsets[[first, last]].tolist()
    inner = np.searchsorted(partitions.offsets[first:last], np.arange(lo + size, hi, size)) + first
    return _pieces([first, *inner.tolist(), last])


def _pieces(edges: Sequence[int]) -> Ranges:
    """The intervals between distinct, ascending edges."""
    distinct = sorted(set(edges))
    return list(pairwise(distinct))


def _sort_by_cover(
    size: int, suffix_array: NDArray[np.uint32], tied: NDArray[np.uint8], workers: Workers, config: SortConfig
) -> None:
    """Order the suffixes that stay tied, by the ranks of those at cover positions."""
    workers.progress(TOLD_APART)
    listed = len(suffix_array)
    count = workers.threads * config.units_per_thread
    units = _pieces([0, *(int(sort_cover.next_head(tied, listed * k // count)) for k in range(1, count)), listed])
    sample_ranks = np.empty((size // sort_cover.MODULUS + 2) * sort_cover.COVER_SIZE, np.uint32)
    sample_ranks[:] = 0
    workers.run(lambda lo, hi: sort_cover.rank_sample(suffix_array, tied, lo, hi, sample_ranks), units)

    def tied_sample(lo: int, hi: int) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
        sample, starts = np.empty(hi - lo, np.uint32), np.empty(hi - lo, np.uint8)
        kept = sort_cover.tied_sample(suffix_array, tied, lo, hi, sample, starts)
        return sample[:kept].copy(), starts[:kept].copy()

    def half(size: int) -> NDArray[np.uint32]:
        return np.empty(size // 2 + 1, np.uint32)

    samples = workers.run(tied_sample, units)
    shift = sort_cover.MODULUS
    while samples:
        workers.run(
            lambda sample, starts, shift=shift: sort_cover.sort_sample(sample, starts, shift, sample_ranks, half(len(sample))),
            samples,
        )
        kept = workers.run(lambda sample, starts: int(sort_cover.update_sample(sample, starts, sample_ranks)), samples)
        samples = [(sample[:k], starts[:k]) for (sample, starts), k in zip(samples, kept, strict=True) if k]
        shift *= 2
    workers.run(lambda lo, hi: sort_cover.sort_tied(suffix_array, tied, lo, hi, sample_ranks, half(hi - lo)), units)
