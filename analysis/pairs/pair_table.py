"""Pairs of many examples, as numbers -> batches of the table ``PAIRS``."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.ngrams import Words
from analysis.schemas import PAIRS

BATCH_ROWS = 1 << 18  # of a batch: far below 2 GiB of text


class Grams(NamedTuple):
    """The distinct n-grams of one text: their numbers, the word that each first starts at, and how many words each has."""

    ids: NDArray[np.int64]
    firsts: NDArray[np.int64]
    length: int


class Both(NamedTuple):
    """The n-grams of an example's input and target."""

    x: Grams
    y: Grams


class Chosen(NamedTuple):
    """Pairs of one example, by places in its ``Grams``."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def only(self, which: NDArray[np.bool_]) -> "Chosen":
        return Chosen(self.x[which], self.y[which], self.similarity[which])


def pair_batches(
    examples: pa.Table,
    n: int,
    texts: Sequence[str],
    words: Sequence[tuple[Words, Words]],
    grams: Sequence[Both],
    chosen: Sequence[Chosen],
) -> Iterator[pa.RecordBatch]:
    """The chosen pairs as rows of ``PAIRS``; their numbers are set later."""
    named = pa.array(texts, pa.string())
    names = [examples[name].combine_chunks() for name in ("example_id", "task", "subset")]
    sizes = np.cumsum([len(of_one.x) for of_one in chosen])
    cuts = np.unique(np.searchsorted(sizes, np.arange(0, (sizes[-1] if len(sizes) else 0) + BATCH_ROWS, BATCH_ROWS), side="right"))
    for first, last in pairwise(np.unique([0, *cuts, len(chosen)]).tolist()):
        part = range(first, last)
        of_examples = np.repeat(np.arange(first, last), [len(chosen[i].x) for i in part])
        x = _side([words[i][0] for i in part], [grams[i].x for i in part], [chosen[i].x for i in part])
        y = _side([words[i][1] for i in part], [grams[i].y for i in part], [chosen[i].y for i in part])
        yield pa.record_batch(
            [
                pa.array(np.zeros(len(of_examples), np.int64)),
                *(column.take(pa.array(of_examples)) for column in names),
                pa.array(np.full(len(of_examples), n)),
                *(named.take(pa.array(side.ids)) for side in (x, y)),
                *(pa.array(span) for side in (x, y) for span in (side.starts, side.stops)),
                pa.array(np.concatenate([np.empty(0, np.float32), *(chosen[i].similarity for i in part)])),
            ],
            schema=PAIRS,
        )


class Side(NamedTuple):
    """The numbers and the character spans of n-grams."""

    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


def _side(words: Sequence[Words], grams: Sequence[Grams], places: Sequence[NDArray[np.int64]]) -> Side:
    """Those of the n-grams at places, example after example."""
    parts = [Side(*[np.empty(0, np.int64)] * 3)]
    for text, found, at in zip(words, grams, places, strict=True):
        if len(at):
            first = found.firsts[at]
            spans = np.array(text.starts)[first], np.array(text.stops)[first + found.length - 1]
            parts.append(Side(found.ids[at], *spans))
    return Side(*map(np.concatenate, zip(*parts, strict=True)))
