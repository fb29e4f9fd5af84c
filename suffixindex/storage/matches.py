"""The longest matches of texts in one shard: where each begins, how long it is, and how often it occurs."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels import DamageError
from suffixindex.ngrams import NgramBatch
from suffixindex.system.patience import patient

CAP = 32
"""Tokens of a match that a bulk search looks for; longer ones, rare in new text, are followed one by one."""

MEASURE = 3000
"""What it costs to measure a match without compiled code, in ns."""


class Texts(NamedTuple):
    """Texts without separators, one after the other: text t is ``ids[offsets[t] : offsets[t + 1]]``."""

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @property
    def ends(self) -> NDArray[np.int64]:
        """The end of each position's text."""
        return np.repeat(self.offsets[1:], np.diff(self.offsets))

    def bounds(self) -> Iterator[tuple[int, int]]:
        """Where each text starts and stops."""
        return zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True)


class Searched(Protocol):
    """What of a shard is searched: its tokens and suffix array as kernels read them."""

    @property
    def tokens(self) -> Any: ...

    @property
    def suffix_array(self) -> Any: ...

    def run(self, kernel: Callable[..., Any], *arguments: Any) -> Any:
        """What a kernel answers of these arrays."""

    def stored_intervals(self, batch: NgramBatch, pool: Executor, threads: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ranks ``(low, high)`` of n-grams that are given as they lie in ``tokens``."""


class ShardMatches(Protocol):
    """The longest match in one shard from every position of some texts."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the match at each position."""

    def counts(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
        """Occurrences in this shard of the spans ``[starts[i], stops[i])`` of the texts, none of them empty."""


class LongestMatches:
    """The matches of a shard whose suffixes are to the right."""

    def __init__(self, shard: Searched, texts: Texts, pool: Executor, threads: int) -> None:
        self._shard, self._ids, self._pool, self._threads = shard, texts.ids, pool, threads
        size = len(texts.ids)
        starts = np.arange(size)
        stops = np.minimum(starts + CAP, texts.ends)
        self._low, self._high = shard.stored_intervals(NgramBatch(texts.ids, starts, stops), pool, threads)
        self.lengths: NDArray[np.int64] = np.empty(size, np.int64)
        self._counts = np.zeros(size, np.int64)
        arrays = (shard.tokens, shard.suffix_array, texts.ids)
        if patient(size * MEASURE):
            shard.run(_longest_prefixes, *arrays, starts, stops, self._low, self._high, self.lengths)
        else:
            from suffixindex.kernels.matching import longest_prefixes

            def measure(first: int, last: int) -> None:
                shard.run(longest_prefixes, *arrays, starts, stops, first, last, self._low, self._high, self.lengths)

            cuts = np.linspace(0, size, threads + 1).astype(np.int64)
            list(pool.map(measure, cuts[:-1], cuts[1:]))
        far = np.unique(np.searchsorted(texts.offsets, np.flatnonzero(self.lengths == CAP), side="right") - 1)
        if len(far):
            self._follow(far, texts.offsets)

    def _follow(self, of: NDArray[np.int64], offsets: NDArray[np.int64]) -> None:
        """Measure the matches of more than CAP tokens in some of the texts."""
        from suffixindex.kernels.matching import follow_matches

        arrays = (self._shard.tokens, self._shard.suffix_array, self._ids)
        known = (self._low, self._high, self.lengths, self._counts)
        bounds = zip(offsets[of].tolist(), offsets[of + 1].tolist(), strict=True)
        list(self._pool.map(lambda text: self._shard.run(follow_matches, *arrays, CAP, *text, *known), bounds))

    def counts(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
        """See :meth:`ShardMatches.counts`."""
        counts = np.zeros(len(starts), np.int64)
        sought = np.flatnonzero((stops - starts <= CAP) & (self.lengths[starts] >= stops - starts))
        batch = NgramBatch(self._ids, starts[sought], stops[sought])
        low, high = self._shard.stored_intervals(batch, self._pool, self._threads)
        counts[sought] = high - low
        if (stops - starts > CAP).any():
            from suffixindex.kernels.matching import count_spans

            known = (self._low, self._high, self.lengths, self._counts)
            arrays = (self._shard.tokens, self._shard.suffix_array, self._ids)
            self._shard.run(count_spans, *arrays, starts, stops, CAP, *known, counts)
        return counts


def _longest_prefixes(
    tokens: Any,
    suffix_array: Any,
    ids: NDArray[np.int64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> None:
    """As the kernel of this name does it, without compiled code."""
    lengths[:] = np.where(low < high, stops - starts, 0)
    absent = np.flatnonzero(low == high)
    places = starts[absent, None] + np.arange(CAP)
    sought = np.where(places < stops[absent, None], ids[np.minimum(places, len(ids) - 1)], -1)
    for rank in (low[absent] - 1, low[absent]):
        positions = suffix_array[np.clip(rank, 0, len(suffix_array) - 1)].astype(np.int64)
        if (positions >= len(tokens)).any():
            raise DamageError
        found = tokens[np.minimum(positions[:, None] + np.arange(CAP), len(tokens) - 1)]
        common = np.logical_and.accumulate(found == sought, axis=1).sum(axis=1)
        lengths[absent] = np.maximum(lengths[absent], common)
