"""Statistics of a whole corpus: its n-grams counted all at once, and how much of a text is new to it.

The shards' suffix arrays are cut at the same prefixes into blocks; the distinct prefixes of a block, with their counts,
are collected in each shard and merged. So what is counted is the corpus, whatever its shards.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import LONGEST, check_range
from suffixindex.queries.local import LocalShards
from suffixindex.results import NgramCount, NgramStatistics, Novelty
from suffixindex.storage.shard import Shard
from suffixindex.system.parallel import in_order

MOST_COUNTS = 10**8  # entries of a table of counts of counts
BLOCK_TOKENS = 1 << 18  # of prefixes that a thread collects at a time, about


class Runs(NamedTuple):
    """Ascending distinct prefixes of one length, with how many suffixes begin with each."""

    prefixes: NDArray[np.unsignedinteger[Any]]
    counts: NDArray[np.int64]

    def first(self, size: int) -> "Runs":
        return Runs(self.prefixes[:size], self.counts[:size])


def ngram_runs(local: LocalShards, width: int) -> Iterator[Runs]:
    """All distinct prefixes of ``width`` tokens in ascending order, block by block.

    A prefix that ends with its document sooner is filled up with separators; the empty one is left out. A block has about
    2**18 ids, and 8 bytes a prefix besides; a thread makes one at a time, and one a core waits to be taken.
    """
    shards, separator = local.shards, local.separator
    edges, step = block_edges(shards, width, separator)

    def block(number: int) -> Runs:
        # between two samples lie fewer than `step` ranks of a shard that do not begin with the first of them
        bounds = [(shard, edge[number], edge[number + 1]) for shard, edge in zip(shards, edges, strict=True)]
        chosen = [bound for bound in bounds if bound[2] > bound[1] or bound[0] is shards[0]]
        return _merge([_collect(shard, width, separator, lo, hi, room=step + 1) for shard, lo, hi in chosen], shards[0].tokens)

    return in_order(local.pool, block, range(len(edges[0]) - 1), local.cores)


def block_edges(shards: Sequence[Shard], width: int, separator: int) -> tuple[list[list[int]], int]:
    """Ranks that cut the shards into blocks at the same prefixes of ``width`` tokens, the first and the last of all included.

    Suffixes that begin with a separator, the last ones, are left out. The second is a number of ranks that a block does not
    reach in any shard, those that begin with the block's first prefix not counted.
    """
    from suffixindex.kernels.statistics import find_ranks

    num_suffixes = sum(shard.length for shard in shards)
    step = max(BLOCK_TOKENS // width, int(num_suffixes**0.5), 1)  # ranks between two samples, which are the blocks' bounds
    ends = [shard.length - shard.num_documents for shard in shards]
    sampled = [_collect(shard, width, separator, min(step, end), end, step) for shard, end in zip(shards, ends, strict=True)]
    samples = _merge(sampled, shards[0].tokens).prefixes
    edges = []
    for shard, end in zip(shards, ends, strict=True):
        ranks = np.empty(len(samples), np.int64)
        shard.run(find_ranks, shard.tokens, shard.suffix_array, separator, end, samples, ranks)
        edges.append([0, *ranks.tolist(), end])
        if edges[-1] != sorted(edges[-1]):
            raise shard.damage()
    return edges, step


def _collect(shard: Shard, width: int, separator: int, lo: int, hi: int, every: int = 1, room: int | None = None) -> Runs:
    """The distinct prefixes of every so many ranks of one shard."""
    from suffixindex.kernels.statistics import collect_runs

    rows = -(-(hi - lo) // every) if room is None else min(hi - lo, room)
    runs = Runs(np.empty((rows + 1, width), shard.tokens.dtype), np.empty(rows, np.int64))
    return runs.first(shard.run(collect_runs, shard.tokens, shard.suffix_array, separator, lo, hi, every, *runs))


def _merge(parts: list[Runs], tokens: NDArray[np.unsignedinteger[Any]]) -> Runs:
    """Several lists of runs as one, in the order of the suffixes of ``tokens``. O(width log parts) a run."""
    from suffixindex.kernels.statistics import merge_runs

    while len(parts) > 1:
        merged = [parts[-1]] if len(parts) % 2 else []
        for first, second in zip(parts[::2], parts[1::2], strict=False):
            rows = len(first.counts) + len(second.counts)
            runs = Runs(np.empty((rows, first.prefixes.shape[1]), first.prefixes.dtype), np.empty(rows, np.int64))
            merged.append(runs.first(merge_runs(tokens, *first, *second, *runs)))
        parts = merged
    return parts[0]


def longest_document(shards: Sequence[Shard]) -> int:
    """Tokens of the longest document."""
    return max(int(np.diff(shard.document_offsets).max()) - 1 for shard in shards)


def top_ngrams(local: LocalShards, n: int, k: int) -> list[NgramCount]:
    """The k most frequent n-grams, by count descending, equal ones by ids ascending; fewer if the corpus has fewer.

    One pass over the suffix arrays, O(n) a token: 15 ns a token on one core for n = 5, another 20 ns for each doubling of the
    shards, and some 10 MiB a thread, whatever the corpus.
    """
    shards, separator = local.shards, local.separator
    if n > longest_document(shards):
        return []
    check_range(1, LONGEST, n=n)
    best, least = [Runs(np.empty((0, n), shards[0].tokens.dtype), np.empty(0, np.int64))], 1
    for runs in ngram_runs(local, n):
        chosen = np.flatnonzero((runs.prefixes[:, -1] != separator) & (runs.counts >= least))
        best.append(Runs(runs.prefixes[chosen], runs.counts[chosen]))
        if sum(len(part.counts) for part in best[1:]) > max(k, BLOCK_TOKENS // n):
            best = [_most_frequent(best, k, shards[0])]
            if len(best[0].counts) == k:  # in the order of ids, what comes has larger ones, and loses a tie
                least = int(best[0].counts[-1]) + shards[0].in_id_order
    prefixes, counts = _most_frequent(best, k, shards[0])
    prefixes = shards[0].as_text(prefixes)
    return [NgramCount(tuple(ids), count) for ids, count in zip(prefixes.tolist(), counts.tolist(), strict=True)]


def _most_frequent(parts: Sequence[Runs], k: int, shard: Shard) -> Runs:
    """The k runs of the largest counts, among equals those of the smaller ids, which come first where ids are in order."""
    counts = np.concatenate([part.counts for part in parts])
    prefixes = np.concatenate([part.prefixes for part in parts])
    if shard.in_id_order:
        order = np.argsort(-counts, kind="stable")[:k]
    else:  # the last key of lexsort counts most
        order = np.lexsort((*shard.as_text(prefixes).T[::-1], -counts))[:k]
    return Runs(prefixes[order], counts[order])


def check_sizes(max_n: int, max_count: int) -> None:
    """Refuse a table of counts of counts that would not fit.

    Raises
    ------
    QueryError
    """
    check_range(1, LONGEST, max_n=max_n)
    check_range(1, MOST_COUNTS // max_n, max_count=max_count)


def ngram_statistics(local: LocalShards, max_n: int, max_count: int) -> NgramStatistics:
    """For n = 1 … max_n: how many n-grams, how many distinct, and how many occur c times, for c up to ``max_count``.

    No n-gram holds a separator. One pass over the suffix arrays for all n together, O(max_n) a token: 35 ns a token on one core for
    max_n = 8, another 20 ns for each doubling of the shards, and some 10 MiB a thread, whatever the corpus.
    """
    shards, separator = local.shards, local.separator
    from suffixindex.kernels.statistics import count_runs

    width = min(max_n, longest_document(shards))
    exactly = np.zeros((max_n, min(max_count, sum(shard.length for shard in shards)) + 2), np.int64)  # the last: more often
    if width:
        nothing = np.full((1, width), separator, shards[0].tokens.dtype)
        state = nothing[0].copy(), np.zeros(width, np.int64)
        total = 0
        for runs in ngram_runs(local, width):
            total = count_runs(runs.prefixes, runs.counts, separator, *state, total, exactly[:width])
        count_runs(nothing, np.zeros(1, np.int64), separator, *state, total, exactly[:width])
    count_of_counts = np.zeros((max_n, max_count), np.int64)
    count_of_counts[:, : exactly.shape[1] - 2] = exactly[:, 1:-1]
    num_ngrams = sum(_windows(np.diff(shard.document_offsets).astype(np.int64) - 1, max_n) for shard in shards)
    return NgramStatistics(np.arange(1, max_n + 1), np.asarray(num_ngrams), exactly.sum(1), count_of_counts)


def _windows(lengths: NDArray[np.int64], max_n: int) -> NDArray[np.int64]:
    """N-grams of documents, for n = 1 … max_n: each document of n tokens or more has one fewer of n + 1."""
    at_least = np.bincount(np.minimum(lengths, max_n), minlength=max_n + 1)[::-1].cumsum()[::-1]
    return np.asarray(lengths.sum() - np.append(0, at_least[1:-1].cumsum()))


def novelty(lengths: NDArray[np.int64], max_n: int) -> Novelty:
    """The curve that follows from match lengths: the n-gram at a position is novel if the match there is shorter than n."""
    n = np.arange(1, max_n + 1)
    num_ngrams = np.maximum(len(lengths) - n + 1, 0)
    num_known = [np.count_nonzero(lengths >= size) for size in n]  # a match of n tokens lies inside the text
    return Novelty(n, num_ngrams, num_ngrams - np.array(num_known, np.int64))
