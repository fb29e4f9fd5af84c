"""Counting: documents that hold the two n-grams of a pair, and each alone. One unit throughout, so that a ratio is one of counts
of the same thing; occurrences stand beside it.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

import suffixindex as si
from analysis.errors import TableError
from analysis.pairs.drops import DropCounter
from analysis.pairs.word_index import WordIds
from analysis.progress import in_blocks
from analysis.schemas import COUNTS

BLOCK_OF_PAIRS = 1 << 17
"""Pairs that share their n-grams in one call: a tenth of a second, minutes with a window of frequent n-grams."""
REASONS = ("zero_context", "zero_pair", "kept")


class Distinct(NamedTuple):
    """The distinct pairs (n, x, y) of a table in the order of their first row, and the number of each row's."""

    pairs: pa.Table
    of_rows: NDArray[np.int64]


def count_pairs(
    pairs: pa.Table, index: si.SuffixIndex, *, aliases: Mapping[str, Sequence[str]] | None = None, window: int | None = None
) -> pa.Table:
    """Count each distinct pair of ``PAIRS`` in an index of words: a table of ``COUNTS``.

    Parameters
    ----------
    pairs
        Only the columns n, x and y are read.
    index
        Built with ``--tokenizer words``.
    aliases
        y -> other names for it, all normalised; see :mod:`analysis.pairs.aliases`. Documents then hold any of them, and occurrences
        are those of any, where one that holds another counts once.
    window
        Words: both must start within so many of each other; none: in the same document.

    Raises
    ------
    ConfigError
        The index is of other tokens.

    Notes
    -----
    Pairs are counted in large blocks, in which they share their n-grams: a million pairs of 200,000 n-grams are a matter of
    seconds (benchmarks/README.md). A window, and pairs whose y has aliases, cost more.
    """
    found = distinct_pairs(pairs).pairs
    words = WordIds(index)
    (of_x, xs), (of_y, ys) = number_values(found["x"]), number_values(found["y"])
    x_ids, y_ids = words.ngrams(xs), words.ngrams(ys)
    unions = _unions(ys, aliases or {}, words)
    together = _together(index, x_ids, y_ids, of_x, of_y, unions, window)
    x_documents, y_documents = index.document_counts(x_ids), index.document_counts(y_ids)
    x_occurrences, y_occurrences = index.counts(x_ids), index.counts(y_ids)
    if unions:
        named = list(unions)
        clauses = [[unions[place]] for place in named]
        y_documents[named] = list(in_blocks(clauses, index.cooccurrences, desc="aliases", unit="names"))
        y_occurrences[named] = [index.counts(unions[place]).sum() for place in named]
    columns = [together, x_documents[of_x], y_documents[of_y], x_occurrences[of_x], y_occurrences[of_y]]
    return pa.table([*found.columns, *map(pa.array, columns)], schema=COUNTS)


def distinct_pairs(pairs: pa.Table) -> Distinct:
    """Number the distinct (n, x, y) of a table by their first row. O(rows log rows) comparisons of integers."""
    codes = np.zeros(pairs.num_rows, np.int64)
    for name in ("n", "x", "y"):
        numbers, values = number_values(pairs[name])
        codes = codes * max(len(values), 1) + numbers
    _, first, of_rows = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return Distinct(pairs.select(["n", "x", "y"]).take(pa.array(first[order])), number[of_rows])


def number_values(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[Any]]:
    """The number of each row's value, from 0 by first row, and the values. O(rows)."""
    coded = pc.dictionary_encode(column)
    chunks = [chunk.indices.to_numpy() for chunk in coded.chunks]
    return np.concatenate([np.empty(0, np.int64), *chunks]), coded.chunk(0).dictionary.to_pylist() if coded.num_chunks else []


