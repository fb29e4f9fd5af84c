"""One shard: its read-only arrays, and what they answer. A shard knows no other shard."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.files import map_array
from suffixindex.format import DOCUMENT_OFFSETS, METADATA, METADATA_OFFSETS, SUFFIX_ARRAY, TOKEN_TYPES, ShardEntry
from suffixindex.ngrams import NgramBatch

BLOCK = 1 << 20  # ranks that one step of a long scan looks at
BULK = 256  # n-grams from which on compiled search over threads beats a loop of single ones

Interval = tuple[int, int]
"""Half-open ranks ``[low, high)`` of the suffixes that begin with an n-gram."""


class Shard:
    """Tokens, suffix array and documents of one shard, mapped when first used. Positions and documents count from 0 here."""

    def __init__(self, folder: Path, entry: ShardEntry, token_type: str) -> None:
        self.folder = folder
        self.length = entry.length
        self.num_documents = entry.num_documents
        self._token_type = token_type
        self._has_metadata = METADATA in entry.files

    @cached_property
    def tokens(self) -> NDArray[np.unsignedinteger[Any]]:
        return map_array(self.folder / f"tokens.{self._token_type}", TOKEN_TYPES[self._token_type])

    @cached_property
    def suffix_array(self) -> NDArray[np.uint32]:
        return map_array(self.folder / SUFFIX_ARRAY, "<u4")

    @cached_property
    def document_offsets(self) -> NDArray[np.uint64]:
        return map_array(self.folder / DOCUMENT_OFFSETS, "<u8")

    # ---- search --------------------------------------------------------------------------------------------------

    def interval(self, ngram: NDArray[np.unsignedinteger[Any]]) -> Interval:
        """Ranks of one n-gram, without compiled code, so that a fresh process answers at once. O(length log tokens)."""
        if not len(ngram):
            return self._all_tokens
        tokens, suffix_array, length, wanted = self.tokens, self.suffix_array, len(ngram), ngram.tolist()

        def prefix(rank: int) -> list[int]:
            position = int(suffix_array[rank])
            return tokens[position : position + length].tolist()  # type: ignore[no-any-return]

        ranks = range(self.length)
        low = bisect_left(ranks, wanted, key=prefix)
        return low, bisect_right(ranks, wanted, lo=low, key=prefix)

    def intervals(self, batch: NgramBatch, pool: Executor, blocks: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ranks ``(low, high)`` of many n-grams, ``blocks`` parts of the batch at a time."""
        low, high = np.empty(len(batch), np.int64), np.empty(len(batch), np.int64)
        if len(batch) < BULK:
            for query in range(len(batch)):
                low[query], high[query] = self.interval(batch.ngram(query))
            return low, high
        from suffixindex.kernels.search import find_intervals

        cuts = np.linspace(0, len(batch), blocks + 1).astype(np.int64)

        def search(block: int) -> None:
            arrays = (self.tokens, self.suffix_array, batch.ids, batch.offsets)
            find_intervals(*arrays, cuts[block], cuts[block + 1], low, high)

        list(pool.map(search, range(blocks)))
        empty = np.diff(batch.offsets) == 0
        low[empty], high[empty] = self._all_tokens
        return low, high

    @property
    def _all_tokens(self) -> Interval:
        """The empty n-gram: every token. The suffixes that begin with a separator, the largest id, are the last ones."""
        return 0, self.length - self.num_documents

    def next_tokens(self, interval: Interval, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(ids ascending, counts) of what follows the n-gram of ``length`` tokens at ``interval``. O(occurrences)."""
        # suffixes are sorted, so equal continuations lie together; runs are joined across blocks
        ids: list[NDArray[Any]] = []
        counts: list[NDArray[np.int64]] = []
        for positions in self._blocks(interval):
            following = self.tokens[positions + length]
            starts = np.flatnonzero(np.concatenate([[True], following[1:] != following[:-1]]))
            ids.append(following[starts])
            counts.append(np.diff(np.append(starts, len(following))))
        return merge_counts(ids, counts)

    # ---- documents -----------------------------------------------------------------------------------------------

    def positions(self, intervals: Sequence[Interval]) -> NDArray[np.int64]:
        """Ascending distinct positions at which any of several n-grams starts. O(occurrences log occurrences)."""
        found = np.concatenate([self.suffix_array[low:high] for low, high in intervals]).astype(np.int64)
        return np.unique(found) if len(intervals) > 1 else np.sort(found)

    def documents_at(self, positions: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """The document of each position."""
        return np.searchsorted(self.document_offsets, positions.astype(np.uint64), side="right") - 1

    def documents(self, intervals: Sequence[Interval]) -> NDArray[np.int64]:
        """Ascending distinct documents that hold any of several n-grams.

        O(occurrences log documents) time; memory for the documents or the occurrences, whichever are fewer.
        """
        everywhere = self._all_tokens in intervals
        if not everywhere and 8 * sum(high - low for low, high in intervals) < self.num_documents:
            return np.unique(self.documents_at(self.positions(intervals)))
        seen = np.diff(self.document_offsets) > 1 if everywhere else np.zeros(self.num_documents, bool)
        for interval in intervals:
            for positions in self._blocks(interval if interval != self._all_tokens else (0, 0)):
                seen[self.documents_at(positions)] = True
        return np.flatnonzero(seen)

    def documents_within(self, clauses: Sequence[Sequence[Interval]], window: int) -> NDArray[np.int64]:
        """Ascending documents where some occurrence of every clause starts within ``window`` tokens of the others.

        The leftmost of such occurrences starts a span of at most ``window``; so for each occurrence of any clause, the next
        occurrence of every clause from there on is looked up. O(occurrences log occurrences).
        """
        starts = [self.positions(clause) for clause in clauses]
        if any(not len(found) for found in starts):
            return np.empty(0, np.int64)
        candidates = np.unique(np.concatenate(starts))
        reach = np.minimum(candidates + window, self.document_offsets[self.documents_at(candidates) + 1].astype(np.int64) - 1)
        ok = np.ones(len(candidates), bool)
        for found in starts:
            following = np.searchsorted(found, candidates)
            ok &= following < len(found)
            ok &= found[np.minimum(following, len(found) - 1)] <= reach
        return np.unique(self.documents_at(candidates[ok]))

    def bounds(self, document: int) -> tuple[int, int]:
        """First position of a document, and that of its separator."""
        return int(self.document_offsets[document]), int(self.document_offsets[document + 1]) - 1

    def metadata(self, document: int) -> dict[str, Any]:
        """The document's line of metadata; empty if none is kept."""
        if not self._has_metadata:
            return {}
        start, stop = map_array(self.folder / METADATA_OFFSETS, "<u8")[document : document + 2]
        with open(self.folder / METADATA, "rb") as file:
            file.seek(int(start))
            return dict(json.loads(file.read(int(stop - start))))

    def _blocks(self, interval: Interval) -> Iterator[NDArray[np.int64]]:
        low, high = interval
        for start in range(low, high, BLOCK):
            yield self.suffix_array[start : min(start + BLOCK, high)].astype(np.int64)


def merge_counts(ids: Sequence[NDArray[Any]], counts: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add up sparse counts: ascending distinct ids and their sums."""
    if not ids:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    distinct, place = np.unique(np.concatenate(ids).astype(np.int64), return_inverse=True)
    sums = np.zeros(len(distinct), np.int64)
    np.add.at(sums, place, np.concatenate(counts))
    return distinct, sums
