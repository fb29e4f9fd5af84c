"""N-grams that begin with a separator: what documents begin with.

infini-gram's files hold a separator before each document, so that its clients ask with id 65535 in front how many documents begin
with some tokens, and what documents begin with. Here a separator ends a document and no n-gram crosses it; the same numbers come
from the occurrences of the tokens at the beginnings of documents.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from suffixindex.index import SuffixIndex
from suffixindex.serve import pricing
from suffixindex.storage.shard import Shard

READ = 2e-6
"""Seconds to read the token at a place."""
BLOCK = 1 << 16


def leads(index: SuffixIndex, ids: NDArray[np.int64]) -> bool:
    """Whether an n-gram begins with a separator and goes on."""
    return len(ids) > 1 and int(ids[0]) == index.separator


def beginnings(index: SuffixIndex, rest: NDArray[np.int64], check: Callable[[], None]) -> list[NDArray[np.int64]]:
    """In each shard, where the documents stand that begin with ``rest``. O(occurrences log occurrences) of it."""
    return [_in_shard(shard, rest, check) for shard in index.shards]


def _in_shard(shard: Shard, rest: NDArray[np.int64], check: Callable[[], None]) -> NDArray[np.int64]:
    check()
    if not len(rest):
        return shard.document_offsets[:-1].astype(np.int64)
    positions = shard.positions([shard.interval(rest)], [len(rest)])
    firsts = shard.document_offsets[shard.documents_at(positions)].astype(np.int64)
    found: NDArray[np.int64] = positions[positions == firsts]
    return found


def following(index: SuffixIndex, rest: NDArray[np.int64], check: Callable[[], None]) -> Counter[int]:
    """What follows ``rest`` at the beginnings of documents; the separator where the document ends.

    Raises
    ------
    QueryError
        It ends with a separator, which nothing follows.
    """
    index.checker.context(rest)
    found: Counter[int] = Counter()
    for shard, places in zip(index.shards, beginnings(index, rest, check), strict=True):
        after = (places + len(rest)).tolist()
        for first in range(0, len(after), BLOCK):
            check()
            found.update(int(shard.read(place, place + 1)[0]) for place in after[first : first + BLOCK])
    return found


def price(index: SuffixIndex, rest: NDArray[np.int64], reads: bool) -> float:
    occurrences = index.count(rest) if len(rest) else index.num_documents
    return pricing.CALL + occurrences * (pricing.LIST + pricing.SORT) + reads * READ * min(occurrences, index.num_documents)
