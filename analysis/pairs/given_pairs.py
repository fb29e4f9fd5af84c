"""Pairs that are known beforehand instead of mined: entities that were linked, facts that were planted."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import TableError
from analysis.ngrams import Words, word_spans
from analysis.pairs.drops import DropCounter
from analysis.pairs.mining import Mined
from analysis.schemas import PAIRS, SIMILARITIES
from analysis.tables import table_of

REASONS = ("x_not_in_input", "y_not_in_target", "kept")
COLUMNS = ("example_id", "n", "x", "y")


def find_pairs(examples: pa.Table, given: pa.Table) -> Mined:
    """Known pairs with their places in the examples: a table of ``PAIRS``, and what could not be placed.

    Parameters
    ----------
    examples
        A table of ``EXAMPLES``.
    given
        ``example_id``, ``n``, ``x`` and ``y``: the example whose input holds x and whose target holds y, n-grams of words
        in any spelling. Pairs of other examples are passed over.

    Returns
    -------
    Mined
        ``similarity`` is 1. Drops: ``x_not_in_input``, ``y_not_in_target``.

    Raises
    ------
    TableError
        A column is missing, a pair lacks a value, or no pair is of these examples.
    """
    if missing := [name for name in COLUMNS if name not in given.column_names]:
        raise TableError(f"the given pairs have no column {missing[0]}; expected {', '.join(COLUMNS)}")
    known = {row["example_id"]: row for row in examples.select(["example_id", "task", "subset", "input", "target"]).to_pylist()}
    drops = DropCounter("mine", REASONS)
    rows: list[dict[str, Any]] = []
    for number, pair in enumerate(given.select(list(COLUMNS)).to_pylist(), 1):
        _check(number, pair)
        example = known.get(pair["example_id"])
        if example is None:
            continue
        x, y = (" ".join(word_spans(pair[side]).words) for side in "xy")
        x_span, y_span = _span(word_spans(example["input"]), x), _span(word_spans(example["target"]), y)
        reason = "x_not_in_input" if x_span is None else "y_not_in_target" if y_span is None else "kept"
        drops.add((example["task"], example["subset"], pair["n"]), reason, 1)
        if x_span is not None and y_span is not None:
            about = {name: example[name] for name in ("example_id", "task", "subset")}
            about |= {"x_start": x_span[0], "x_stop": x_span[1], "y_start": y_span[0], "y_stop": y_span[1], "similarity": 1.0}
            rows.append({"row": len(rows), "n": pair["n"], "x": x, "y": y, **about})
    if not rows:
        raise TableError("none of the given pairs is in an example of the task: do the ids belong together?")
    return Mined(table_of(rows, PAIRS), drops.table(), SIMILARITIES.empty_table())


def _check(number: int, pair: dict[str, Any]) -> None:
    for column in COLUMNS:
        kind = int if column == "n" else str
        if not isinstance(pair[column], kind):
            expected = "a whole number" if kind is int else "a text"
            raise TableError(f"the given pairs, row {number}: {column} is {pair[column]!r}; expected {expected}")


def read_given(path: Path) -> pa.Table:
    """A Parquet file of known pairs.

    Raises
    ------
    TableError
        It is none.
    """
    try:
        return pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path} cannot be read as Parquet: {error}") from error


def _span(words: Words, ngram: str) -> tuple[int, int] | None:
    """The characters of the first occurrence of an n-gram."""
    size = len(ngram.split())
    first = words.ngrams(size).get(ngram) if size else None
    return None if first is None else (words.starts[first], words.stops[first + size - 1])
