"""Shards from before the vocabulary grew: of newer words they hold none."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import NgramBatch
from suffixindex.storage.format import ShardEntry
from suffixindex.storage.identity import IndexFiles
from suffixindex.storage.shard import Interval, Shard


class EarlierShard(Shard):
    """A shard whose search tree knows fewer ids than n-grams may hold.

    A newer id would stand between the largest that occurs here and the separator. So an n-gram with one has the empty interval
    where the n-gram would stand that has a separator in its place: its neighbours share most with it.
    """

    def interval(self, ngram: NDArray[np.int64]) -> Interval:
        newer = np.flatnonzero(self._newer(ngram))
        if not len(newer):
            return super().interval(ngram)
        low, _ = super().interval(np.append(ngram[: newer[0]], self.separator))
        return low, low

    def stored_intervals(self, batch: NgramBatch, pool: Executor, threads: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        newer = self._newer(batch.ids)
        places = np.append(np.flatnonzero(newer), len(batch.ids))
        if len(places) == 1:
            return super().stored_intervals(batch, pool, threads)
        first = places[np.searchsorted(places, batch.starts)]
        absent = first < batch.stops
        known = np.where(newer, self.separator, batch.ids)
        low, high = super().stored_intervals(
            NgramBatch(known, batch.starts, np.where(absent, first + 1, batch.stops)), pool, threads
        )
        high[absent] = low[absent]
        return low, high

    def _newer(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        newer: NDArray[np.bool_] = (ids >= self._vocabulary_size) & (ids != self.separator)
        return newer


def open_shard(folder: Path, entry: ShardEntry, token_type: str, vocabulary_size: int, files: IndexFiles) -> Shard:
    """A shard of an index of so many ids, mapped when first used."""
    if entry.vocabulary_size in (None, vocabulary_size):
        return Shard(folder, entry, token_type, vocabulary_size, files)
    return EarlierShard(folder, entry, token_type, entry.vocabulary_size or 0, files)