def count_drops(pairs: pa.Table, counts: pa.Table) -> pa.Table:
    """Which rows of ``PAIRS`` the corpus says nothing of, as a table of ``DROPS``.

    ``zero_context``: no document holds x. ``zero_pair``: some do, but none holds y too. The paper drops both.
    """
    rows = join_counts(pairs, counts)
    reasons = np.where(rows["x_documents"] == 0, 0, np.where(rows["pair_documents"] == 0, 1, 2))
    drops = DropCounter("count", REASONS)
    grouped = pairs.select(["task", "subset", "n", "example_id"]).append_column("reason", pa.array(reasons))
    by_example = grouped.group_by(["task", "subset", "n", "reason", "example_id"], use_threads=False).aggregate([([], "count_all")])
    for row in by_example.to_pylist():
        group = row["task"], row["subset"], row["n"]
        drops.add(group, "kept", 0, 0)
        drops.add(group, REASONS[row["reason"]], row["count_all"])
    return drops.table()


def join_counts(pairs: pa.Table, counts: pa.Table) -> dict[str, NDArray[np.int64]]:
    """The counts of each row of ``pairs``, by column.

    Raises
    ------
    TableError
        A pair was not counted, or twice.
    """
    both = pa.concat_tables([counts.select(["n", "x", "y"]), pairs.select(["n", "x", "y"])])
    numbers = distinct_pairs(both).of_rows
    if len(np.unique(numbers[: counts.num_rows])) < counts.num_rows:
        raise TableError("the table of counts has several rows for one pair (n, x, y): count again")
    place = np.full(int(numbers.max(initial=-1)) + 1, -1)
    place[numbers[: counts.num_rows]] = np.arange(counts.num_rows)
    of_rows = place[numbers[counts.num_rows :]]
    missing = np.flatnonzero(of_rows < 0)
    if len(missing):
        row = pairs.slice(int(missing[0]), 1).to_pylist()[0]
        raise TableError(
            f"the pair {row['x']!r}, {row['y']!r} (n = {row['n']}) has no counts: count these pairs first; "
            f"{len(missing):,} of {pairs.num_rows:,} pairs have no counts"
        )
    return {name: counts[name].to_numpy()[of_rows] for name in COUNTS.names[3:]}


def _unions(ys: Sequence[str], aliases: Mapping[str, Sequence[str]], words: WordIds) -> dict[int, list[list[int]]]:
    """Place of y -> the ids of its names, without those that hold another: where one of these stands, so does the other."""
    found = {}
    for place, y in enumerate(ys):
        if aliases.get(y):
            names = [f" {name} " for name in dict.fromkeys([y, *aliases[y]])]
            least = [name.strip() for name in names if not any(other in name and other != name for other in names)]
            found[place] = words.ngrams(least)
    return found


def _together(
    index: si.SuffixIndex,
    x_ids: Sequence[list[int]],
    y_ids: Sequence[list[int]],
    of_x: NDArray[np.int64],
    of_y: NDArray[np.int64],
    unions: Mapping[int, list[list[int]]],
    window: int | None,
) -> NDArray[np.int64]:
    """Documents that hold both n-grams of each pair."""
    counts = np.zeros(len(of_x), np.int64)
    united = np.isin(of_y, list(unions))
    numbers = np.stack([of_x, of_y + len(x_ids)], axis=1)[~united]
    ngrams = [*x_ids, *y_ids]

    def numbered(block: NDArray[np.int64]) -> NDArray[np.int64]:
        used, of_block = np.unique(block, return_inverse=True)
        return index.cooccurrences(of_block.reshape(block.shape), [ngrams[number] for number in used], window=window)

    counts[~united] = list(in_blocks(numbers, numbered, desc="counting", unit="pairs", size=BLOCK_OF_PAIRS))
    clauses = {place: tuple(map(tuple, names)) for place, names in unions.items()}
    questions = [(tuple(x_ids[x]), clauses[y]) for x, y in zip(of_x[united].tolist(), of_y[united].tolist(), strict=True)]
    counts[united] = list(in_blocks(questions, partial(index.cooccurrences, window=window), desc="counting aliases", unit="pairs"))
    return counts
