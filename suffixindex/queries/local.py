"""The shards that this process has mapped: every question goes to each of them, and the answers add up."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import Checked, NgramBatch, join
from suffixindex.patterns import CheckedPattern
from suffixindex.queries import patterns
from suffixindex.queries.cooccurrence import Questions, count_one, count_together, count_within, documents_of_all, documents_within
from suffixindex.queries.document_marks import Stamps
from suffixindex.queries.groups import DocumentGroups
from suffixindex.queries.masked import count_kept, distinct_intervals, restrict
from suffixindex.queries.matching import Matches
from suffixindex.queries.shard_set import Clauses, Mask
from suffixindex.results import NextTokens
from suffixindex.storage.matches import Texts
from suffixindex.storage.shard import LOOK, Interval, Shard
from suffixindex.storage.sparse import merge_counts
from suffixindex.system.parallel import in_pieces
from suffixindex.system.patience import can_wait
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
        """``(low, high)`` of the n-grams in each shard; of a pattern an empty interval."""
        for shard in self.shards:
            low, high = shard.intervals(ngrams, self.pool, self.cores)
            for place, _ in ngrams.patterns:
                high[place] = low[place]
            yield low, high

    def ranks(self, ngrams: NgramBatch, mask: Mask | None, each: bool = False) -> Iterator[ShardRanks]:
        """Where n-grams stand in each shard; with a mask, in shards that hold their occurrences in its documents alone.

        Patterns stand in shards that hold their occurrences, and those of the n-grams beside them, alone; those of one start
        perhaps once, unless ``each`` is wanted.
        """
        for first, shard, part, (low, high) in zip(
            self.first_documents, self.shards, self._parts(mask), self.intervals(ngrams), strict=False
        ):
            there = (shard, low, high) if part is None else restrict(shard, low, high, part, self.pool, self.cores)
            if ngrams.patterns:
                there = patterns.with_patterns(there[0], shard, ngrams, *there[1:], part, self.pool, each)
            yield ShardRanks(first, *there)

    def _parts(self, mask: Mask | None) -> Iterator[Mask | None]:
        """A mask's part of each shard."""
        for first, shard in zip(self.first_documents, self.shards, strict=False):
            yield None if mask is None else mask[first : first + shard.num_documents]

    # ---- occurrences -------------------------------------------------------------------------------------------------

    def count(self, ngram: Checked, mask: Mask | None) -> int:
        if isinstance(ngram, CheckedPattern):
            return self._count_pattern(ngram, mask)
        if mask is not None:
            return int(self.counts(join([ngram]), mask)[0])
        total = 0
        for shard in self.shards:
            low, high = shard.interval(ngram)
            total += high - low
        return total

    def _count_pattern(self, pattern: CheckedPattern, mask: Mask | None) -> int:
        return sum(
            patterns.count(shard, pattern, part, self.pool) for shard, part in zip(self.shards, self._parts(mask), strict=True)
        )

    def counts(self, ngrams: NgramBatch, mask: Mask | None) -> NDArray[np.int64]:
        total = np.zeros(len(ngrams), np.int64)
        for shard, part, (low, high) in zip(self.shards, self._parts(mask), self.intervals(ngrams), strict=True):
            total += high - low if part is None else count_kept(shard, low, high, part, self.pool, self.cores)
        for place, pattern in ngrams.patterns:
            total[place] = self._count_pattern(pattern, mask)
        return total

    def next_tokens(self, context: Checked, mask: Mask | None) -> NextTokens:
        if isinstance(context, CheckedPattern):
            return self._following_pattern(context, mask)
        if mask is None:  # one n-gram alone is looked up faster
            intervals = [(shard, shard.interval(context)) for shard in self.shards]
        else:
            ranks = self.ranks(join([context]), mask)
            intervals = [(shard, (int(low[0]), int(high[0]))) for _, shard, low, high in ranks]
        return self._following(intervals, len(context))

    def next_tokens_of(self, contexts: NgramBatch, mask: Mask | None) -> list[NextTokens]:
        lengths, given = (contexts.stops - contexts.starts).tolist(), dict(contexts.patterns)
        asked = np.array([place for place in range(len(contexts)) if place not in given], np.int64)
        ngrams = NgramBatch(contexts.ids, contexts.starts[asked], contexts.stops[asked])
        ranks = [(shard, low.tolist(), high.tolist()) for _, shard, low, high in self.ranks(ngrams, mask)]

        def answer(query: int) -> NextTokens:
            length = lengths[asked[query]]
            return self._following([(shard, (low[query], high[query])) for shard, low, high in ranks], length)

        found = {place: self._following_pattern(pattern, mask) for place, pattern in given.items()}
        found |= zip(asked.tolist(), self.pool.map(answer, range(len(asked))), strict=True)
        return [found[place] for place in range(len(contexts))]

    def _following(self, intervals: Sequence[tuple[Shard, Interval]], length: int) -> NextTokens:
        """What follows the n-gram of ``length`` tokens at an interval of each shard."""
        parts = [shard.next_tokens(interval, length) for shard, interval in intervals]
        token_ids, counts = merge_counts([part[0] for part in parts], [part[1] for part in parts])
        return NextTokens(token_ids, counts, sum(high - low for _, (low, high) in intervals), self.separator)

    def _following_pattern(self, pattern: CheckedPattern, mask: Mask | None) -> NextTokens:
        parts = zip(self.shards, self._parts(mask), strict=True)
        found = [patterns.next_tokens(shard, pattern, part, self.pool) for shard, part in parts]
        token_ids, counts = merge_counts([ids for ids, _ in found], [counts for _, counts in found])
        return NextTokens(token_ids, counts, int(counts.sum()), self.separator)

    def occurrences(
        self, ngram: Checked, mask: Mask | None
    ) -> Iterator[tuple[int, Shard, int, Callable[[], tuple[NDArray[np.int64], NDArray[np.int64]]]]]:
        """(first document, shard, how many, a function that lists their starts and lengths in order) of each shard."""
        if isinstance(ngram, CheckedPattern):
            for first, shard, part in zip(self.first_documents, self.shards, self._parts(mask), strict=False):
                found = patterns.find_ordered(shard, ngram, part, self.pool)
                yield first, shard, len(found[0]), lambda found=found: found  # type: ignore[misc]
            return
        for first, shard, lows, highs in self.ranks(join([ngram]), mask):
            low, high = int(lows[0]), int(highs[0])

            def listed(shard: Shard = shard, interval: Interval = (low, high)) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
                starts = shard.positions([interval], [len(ngram)])
                return starts, np.full(len(starts), len(ngram))

            yield first, shard, high - low, listed

    def matches(self, texts: Texts) -> Matches:
        return Matches([shard.matches(texts, self.pool, self.cores) for shard in self.shards], texts)

    # ---- documents ---------------------------------------------------------------------------------------------------

    def document_count(self, ngram: Checked, mask: Mask | None) -> int:
        if mask is not None or isinstance(ngram, CheckedPattern):
            return int(self.document_counts(join([ngram]), mask)[0])
        total = 0
        for shard in self.shards:  # one n-gram alone is looked up faster
            low, high = shard.interval(ngram)
            total += high - low if high - low < 2 else int(self._count_documents(shard, np.array([low]), np.array([high]))[0])
        return total

    def document_counts(self, ngrams: NgramBatch, mask: Mask | None) -> NDArray[np.int64]:
        total = np.zeros(len(ngrams), np.int64)
        for _, shard, *intervals in self.ranks(ngrams, mask):
            low, high, query = distinct_intervals(*intervals)
            total += self._count_documents(shard, low, high)[query]
        return total

    def _count_documents(self, shard: Shard, low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of documents of each interval."""
        counts = np.zeros(len(low), np.int64)
        if can_wait(int((high - low).sum()) * LOOK):
            for query in np.flatnonzero(low < high).tolist():
                counts[query] = len(shard.documents([(low[query], high[query])]))
            return counts
        from suffixindex.kernels.occurrences import count_documents

        def count(first: int, last: int) -> None:
            stamp = self.stamps.take(last - first)
            shard.run(count_documents, shard.postings, low, high, first, last, self.stamps.array, stamp, counts)

        in_pieces(count, high - low, self.pool, self.cores)
        return counts

    def document_ids(self, clauses: Clauses, window: int | None, mask: Mask | None) -> NDArray[np.int64]:
        lengths = [[0 if isinstance(one, CheckedPattern) else len(one) for one in clause] for clause in clauses]
        of_shards = []
        for first, shard, intervals in self._clauses(clauses):
            here = documents_of_all(shard, intervals) if window is None else documents_within(shard, intervals, lengths, window)
            of_shards.append(here + first)
        documents = np.concatenate(of_shards)
        return documents if mask is None else documents[mask[documents]]

    def _clauses(self, clauses: Clauses) -> Iterator[tuple[int, Shard, list[list[Interval]]]]:
        """(first document, shard, intervals of each clause) of each shard, or of what :meth:`ranks` makes of it for patterns."""
        queries = [query for clause in clauses for query in clause]
        if not any(isinstance(query, CheckedPattern) for query in queries):
            for first, shard in zip(self.first_documents, self.shards, strict=False):
                yield first, shard, [[shard.interval(ngram) for ngram in clause] for clause in clauses]  # type: ignore[arg-type]
            return
        for first, shard, low, high in self.ranks(join(queries), None):
            intervals = zip(low.tolist(), high.tolist(), strict=True)
            yield first, shard, [[next(intervals) for _ in clause] for clause in clauses]

    def cooccurrence(self, clauses: Clauses) -> int:
        ngrams = [[np.empty(0, np.int64) if isinstance(one, CheckedPattern) else one for one in clause] for clause in clauses]
        return sum(count_one(shard, ngrams, intervals, self.stamps) for _, shard, intervals in self._clauses(clauses))

    def cooccurrences(self, questions: Questions, window: int | None, mask: Mask | None) -> NDArray[np.int64]:
        total = np.zeros(questions.size, np.int64)
        for _, shard, low, high in self.ranks(questions.ngrams, mask):
            if window is None:
                total += count_together(shard, questions, low, high, self.stamps, self.pool, self.cores)
            else:
                total += count_within(shard, questions, low, high, window, self.pool)
        return total
