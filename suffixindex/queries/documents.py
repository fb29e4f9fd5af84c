"""Documents: one by its number, those that hold an n-gram, and n-grams by groups of documents."""

from bisect import bisect_right
from collections import Counter
from concurrent.futures import Executor
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import Checked, check_integers, check_limits, check_not_negative, join
from suffixindex.queries.groups import Value
from suffixindex.queries.local import LocalShards
from suffixindex.queries.occurrences import READ_FROM, read_first
from suffixindex.queries.shard_set import Mask, ShardSet
from suffixindex.results import Document, DocumentMatch
from suffixindex.storage.shard import FEW, LOOK, Interval, Shard
from suffixindex.system.memory import no_garbage
from suffixindex.system.parallel import SMALL, split_range
from suffixindex.system.patience import few_enough

Unit = Literal["occurrences", "documents"]


def document(shards: LocalShards, document_id: int) -> Document:
    """One document of the corpus.

    Raises
    ------
    QueryError
        There is no such document.
    """
    check_integers(document_id=document_id)
    if not 0 <= document_id < shards.num_documents:
        raise QueryError(f"document {document_id} is outside the corpus of {shards.num_documents:,} documents")
    number = bisect_right(shards.first_documents, document_id) - 1
    shard, local = shards.shards[number], document_id - shards.first_documents[number]
    start, stop = shard.bounds(local)
    record = shard.metadata(local)
    origin = record.get("path"), record.get("line"), record.get("metadata", {})
    return Document(document_id, shard.read(start, stop), *origin)


def matches(
    shard_set: ShardSet, shards: LocalShards, ngram: Checked, limit: int | None, offset: int, mask: Mask | None
) -> list[DocumentMatch]:
    """A page of the documents that hold an n-gram, by ascending id."""
    check_limits(limit=limit)
    check_not_negative(offset=offset)
    if limit is not None and (read := read_first(shards, ngram, offset + limit, True, mask)) is not None:
        shard, positions = shards.shards[0], read[0]
        return _describe_in(0, shard, positions, np.unique(shard.documents_at(positions))[offset : offset + limit])
    documents = shard_set.document_ids([[ngram]], None, mask)
    return _describe(shards, ngram, documents[offset : None if limit is None else offset + limit], documents)


def sample(shard_set: ShardSet, shards: LocalShards, ngram: Checked, k: int, seed: int, mask: Mask | None) -> list[DocumentMatch]:
    """k of the documents that hold an n-gram, each equally likely, by ascending id."""
    check_not_negative(k=k, seed=seed)
    documents = shard_set.document_ids([[ngram]], None, mask)
    chosen = np.random.default_rng(seed).choice(documents, min(k, len(documents)), replace=False)
    return _describe(shards, ngram, np.sort(chosen), documents)


def _describe(shards: LocalShards, ngram: Checked, documents: NDArray[np.int64], holding: NDArray[np.int64]) -> list[DocumentMatch]:
    """What some documents, ascending, say of an n-gram that they hold; ``holding`` are all that do."""
    matches: list[DocumentMatch] = []
    chosen = None
    if 2 * len(documents) < len(holding) and len(holding) >= READ_FROM:  # else to list all of them is no slower
        chosen = np.zeros(shards.num_documents, bool)
        chosen[documents] = True
    for first, shard, _, listed in shards.occurrences(ngram, chosen):
        here = documents[(documents >= first) & (documents < first + shard.num_documents)] - first
        if len(here):
            matches += _describe_in(first, shard, listed()[0], here)
    return matches


@no_garbage()
def _describe_in(first: int, shard: Shard, positions: NDArray[np.int64], documents: NDArray[np.int64]) -> list[DocumentMatch]:
    """The same of documents of a shard, whose first document is ``first`` of all."""
    starts, stops = (shard.document_offsets[documents + shift].astype(np.int64) for shift in (0, 1))
    begins = np.searchsorted(positions, starts)
    counts = np.searchsorted(positions, stops) - begins
    ends = np.cumsum(counts)
    places = np.repeat(begins - ends + counts, counts) + np.arange(int(ends[-1]))  # of the positions in these documents
    offsets = positions[places] - np.repeat(starts, counts)
    records = [{}] * len(documents) if shard.metadata_path is None else shard.metadata_lines.records_of(documents)
    columns = ((documents + first).tolist(), (ends - counts).tolist(), ends.tolist(), (stops - starts - 1).tolist(), records)
    return [
        DocumentMatch.of_fields(
            document_id=document,
            offsets=offsets[begin:end],
            num_tokens=size,
            path=record.get("path"),
            line=record.get("line"),
            metadata=record.get("metadata", {}),
        )
        for document, begin, end, size, record in zip(*columns, strict=True)
    ]


def counts_by(shards: LocalShards, ngram: Checked, field: str, unit: Unit, mask: Mask | None) -> Counter[Value]:
    """Occurrences or documents for each value of a field: see :meth:`suffixindex.SuffixIndex.counts_by`."""
    if unit not in ("occurrences", "documents"):
        raise QueryError(f"unit is {unit!r}: expected 'occurrences' or 'documents'")
    groups = shards.groups.by(field)
    total = np.zeros(len(groups.values), np.int64)
    for first, shard, low, high in shards.ranks(join([ngram]), mask, each=unit == "occurrences"):
        codes = groups.codes[first : first + shard.num_documents]
        interval = int(low[0]), int(high[0])
        if unit == "documents":
            np.add.at(total, codes[shard.documents([interval])], 1)
        else:
            total += _occurrences_by(shard, interval, codes, len(total), shards.pool, shards.cores)
    return groups.by_count(total)


def _occurrences_by(
    shard: Shard, interval: Interval, codes: NDArray[Any], size: int, pool: Executor, threads: int
) -> NDArray[np.int64]:
    """Occurrences for each of ``size`` codes; ``codes[document]`` is a document's. 5 ns an occurrence on one core."""
    low, high = interval
    if few_enough(high - low, FEW, LOOK):
        return np.bincount(codes[shard.documents_at(shard.positions_at(low, high))], minlength=size)
    from suffixindex.kernels.occurrences import count_by_group

    def count(first: int, last: int) -> NDArray[np.int64]:
        counts = np.zeros(size, np.int64)
        shard.run(count_by_group, shard.postings, low + first, low + last, codes, counts)
        return counts

    parts = split_range(high - low, max(min(threads, (high - low) // (SMALL + size)), 1))
    if len(parts) == 1:
        return count(*parts[0])
    return sum(pool.map(count, *zip(*parts, strict=True)), np.zeros(size, np.int64))
