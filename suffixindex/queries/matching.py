"""Texts against the corpus: the longest match at every position, and from it the ∞-gram context before every token.

A text's *reach* at position s is where the longest match from s ends; it never falls as s grows. So the longest context of
token i that the corpus holds begins at the first position that reaches i: one pass gives both.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import NgramBatch, join
from suffixindex.storage.shard import Shard

CAP = 32
"""Tokens of a match that a bulk search looks for; longer ones, rare in new text, are followed one by one."""
POSITIONS = 1 << 22
"""Positions times shards that are matched at a time: 128 MiB."""


class Texts(NamedTuple):
    """Texts without separators, one after the other: text t is ``ids[offsets[t] : offsets[t + 1]]``."""

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @property
    def ends(self) -> NDArray[np.int64]:
        """The end of each position's text."""
        return np.repeat(self.offsets[1:], np.diff(self.offsets))


def portions(texts: Sequence[NDArray[np.int64]], num_shards: int) -> Iterator[Texts]:
    """Texts in portions whose matches fit the memory for them; a text is never cut."""
    portion: list[NDArray[np.int64]] = []
    size = 0
    for text in texts:
        if portion and (size + len(text)) * num_shards > POSITIONS:
            yield _joined(portion)
            portion, size = [], 0
        portion.append(text)
        size += len(text)
    if portion:
        yield _joined(portion)


def _joined(texts: Sequence[NDArray[np.int64]]) -> Texts:
    batch = join(texts)
    return Texts(batch.ids, np.append(0, batch.stops))


class ShardMatches:
    """The longest match in one shard from every position of some texts."""

    def __init__(self, shard: Shard, texts: Texts, pool: Executor, threads: int) -> None:
        from suffixindex.kernels.matching import follow_matches, longest_prefixes

        self._shard, self._ids, self._pool, self._threads = shard, texts.ids, pool, threads
        size = len(texts.ids)
        starts = np.arange(size)
        stops = np.minimum(starts + CAP, texts.ends)
        self._low, self._high = shard.stored_intervals(NgramBatch(texts.ids, starts, stops), pool, threads)
        self.lengths = np.empty(size, np.int64)
        self._counts = np.zeros(size, np.int64)
        arrays = (shard.tokens, shard.suffix_array, texts.ids)

        def measure(first: int, last: int) -> None:
            longest_prefixes(*arrays, starts, stops, first, last, self._low, self._high, self.lengths)

        def follow(text: int) -> None:
            bounds = texts.offsets[text], texts.offsets[text + 1]
            follow_matches(*arrays, CAP, *bounds, self._low, self._high, self.lengths, self._counts)

        cuts = np.linspace(0, size, threads + 1).astype(np.int64)
        list(pool.map(measure, cuts[:-1], cuts[1:]))
        far = np.searchsorted(texts.offsets, np.flatnonzero(self.lengths == CAP), side="right") - 1
        list(pool.map(follow, np.unique(far)))

    def counts(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
        """Occurrences in this shard of the spans ``[starts[i], stops[i])`` of the texts, none of them empty."""
        from suffixindex.kernels.matching import count_spans

        counts = np.zeros(len(starts), np.int64)
        sought = np.flatnonzero((stops - starts <= CAP) & (self.lengths[starts] >= stops - starts))
        batch = NgramBatch(self._ids, starts[sought], stops[sought])
        low, high = self._shard.stored_intervals(batch, self._pool, self._threads)
        counts[sought] = high - low
        known = (self._low, self._high, self.lengths, self._counts)
        count_spans(self._shard.tokens, self._shard.suffix_array, self._ids, starts, stops, CAP, *known, counts)
        return counts


class MirroredMatches:
    """As :class:`ShardMatches`, of a shard whose documents lie reversed: there the longest matches end at every position."""

    def __init__(self, shard: Shard, texts: Texts, pool: Executor, threads: int) -> None:
        size = self._size = len(texts.ids)
        mirrored = Texts(np.ascontiguousarray(texts.ids[::-1]), size - texts.offsets[::-1])
        self._ending = ShardMatches(shard, mirrored, pool, threads)
        # where the longest match begins that ends at each gap between tokens: it never falls, as the reach never does
        starts = np.append(0, np.arange(1, size + 1) - self._ending.lengths[::-1])
        self.lengths: NDArray[np.int64] = np.searchsorted(starts, np.arange(size), side="right") - 1 - np.arange(size)

    def counts(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
        """See :meth:`ShardMatches.counts`."""
        return self._ending.counts(self._size - stops, self._size - starts)


class Matches:
    """The longest match in the whole corpus from every position of some texts."""

    def __init__(self, shards: Sequence[Shard], texts: Texts, pool: Executor, threads: int) -> None:
        self.texts = texts
        kinds = [MirroredMatches if shard.mirrored else ShardMatches for shard in shards]
        self._of_shards = [kind(shard, texts, pool, threads) for kind, shard in zip(kinds, shards, strict=True)]
        self.lengths: NDArray[np.int64] = np.max([found.lengths for found in self._of_shards], axis=0)

    def counts(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
        """Occurrences of spans of the texts, none of them empty."""
        total: NDArray[np.int64] = np.sum([found.counts(starts, stops) for found in self._of_shards], axis=0)
        return total

    def match_counts(self) -> NDArray[np.int64]:
        """How often each position's longest match occurs; 0 where it has no token."""
        counts = np.zeros(len(self.lengths), np.int64)
        some = np.flatnonzero(self.lengths)
        counts[some] = self.counts(some, some + self.lengths[some])
        return counts

    def suffix_length(self) -> int:
        """Tokens of the longest end of the last text that occurs."""
        size = len(self.lengths)
        return size - int(np.searchsorted(np.arange(size) + self.lengths, size))

    def contexts(self, num_tokens: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """``(suffix_lengths, context_counts, ngram_counts)`` of every token: its longest context that occurs.

        The empty context, which every token has, occurs ``num_tokens`` times.
        """
        # a context for each gap between tokens: before each token of a text, and after its last
        offsets, size = self.texts.offsets, len(self.lengths)
        num_texts = len(offsets) - 1
        reach = np.arange(size) + self.lengths
        gap_starts = np.repeat(offsets[:-1], np.diff(offsets) + 1)  # of each gap's text
        gaps = np.arange(size + num_texts) - np.repeat(np.arange(num_texts), np.diff(offsets) + 1)
        starts = np.minimum(np.maximum(np.searchsorted(reach, gaps), gap_starts), gaps)
        counts = np.full(len(gaps), num_tokens, np.int64)
        some = np.flatnonzero(starts < gaps)
        counts[some] = self.counts(starts[some], gaps[some])
        before = np.delete(np.arange(len(gaps)), offsets[1:] + np.arange(num_texts))  # gaps before a token
        goes_on = starts[before + 1] == starts[before]
        return gaps[before] - starts[before], counts[before], np.where(goes_on, counts[before + 1], 0)
