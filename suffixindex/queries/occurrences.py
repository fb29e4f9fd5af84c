"""The occurrences of an n-gram, one by one, with the text around them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import check_limits, check_not_negative, join
from suffixindex.queries.local import LocalShards
from suffixindex.queries.shard_set import Mask
from suffixindex.results import Concordance
from suffixindex.storage.shard import Shard


class Page(NamedTuple):
    """The occurrences of one shard that belong to what is asked for, after ``skipped`` others."""

    first_document: int
    shard: Shard
    positions: NDArray[np.int64]
    skipped: int


def concordance(
    shards: LocalShards, ngram: NDArray[np.int64], width: int, limit: int | None, offset: int, mask: Mask | None
) -> list[Concordance]:
    """Occurrences in the order of the corpus: see :meth:`suffixindex.SuffixIndex.concordance`."""
    check_limits(limit=limit)
    check_not_negative(width=width, offset=offset)
    lines: list[Concordance] = []
    for first, shard, positions, skipped in _pages(shards, ngram, limit, offset, mask):
        for position in positions[skipped:].tolist():
            document = int(shard.documents_at(np.array([position]))[0])
            start, stop = shard.bounds(document)
            end = min(position + len(ngram), stop + 1)
            left, match = shard.read(max(start, position - width), position), shard.read(position, end)
            right = shard.read(end, max(end, min(end + width, stop)))
            lines.append(Concordance(first + document, position - start, left, match, right))
    return lines if limit is None else lines[:limit]


def _pages(shards: LocalShards, ngram: NDArray[np.int64], limit: int | None, offset: int, mask: Mask | None) -> Iterator[Page]:
    """Ascending positions shard by shard, until the page is full."""
    passed, wanted = 0, None if limit is None else offset + limit
    for first, shard, lows, highs in shards.ranks(join([ngram]), mask):
        low, high = int(lows[0]), int(highs[0])
        if passed + high - low > offset:
            positions = shard.positions([(low, high)], [len(ngram)])
            yield Page(first, shard, positions[: None if wanted is None else wanted - passed], max(offset - passed, 0))
        passed += high - low
        if wanted is not None and passed >= wanted:
            return
