"""Make a token array ready for the suffix sort: dense ranks and their prefix code."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels.jit import is_ready
from suffixindex.kernels.sort import codes as sort_codes
from suffixindex.kernels.sort.codes import END_PADDING
from suffixindex.kernels.sort.ties import Lanes
from suffixindex.system.parallel import Ranges, Workers

NO_SEPARATOR = -1
TABLE_IDS = 1 << 16
"""Ids that a rank table may always cover; above, only as many as there are tokens."""
MAX_BUCKET_BITS = 20
"""The code table has about 2**20 entries at most, 8 MiB: of a larger vocabulary, ranks next to each other share one."""
RANK_TYPES = (np.uint8, np.uint16, np.uint32)


class RankedText(NamedTuple):
    """A token array made dense, with an order-preserving prefix code of its ranks.

    Rank 0 is the end of the text, the ordinary ids follow in their order, the separator has the largest rank. Reading
    stays on a separator once it is there: a suffix reads as its tokens up to its first separator and then as
    separators for ever. So two suffixes that are equal through their separator are equal, and stay in the order of
    their positions.
    """

    ranks: NDArray[np.unsignedinteger[Any]]  # of length n + END_PADDING
    separator: int  # its rank, even where it does not occur
    counts: NDArray[np.int64]  # of rank >> bucket_bits
    codes: NDArray[np.uint64]  # of rank >> bucket_bits: the codeword, the turn (see sort_induce), the length of a rank's code
    bucket_bits: int  # the low bits of a rank, which follow the codeword of its bucket as they are

    @property
    def coded(self) -> tuple[NDArray[np.unsignedinteger[Any]], NDArray[np.uint64], int]:
        """What kernels need that read codes."""
        return self.ranks, self.codes, self.bucket_bits

    @property
    def lanes(self) -> Lanes:
        """How the ranks lie in a word of their memory."""
        bits = 8 * self.ranks.itemsize
        ones = sum(1 << lane for lane in range(0, 64, bits))
        return Lanes(
            shift=self.ranks.itemsize.bit_length() - 1,
            bits=np.uint64(bits),
            separators=np.uint64(ones * self.separator),
            tops=np.uint64(ones << (bits - 1)),
            lows=np.uint64(ones * ((1 << (bits - 1)) - 1)),
        )


def rank_text(tokens: NDArray[np.unsignedinteger[Any]], separator: int | None, workers: Workers) -> RankedText:
    """Rank the ids of ``tokens`` and give the ranks a prefix code.

    Ranks are dense where a table of all ids up to the largest is no longer than the text (or 65,536), else an id plus 1.

    Raises
    ------
    ValueError
        An id is larger than the separator.
    """
    size = len(tokens)
    blocks = workers.blocks(size)
    stop = NO_SEPARATOR if separator is None else int(separator)
    largest = max(workers.run(lambda lo, hi: int(sort_codes.largest_token(tokens, lo, hi, stop)), blocks))
    if stop != NO_SEPARATOR and largest > stop:
        raise ValueError(f"the separator {stop} is smaller than the id {largest}: it must be the largest id")
    rank_of: NDArray[np.integer[Any]] | None = None
    top = largest + 1  # the largest rank of an ordinary id
    if largest < max(TABLE_IDS, size):
        present = np.zeros(largest + 1, np.uint8)
        workers.run(lambda lo, hi: sort_codes.mark_tokens(tokens, lo, hi, stop, present), blocks)
        rank_of = np.cumsum(present, dtype=np.uint32)
        top = int(rank_of[-1]) if largest >= 0 else 0
    bucket_bits = max(0, top.bit_length() - min(size.bit_length() + 1, MAX_BUCKET_BITS))
    separator_rank = ((top >> bucket_bits) + 1) << bucket_bits  # in a bucket of its own
    if separator_rank.bit_length() > 32:
        ids = np.unique(tokens)  # no room for the end of the text: make the ids dense, slowly; no tokenizer has such
        ids = ids[ids != stop]
        dense = np.searchsorted(ids, tokens).astype(np.uint32)  # a separator, larger than all, becomes len(ids)
        return rank_text(dense, len(ids), workers)
    ranks: NDArray[np.unsignedinteger[Any]] = np.empty(size + END_PADDING, _rank_type(separator_rank))
    ranks[size:] = 0
    if rank_of is not None:
        workers.run(lambda lo, hi: sort_codes.rank_by_table(tokens, lo, hi, stop, separator_rank, rank_of, ranks), blocks)
    else:
        workers.run(lambda lo, hi: sort_codes.rank_by_id(tokens, lo, hi, stop, separator_rank, ranks), blocks)
    counts = _bucket_counts(ranks, blocks, separator_rank, bucket_bits, workers)
    return RankedText(ranks, separator_rank, counts, _codes(counts, bucket_bits), bucket_bits)


def _rank_type(largest: int) -> type[np.unsignedinteger[Any]]:
    return next(dtype for dtype in RANK_TYPES if largest <= np.iinfo(dtype).max)


def is_ready_for(tokens: NDArray[np.unsignedinteger[Any]], separator: int | None, kernel: Any) -> bool:
    """Whether a kernel that takes ranks first is compiled for the ranks that these tokens get. O(tokens log tokens)."""
    kinds = len(np.unique(tokens)) + (separator is not None)
    return is_ready(kernel, np.empty(0, _rank_type(kinds)))


def _bucket_counts(
    ranks: NDArray[np.unsignedinteger[Any]], blocks: Ranges, separator_rank: int, bucket_bits: int, workers: Workers
) -> NDArray[np.int64]:
    counts = np.zeros((len(blocks), (separator_rank >> bucket_bits) + 1), np.int64)
    workers.run(lambda block, bounds: sort_codes.count_buckets(ranks, *bounds, bucket_bits, counts[block]), enumerate(blocks))
    return np.asarray(counts.sum(axis=0))


def _codes(counts: NDArray[np.int64], bucket_bits: int) -> NDArray[np.uint64]:
    """The code of each bucket of ranks, by how often it occurs."""
    codes = np.empty(len(counts), np.uint64)
    sort_codes.alphabetic_code(np.append(0, np.cumsum(np.maximum(counts, 1))), bucket_bits, codes)
    codes[-1] = sort_codes.SEPARATOR_CODE
    return codes
