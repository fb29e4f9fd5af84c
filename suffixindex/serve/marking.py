"""A stretch of text cut at the n-grams that are to be shown in it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.index import SuffixIndex

Segment = tuple[str, int | None]
"""Text, and the clause of which it is an occurrence."""


def mark(index: SuffixIndex, ids: NDArray[Any], clauses: Sequence[Sequence[NDArray[np.int64]]]) -> list[Segment]:
    """The text of ``ids`` in segments, which put together are the whole text.

    The ids are cut at each occurrence of each n-gram, left to right, n-gram after n-gram; what one has taken no other takes.
    """
    tokens = ids.tolist()
    parts: list[tuple[int, int, int | None]] = [(0, len(tokens), None)]
    for number, clause in enumerate(clauses):
        for ngram in clause:
            sought = ngram.tolist()
            if sought:
                parts = [piece for part in parts for piece in _cut(tokens, part, sought, number)]
    return _texts(index, ids, parts)


def _cut(tokens: list[int], part: tuple[int, int, int | None], sought: list[int], number: int) -> list[tuple[int, int, int | None]]:
    """A part cut at the occurrences of an n-gram that do not overlap, from the left."""
    start, stop, label = part
    if label is not None:
        return [part]
    pieces: list[tuple[int, int, int | None]] = []
    at, size = start, len(sought)
    while at + size <= stop:
        if tokens[at] == sought[0] and tokens[at : at + size] == sought:
            pieces += [(start, at, None)] * (at > start) + [(at, at + size, number)]
            at = start = at + size
        else:
            at += 1
    return pieces + [(start, stop, None)] * (stop > start)


def _texts(index: SuffixIndex, ids: NDArray[Any], parts: list[tuple[int, int, int | None]]) -> list[Segment]:
    segments: list[Segment] = []
    spaced = index.tokenizer.kind in ("words", "none")  # words stand apart by a space that is part of none
    for start, stop, label in parts:
        text = index.decode(ids[start:stop])
        if spaced and start > 0:
            if label is None:
                text = f" {text}"
            elif segments[-1][1] is None:
                segments[-1] = f"{segments[-1][0]} ", None
            else:
                segments.append((" ", None))
        segments.append((text, label))
    return segments
