"""The shards that this process has mapped: every question goes to each of them, and the answers add up."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import NgramBatch, join
from suffixindex.queries.cooccurrence import Questions, count_one, count_together, count_within, documents_of_all, documents_within
from suffixindex.queries.groups import DocumentGroups
from suffixindex.queries.masked import count_kept, restrict
from suffixindex.queries.matching import Matches
from suffixindex.queries.shard_set import Clauses, Mask
from suffixindex.queries.stamps import Stamps
from suffixindex.results import NextTokens
from suffixindex.storage.matches import Texts
from suffixindex.storage.shard import Interval, Shard
from suffixindex.storage.sparse import merge_counts
from suffixindex.system.parallel import in_pieces
from suffixindex.system.threads import Threads


class ShardRanks(NamedTuple):
    """The ranks ``[low[q], high[q])`` of n-gram q in one shard, whose documents count from ``first_document``."""

    first_document: int
    shard: Shard
    low: NDArray[np.int64]
    high: NDArray[np.int64]


class LocalShards:
    """A :class:`ShardSet` of mapped shards. Safe to share between threads, and to use in a forked process.

    Parameters
    ----------
    shards
        In the order of their documents.
    separator
        The id that ends documents.
    cores
        Threads that bulk questions use.
    names
        What each shard's index is called, where they are of several.
    """

    def __init__(self, shards: Sequence[Shard], separator: int, cores: int, names: Sequence[str] = ()) -> None:
        self.shards = list(shards)
        self.separator = separator
        self.cores = cores
        self.first_documents: list[int] = np.cumsum([0] + [shard.num_documents for shard in shards]).tolist()
        self.groups = DocumentGroups(self.shards, names)
        self._threads = Threads(cores)

    @property
    def num_documents(self) -> int:
        return self.first_documents[-1]

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The threads of bulk questions."""
        return self._threads.pool

    @cached_property
    def stamps(self) -> Stamps:
        """For kernels that mark documents."""
        return Stamps(max(shard.num_documents for shard in self.shards))

    def close(self) -> None:
        """Give back the maps and the threads. A question that is asked from now on, or is under way, is answered or refused."""
        for shard in self.shards:
            shard.close()
        self._threads.close()

    # ---- ranks -------------------------------------------------------------------------------------------------------

    def intervals(self, ngrams: NgramBatch) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """``(low, high)`` of the n-grams in each shard."""
        for shard in self.shards:
            yield shard.intervals(ngrams, self.pool, self.cores)

    def ranks(self, ngrams: NgramBatch, mask: Mask | None) -> Iterator[ShardRanks]:
        """Where n-grams stand in each shard; with a mask, in shards that hold their occurrences in its documents alone."""
        for first, shard, part, (low, high) in zip(
            self.first_documents, self.shards, self._parts(mask), self.intervals(ngrams), strict=False
        ):
            restricted = (shard, low, high) if part is None else restrict(shard, low, high, part, self.pool, self.cores)
            yield ShardRanks(first, *restricted)

    def _parts(self, mask: Mask | None) -> Iterator[Mask | None]:
        """A mask's part of each shard."""
        for first, shard in zip(self.first_documents, self.shards, strict=False):
            yield None if mask is None else mask[first : first + shard.num_documents]

    # ---- occurrences -------------------------------------------------------------------------------------------------

    def count(self, ngram: NDArray[np.int64], mask: Mask | None) -> int:
        if mask is not None:
            return int(self.counts(join([ngram]), mask)[0])
        total = 0
        for shard in self.shards:
            low, high = shard.interval(ngram)
            total += high - low
        return total

    def counts(self, ngrams: NgramBatch, mask: Mask | None) -> NDArray[np.int64]:
        total = np.zeros(len(ngrams), np.int64)
        for shard, part, (low, high) in zip(self.shards, self._parts(mask), self.intervals(ngrams), strict=True):
            total += high - low if part is None else count_kept(shard, low, high, part, self.pool, self.cores)
        return total

    def next_tokens(self, context: NDArray[np.int64], mask: Mask | None) -> NextTokens:
        if mask is None:  # one n-gram alone is looked up faster
            intervals = [(shard, shard.interval(context)) for shard in self.shards]
        else:
            ranks = self.ranks(join([context]), mask)
            intervals = [(shard, (int(low[0]), int(high[0]))) for _, shard, low, high in ranks]
        return self._following(intervals, len(context))

    def next_tokens_of(self, contexts: NgramBatch, mask: Mask | None) -> list[NextTokens]:
        lengths = (contexts.stops - contexts.starts).tolist()
        ranks = [(shard, low.tolist(), high.tolist()) for _, shard, low, high in self.ranks(contexts, mask)]

        def answer(query: int) -> NextTokens:
            return self._following([(shard, (low[query], high[query])) for shard, low, high in ranks], lengths[query])

        return list(self.pool.map(answer, range(len(contexts))))

    def _following(self, intervals: Sequence[tuple[Shard, Interval]], length: int) -> NextTokens:
        """What follows the n-gram of ``length`` tokens at an interval of each shard."""
        parts = [shard.next_tokens(interval, length) for shard, interval in intervals]
        token_ids, counts = merge_counts([part[0] for part in parts], [part[1] for part in parts])
        return NextTokens(token_ids, counts, sum(high - low for _, (low, high) in intervals), self.separator)

    def matches(self, texts: Texts) -> Matches:
        return Matches([shard.matches(texts, self.pool, self.cores) for shard in self.shards], texts)

    # ---- documents ---------------------------------------------------------------------------------------------------

    def document_counts(self, ngrams: NgramBatch, mask: Mask | None) -> NDArray[np.int64]:
        from suffixindex.kernels.occurrences import count_documents

        total = np.zeros(len(ngrams), np.int64)
        for _, shard, low, high in self.ranks(ngrams, mask):
            counts = np.empty(len(ngrams), np.int64)

            def count(first: int, last: int, shard: Shard = shard, asked: Any = (low, high), counts: Any = counts) -> None:
                stamp = self.stamps.take(last - first)
                shard.run(count_documents, shard.postings, *asked, first, last, self.stamps.array, stamp, counts)

            in_pieces(count, high - low, self.pool, self.cores)
            total += counts
        return total

    def document_ids(self, clauses: Clauses, window: int | None, mask: Mask | None) -> NDArray[np.int64]:
        lengths = [[len(ngram) for ngram in clause] for clause in clauses]
        of_shards = []
        for first, shard in zip(self.first_documents, self.shards, strict=False):
            intervals = [[shard.interval(ngram) for ngram in clause] for clause in clauses]
            here = documents_of_all(shard, intervals) if window is None else documents_within(shard, intervals, lengths, window)
            of_shards.append(here + first)
        documents = np.concatenate(of_shards)
        return documents if mask is None else documents[mask[documents]]

    def cooccurrence(self, clauses: Clauses) -> int:
        total = 0
        for shard in self.shards:
            intervals = [[shard.interval(ngram) for ngram in clause] for clause in clauses]
            total += count_one(shard, clauses, intervals, self.stamps)
        return total

    def cooccurrences(self, questions: Questions, window: int | None, mask: Mask | None) -> NDArray[np.int64]:
        total = np.zeros(questions.size, np.int64)
        for _, shard, low, high in self.ranks(questions.ngrams, mask):
            if window is None:
                total += count_together(shard, questions, low, high, self.stamps, self.pool, self.cores)
            else:
                total += count_within(shard, questions, low, high, window, self.pool)
        return total
