"""Shards whose documents lie reversed, as infini-gram's version 5 makes them."""

from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.foreign.shard import StoredShard
from suffixindex.ngrams import NgramBatch
from suffixindex.storage.matches import LongestMatches, ShardMatches, Texts
from suffixindex.storage.shard import Interval
from suffixindex.storage.sparse import merge_counts

SCANNED = 1 << 22  # occurrences whose neighbours are read at a time


class MirroredShard(StoredShard):
    """A shard whose documents lie reversed: n-grams are searched from the last token, and what follows stands before.

    Positions in the arrays are those of the file, where a document begins with its separator; those that are answered count
    from its first token, and its separator comes last.
    """

    mirrored = True

    def as_stored(self, ngram: NDArray[np.int64]) -> NDArray[np.int64]:
        return ngram[::-1]

    def _stored_batch(self, batch: NgramBatch) -> NgramBatch:
        size = len(batch.ids)
        return NgramBatch(np.ascontiguousarray(batch.ids[::-1]), size - batch.stops, size - batch.starts)

    def as_text(self, rows: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.unsignedinteger[Any]]:
        return rows[:, ::-1]

    def copy_stretches(
        self, starts: NDArray[np.int64], stops: NDArray[np.int64], separator: int, targets: NDArray[np.int64], out: NDArray[Any]
    ) -> None:
        super().copy_stretches(starts, stops, separator, targets, out)
        for target, size in zip(targets.tolist(), (stops - starts).tolist(), strict=True):
            out[target : target + size] = out[target : target + size][::-1].copy()

    def check_reads_forward(self, purpose: str) -> None:
        raise QueryError(
            f"{purpose} needs suffixes to the right, and this index holds its documents reversed: "
            "ask an index that does not (infini-gram version 4)"
        )

    def matches(self, texts: Texts, pool: Executor, threads: int) -> ShardMatches:
        return MirroredMatches(self, texts, pool, threads)

    def outer_followers(
        self, low: NDArray[np.int64], high: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The least and the largest, by going through all occurrences: what follows does not stand in order."""
        following = [
            self.next_tokens((first, stop), length)[0]
            for first, stop, length in zip(low.tolist(), high.tolist(), lengths.tolist(), strict=True)
        ]
        return np.array([ids[0] for ids in following], np.int64), np.array([ids[-1] for ids in following], np.int64)

    def next_tokens(self, interval: Interval, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What follows, by going through all occurrences: 10 ns each."""
        if not length:
            return super().next_tokens(interval, length)
        from suffixindex.kernels.next_tokens import read_before

        parts = []
        for low in range(*interval, SCANNED):
            found = np.empty(min(low + SCANNED, interval[1]) - low, self.tokens.dtype)
            self.run(read_before, self.tokens, self.suffix_array, low, found)
            parts.append(np.unique(found, return_counts=True))
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        followers, counts = merge_counts(
            [ids.astype(np.int64) for ids, _ in parts], [counts.astype(np.int64) for _, counts in parts]
        )
        self.check_ids(followers)
        return followers, counts

    def read(self, start: int, stop: int) -> NDArray[np.unsignedinteger[Any]]:
        positions = np.arange(start, min(stop, self.length))
        documents = self.documents_at(positions)
        first, end = (self.document_offsets[documents + shift].astype(np.int64) for shift in (0, 1))
        place = positions - first
        found: NDArray[np.unsignedinteger[Any]] = self.tokens[np.where(place == end - first - 1, first, end - 1 - place)]
        return found

    def text_starts(self, positions: NDArray[np.integer[Any]], length: int) -> NDArray[np.int64]:
        stored = positions.astype(np.int64)
        documents = self.documents_at(stored)
        first, end = (self.document_offsets[documents + shift].astype(np.int64) for shift in (0, 1))
        return np.asarray(first + end - np.maximum(length, 1) - stored)


class MirroredMatches:
    """The matches of a shard whose documents lie reversed: there the longest ones that end at every position are looked for."""

    def __init__(self, shard: StoredShard, texts: Texts, pool: Executor, threads: int) -> None:
        size = self._size = len(texts.ids)
        mirrored = Texts(np.ascontiguousarray(texts.ids[::-1]), size - texts.offsets[::-1])
        self._ending = LongestMatches(shard, mirrored, pool, threads)
        # where the longest match begins that ends at each gap between tokens: it never falls, as the reach never does
        starts = np.append(0, np.arange(1, size + 1) - self._ending.lengths[::-1])
        self.lengths: NDArray[np.int64] = np.searchsorted(starts, np.arange(size), side="right") - 1 - np.arange(size)

    def counts(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
        """See :meth:`ShardMatches.counts`."""
        return self._ending.counts(self._size - stops, self._size - starts)
