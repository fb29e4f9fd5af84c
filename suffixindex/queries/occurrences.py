"""The occurrences of an n-gram, one by one, with the text around them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import Checked, check_limits, check_not_negative
from suffixindex.queries.local import LocalShards
from suffixindex.queries.shard_set import Mask
from suffixindex.results import Concordance
from suffixindex.storage.shard import Shard


class Page(NamedTuple):
    """The occurrences of one shard that belong to what is asked for, after ``skipped`` others."""

    first_document: int
    shard: Shard
    positions: NDArray[np.int64]
    lengths: NDArray[np.int64]
    skipped: int


def concordance(
    shards: LocalShards, ngram: Checked, width: int, limit: int | None, offset: int, mask: Mask | None
) -> list[Concordance]:
    """Occurrences in the order of the corpus: see :meth:`suffixindex.SuffixIndex.concordance`."""
    check_limits(limit=limit)
    check_not_negative(width=width, offset=offset)
    lines: list[Concordance] = []
    for first, shard, positions, lengths, skipped in _pages(shards, ngram, limit, offset, mask):
        for position, length in zip(positions[skipped:].tolist(), lengths[skipped:].tolist(), strict=True):
            document = int(shard.documents_at(np.array([position]))[0])
            start, stop = shard.bounds(document)
            end = min(position + length, stop + 1)
            left, match = shard.read(max(start, position - width), position), shard.read(position, end)
            right = shard.read(end, max(end, min(end + width, stop)))
            lines.append(Concordance(first + document, position - start, left, match, right))
    return lines if limit is None else lines[:limit]


def _pages(shards: LocalShards, ngram: Checked, limit: int | None, offset: int, mask: Mask | None) -> Iterator[Page]:
    """Ascending positions shard by shard, until the page is full."""
    passed, wanted = 0, None if limit is None else offset + limit
    for first, shard, size, listed in shards.occurrences(ngram, mask):
        if passed + size > offset:
            there = slice(None if wanted is None else wanted - passed)
            starts, lengths = listed()
            yield Page(first, shard, starts[there], lengths[there], max(offset - passed, 0))
        passed += size
        if wanted is not None and passed >= wanted:
            return
