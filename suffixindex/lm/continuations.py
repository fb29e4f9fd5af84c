"""What smoothing asks of a corpus: counts of what follows contexts, by occurrences or by the tokens before, over all shards.

The continuation count of an n-gram is the number of different tokens that stand before its occurrences. The start of a
document counts as one such token, the same for all documents; after a context, the end of a document is a token like any
other. Both have the number ``vocabulary_size`` here.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.queries.local import LocalShards
from suffixindex.queries.statistics import block_edges, longest_document
from suffixindex.storage.shard import Shard
from suffixindex.system.parallel import in_order

MAX_COUNT = 4
"""Counts of counts that the discounts of modified Kneser-Ney are made of: n1 … n4."""

Rows = tuple[NDArray[np.unsignedinteger[Any]], NDArray[np.int64]]


class CorpusCounts(NamedTuple):
    """``count_of_counts[n - 1, c - 1]`` n-grams have the count c = 1 … 4; ``unigrams[token]`` is the count of each token."""

    count_of_counts: NDArray[np.int64]
    unigrams: NDArray[np.int64]


class Followers(NamedTuple):
    """What follows many contexts: ``keys``, ascending, are context * (vocabulary_size + 1) + token; a count for each."""

    keys: NDArray[np.int64]
    counts: NDArray[np.int64]


def corpus_counts(local: LocalShards, order: int, vocabulary_size: int) -> CorpusCounts:
    """Counts of counts for all n up to ``order``: occurrences for the longest n-grams, continuation counts for the others.

    One pass over the suffix arrays for all n together, O(order) a token, in the memory of a few blocks of 2**18 ids and 8
    bytes for each id of the vocabulary.
    """
    from suffixindex.kernels.continuations import collect_neighbours, count_continuations

    shards, separator = local.shards, local.separator
    for shard in shards:
        shard.check_reads_forward("Kneser-Ney, which counts continuations,")
    dtype = shards[0].tokens.dtype
    width = min(order, longest_document(shards) + 2)  # no n-gram is longer than a document and its end
    edges, step = block_edges(shards, width, separator)

    def collect(shard: Shard, lo: int, hi: int) -> Rows:
        # the block's first prefix, which may go on for ever, has a row for each token before it
        room = min(hi - lo, step + vocabulary_size + 1)
        rows, counts = np.empty((room + 1, width + 1), dtype), np.empty(room + 1, np.int64)
        seen = np.zeros(vocabulary_size + 1, np.int64)
        place = shard.tokens, shard.suffix_array, separator, vocabulary_size, lo, hi
        found = shard.run(collect_neighbours, *place, seen, rows, counts)
        return rows[:found], counts[:found]

    def block(number: int) -> Rows:
        bounds = [(shard, edge[number], edge[number + 1]) for shard, edge in zip(shards, edges, strict=True)]
        return _merge([collect(*bound) for bound in bounds], shards[0].tokens)

    unigrams = np.zeros(vocabulary_size + 1, np.int64)
    count_of_counts = np.zeros((order, MAX_COUNT + 2), np.int64)
    nothing = np.full((1, width + 1), separator, dtype)
    state = nothing[0, :width].copy(), np.zeros(width, np.int64), np.zeros(width, np.int64), np.zeros_like(unigrams)
    ids = separator, vocabulary_size
    total = 0
    for rows, counts in in_order(local.pool, block, range(len(edges[0]) - 1), local.cores):
        total = shards[0].run(count_continuations, rows, counts, *ids, total, *state, count_of_counts, unigrams)
    shards[0].run(count_continuations, nothing, np.zeros(1, np.int64), *ids, total, *state, count_of_counts, unigrams)
    unigrams[-1] = _document_ends(shards, separator, order)
    count_of_counts[0, min(unigrams[-1], MAX_COUNT + 1)] += 1
    return CorpusCounts(count_of_counts[:, 1:-1].copy(), unigrams)


def _document_ends(shards: Sequence[Shard], separator: int, order: int) -> int:
    """The count of the separator: of documents, or of the different tokens before it, where an empty document has its start."""
    if order == 1:
        return sum(shard.num_documents for shard in shards)
    # a first document that is empty has position -1, which is a separator as before any other empty document
    before = [np.unique(shard.tokens[shard.document_offsets[1:].astype(np.int64) - 2]) for shard in shards]
    return len(np.unique(np.concatenate(before)))


def _merge(parts: list[Rows], tokens: NDArray[np.unsignedinteger[Any]]) -> Rows:
    """Several lists of rows as one, in the order that their prefixes have in ``tokens``. O(width log parts) a row."""
    from suffixindex.kernels.continuations import merge_neighbours

    while len(parts) > 1:
        merged = [parts[-1]] if len(parts) % 2 else []
        for first, second in zip(parts[::2], parts[1::2], strict=False):
            size = len(first[1]) + len(second[1])
            rows, counts = np.empty((size, first[0].shape[1]), first[0].dtype), np.empty(size, np.int64)
            merge_neighbours(tokens, *first, *second, rows, counts)
            merged.append((rows, counts))
        parts = merged
    return parts[0]


def followers(
    shards: Sequence[Shard],
    intervals: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    length: int,
    vocabulary_size: int,
    *,
    distinct: bool,
) -> Followers:
    """What follows contexts of ``length`` tokens, 1 or more, at the ranks ``(low, high)`` that each shard has for them.

    Counted by occurrences or, if ``distinct``, by the different tokens before them, in any shard. A random read an
    occurrence, and a sort of what was found in several shards.
    """
    from suffixindex.kernels.continuations import collect_followers, collect_pairs

    keys, values = [], []  # the values: tokens before, or counts
    for shard, (low, high) in zip(shards, intervals, strict=True):
        size = int((high - low).sum())
        if not size:
            continue
        key, value = np.empty(size, np.int64), np.empty(size, np.int64)
        place = shard.tokens, shard.suffix_array, vocabulary_size, low, high, length
        if distinct:
            found = shard.run(collect_pairs, *place, np.zeros(vocabulary_size + 1, np.int64), key, value)
        else:
            found = shard.run(collect_followers, *place, key, value)
        keys.append(key[:found])
        values.append(value[:found])
    if not keys:
        return Followers(np.empty(0, np.int64), np.empty(0, np.int64))
    key, value = np.concatenate(keys), np.concatenate(values)
    if len(keys) > 1 or not shards[0].in_id_order:
        order = np.lexsort((value, key)) if distinct else np.argsort(key, kind="stable")
        key, value = key[order], value[order]
        if distinct:
            new = np.append(True, (key[1:] != key[:-1]) | (value[1:] != value[:-1]))
            key = key[new]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    counts = np.diff(np.append(starts, len(key))) if distinct else np.add.reduceat(value, starts)
    return Followers(key[starts], counts)
