"""Tables that could lead a search to its ranks, side by side: bytes a token against time, on one index.

    python -m benchmarks.search_tables INDEX

``none`` bisects all ranks. ``first token`` keeps the first rank of every id. ``code buckets`` cut the order of suffixes into 2^b
buckets of about equal size by an arithmetic code of their first four tokens. ``tree`` is the search tree, by its spacing in
ranks. All go 32 queries abreast and ask the memory ahead; one thread, 100,000 n-grams of 1 to 8 tokens, the answers compared.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import suffixindex as si
from benchmarks.tables import ROOT, insert, markdown, save
from suffixindex.kernels.jit import kernel, prefetch
from suffixindex.kernels.search import ABREAST, _compare, find_intervals
from suffixindex.ngrams import NgramBatch, join
from suffixindex.storage.shard import Shard
from suffixindex.storage.tables import grow_search_tree, search_tree

QUERIES = 100_000
LONGEST = 8
CODED = 4
"""Tokens in a code: more bits than any table here has."""
CHUNK = 1 << 22
REPEATS = 5

Design = tuple[str, int, Callable[[NgramBatch, NDArray[np.int64], NDArray[np.int64]], None]]
"""Name, bytes of its table, and what fills the intervals of a batch."""


@kernel
def bisect_abreast(tokens, suffix_array, ids, starts, stops, least, most, low, high):  # type: ignore[no-untyped-def]
    """Fill the intervals of n-grams whose two ends lie among the ranks ``least[q] … most[q]``."""
    below = np.empty(2 * ABREAST, np.int64)
    above = np.empty(2 * ABREAST, np.int64)
    position = np.empty(2 * ABREAST, np.int64)
    for begin in range(0, len(starts), ABREAST):
        searches = 2 * (min(begin + ABREAST, len(starts)) - begin)
        for search in range(searches):
            below[search], above[search] = least[begin + (search >> 1)], most[begin + (search >> 1)]
        going = searches
        while going > 0:
            for search in range(searches):
                prefetch(suffix_array, (below[search] + above[search]) >> 1)
            for search in range(searches):
                if below[search] < above[search]:
                    position[search] = np.int64(suffix_array[(below[search] + above[search]) >> 1])
                    prefetch(tokens, position[search])
            going = 0
            for search in range(searches):
                if below[search] < above[search]:
                    q = begin + (search >> 1)
                    order = _compare(tokens, position[search], ids, starts[q], stops[q])
                    middle = (below[search] + above[search]) >> 1
                    if order < 0 or (order == 0 and search & 1):
                        below[search] = middle + 1
                    else:
                        above[search] = middle
                    going += np.int64(below[search] < above[search])
        for search in range(searches):
            if search & 1:
                high[begin + (search >> 1)] = below[search]
            else:
                low[begin + (search >> 1)] = below[search]


@kernel
def code_bounds(below, share, separator, offsets, ids, starts, stops, least, most):  # type: ignore[no-untyped-def]
    """Fill the ranks of the first and after the last code bucket that suffixes with each n-gram may lie in."""
    buckets = len(offsets) - 1
    for q in range(len(starts)):
        least_code, most_code, width = 0.0, 1.0, 1.0
        for i in range(starts[q], min(stops[q], starts[q] + CODED)):
            least_code += width * below[ids[i]]
            width *= share[ids[i]]
            most_code = least_code + width
            if ids[i] == separator:
                most_code = least_code
        least[q] = np.int64(offsets[np.int64(min(least_code, 1 - 2**-53) * buckets)])
        # rounding may put a code one bucket on
        most[q] = np.int64(offsets[min(np.int64(min(most_code, 1 - 2**-53) * buckets) + 2, buckets)])


def none(shard: Shard, vocabulary_size: int) -> Design:
    tree = search_tree(np.empty(0, np.uint64), shard.length, vocabulary_size)
    return (
        "none",
        0,
        lambda batch, low, high: find_intervals(shard.tokens, shard.suffix_array, *tree, *batch[:3], 0, len(batch), low, high),
    )


def tree(shard: Shard, vocabulary_size: int, spacing: int) -> Design:
    grown = grow_search_tree(shard.tokens, shard.suffix_array, vocabulary_size, spacing)

    def answer(batch: NgramBatch, low: NDArray[np.int64], high: NDArray[np.int64]) -> None:
        find_intervals(shard.tokens, shard.suffix_array, *grown, *batch[:3], 0, len(batch), low, high)

    return f"tree, spacing {spacing}", grown.keys.nbytes, answer


def first_token(shard: Shard, separator: int) -> Design:
    counts = np.bincount(shard.tokens, minlength=separator + 1)
    offsets = np.append(0, np.cumsum(counts)).astype(np.uint32)

    def answer(batch: NgramBatch, low: NDArray[np.int64], high: NDArray[np.int64]) -> None:
        first = batch.ids[batch.starts]
        least, most = offsets[first].astype(np.int64), offsets[first + 1].astype(np.int64)
        bisect_abreast(shard.tokens, shard.suffix_array, *batch, least, most, low, high)

    return "first token", offsets.nbytes, answer


def code_buckets(shard: Shard, separator: int, bits: int) -> Design:
    counts = np.bincount(shard.tokens, minlength=separator + 1)
    share = counts / counts.sum()
    below = np.append(0.0, np.cumsum(share))[:-1]

    padded = np.append(shard.tokens, np.full(CODED, separator, shard.tokens.dtype))
    sizes = np.zeros(1 << bits, np.int64)
    for start in range(0, shard.length, CHUNK):
        length = min(CHUNK, shard.length - start)
        codes, width = np.zeros(length), np.ones(length)
        for i in range(CODED):
            tokens = padded[start + i : start + i + length]
            codes += width * below[tokens]
            width *= np.where(tokens == separator, 0.0, share[tokens])  # nothing counts after a separator
        sizes += np.bincount((np.minimum(codes, 1 - 2**-53) * (1 << bits)).astype(np.int64), minlength=1 << bits)
    offsets = np.append(0, np.cumsum(sizes)).astype(np.uint32)

    def answer(batch: NgramBatch, low: NDArray[np.int64], high: NDArray[np.int64]) -> None:
        least, most = np.empty(len(batch), np.int64), np.empty(len(batch), np.int64)
        code_bounds(below, share, separator, offsets, *batch, least, most)
        bisect_abreast(shard.tokens, shard.suffix_array, *batch, least, most, low, high)

    return f"code buckets, 2^{bits}", offsets.nbytes, answer


def queries(shard: Shard, separator: int) -> NgramBatch:
    """N-grams of the corpus, one in five with another last token."""
    rng = np.random.default_rng(0)
    found: list[NDArray[np.int64]] = []
    while len(found) < QUERIES:
        start, length = int(rng.integers(0, shard.length - LONGEST)), int(rng.integers(1, LONGEST + 1))
        ngram = shard.tokens[start : start + length].astype(np.int64)
        if separator in ngram:
            continue
        if rng.random() < 0.2:
            ngram[-1] = found[-1][0] if found else ngram[0]
        found.append(ngram)
    return join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index")
    index = si.open(parser.parse_args().index)
    shard = index.shards[0]
    batch = queries(shard, index.separator)
    designs = [
        none(shard, index.vocabulary_size),
        first_token(shard, index.separator),
        *(code_buckets(shard, index.separator, bits) for bits in (20, 22)),
        *(tree(shard, index.vocabulary_size, spacing) for spacing in (16, 32, 64, 128)),
    ]
    low, high = np.empty((len(designs), QUERIES), np.int64), np.empty((len(designs), QUERIES), np.int64)
    seconds: list[list[float]] = [[] for _ in designs]
    for _ in range(1 + REPEATS):  # the first compiles
        for i, (_, _, answer) in enumerate(designs):
            started = time.perf_counter()
            answer(batch, low[i], high[i])
            seconds[i].append((time.perf_counter() - started) / QUERIES)
    assert all(np.array_equal(high[0] - low[0], high[i] - low[i]) for i in range(len(designs)))
    rows = [
        {"table": name, "bytes_per_token": size / shard.length, "seconds": statistics.median(times[1:])}
        for (name, size, _), times in zip(designs, seconds, strict=True)
    ]
    print(json.dumps(rows, indent=1))
    save("search-tables", {"tokens": shard.length, "rows": rows})
    shown = [[row["table"], f"{row['bytes_per_token']:.3f}", f"{row['seconds'] * 1e6:.2f}"] for row in rows]
    note = f"{shard.length:,} tokens; one thread, medians of {REPEATS} in turn."
    table = markdown(["table", "bytes a token", "µs a query, in bulk"], shown)
    insert(ROOT / "benchmarks" / "README.md", "search-tables", f"{table}\n\n{note}")


if __name__ == "__main__":
    main()
