"""The occurrences of an n-gram, one by one, with the text around them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import Checked, check_limits, check_not_negative
from suffixindex.patterns import CheckedPattern
from suffixindex.queries.local import LocalShards
from suffixindex.queries.shard_set import Mask
from suffixindex.results import Concordance
from suffixindex.storage.shard import Shard

READ_FROM = 1 << 14  # occurrences; fewer are listed at once
READ = 4  # tokens that are read while an occurrence is listed
READ_AT_ONCE = 1 << 16


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
    if wanted is not None and (read := read_first(shards, ngram, wanted, False, mask)) is not None:
        starts, lengths = read
        yield Page(0, shards.shards[0], starts[:wanted], lengths[:wanted], offset)
        return
    for first, shard, size, listed in shards.occurrences(ngram, mask):
        if passed + size > offset:
            there = slice(None if wanted is None else wanted - passed)
            starts, lengths = listed()
            yield Page(first, shard, starts[there], lengths[there], max(offset - passed, 0))
        passed += size
        if wanted is not None and passed >= wanted:
            return


def read_first(
    shards: LocalShards, ngram: Checked, wanted: int, documents: bool, mask: Mask | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Starts and lengths of the first occurrences of a frequent n-gram in the first shard, which is read from its start.

    All of them in as many documents as hold ``wanted`` occurrences; or with ``documents``, in so many documents. None where to list
    every occurrence takes no longer, which is known before, or found out at the cost of that.
    """
    shard = shards.shards[0]
    if isinstance(ngram, CheckedPattern) or not len(ngram) or shard.mirrored:
        return None
    low, high = shard.interval(ngram)
    most = READ * (high - low)
    if not wanted or not is_read(high - low, wanted, shard.length):
        return None
    offsets, ids = shard.document_offsets, ngram.astype(shard.tokens.dtype)
    found: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    first = start = number = 0
    while number < wanted:
        beyond = np.array([min(start + READ_AT_ONCE, shard.length - 1)])
        last = max(int(shard.documents_at(beyond)[0]), first + 1)
        if last > shard.num_documents or int(offsets[last]) > most:
            return None
        stop = int(offsets[last])
        positions = start + _places(shard.read(start, stop + len(ids) - 1), ids)
        if documents or mask is not None:
            holding = shard.documents_at(positions)
            kept = slice(None) if mask is None else mask[holding]
            positions, holding = positions[kept], holding[kept]
        found.append(positions)
        number += len(np.unique(holding)) if documents else len(positions)
        first, start = last, stop
    starts = np.concatenate(found)
    return starts, np.full(len(starts), len(ids))


def is_read(occurrences: int, wanted: int, num_tokens: int) -> bool:
    """Whether to read tokens until so many occurrences are found is expected to be sooner than to list all."""
    return occurrences >= READ_FROM and wanted * num_tokens <= READ * occurrences * occurrences


def _places(tokens: NDArray[Any], ids: NDArray[Any]) -> NDArray[np.int64]:
    """Where an n-gram stands."""
    found = np.flatnonzero(tokens[: max(len(tokens) - len(ids) + 1, 0)] == ids[0])
    for place in range(1, len(ids)):
        found = found[tokens[found + place] == ids[place]]
    return found
