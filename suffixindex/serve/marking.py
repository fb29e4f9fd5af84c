"""A stretch of text cut at the n-grams that are to be shown in it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.index import SuffixIndex

Segment = tuple[str, int | None]
"""Text, and the clause of which it is an occurrence."""

CONTEXT = 4
"""Tokens before a stretch on which its text may depend."""


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
    """Each part's text as it stands in the whole: decoded with what is before it, which is then left out."""
    segments: list[Segment] = []
    for start, stop, label in parts:
        begin = max(0, start - CONTEXT)
        before, both = index.decode(ids[begin:start]), index.decode(ids[begin:stop])
        text = both[len(before) :] if both.startswith(before) else index.decode(ids[start:stop])
        if index.tokenizer.kind == "words" and start > 0 and label is not None:  # the space before a word is no part of it
            text = text.removeprefix(" ")
            if segments[-1][1] is None:
                segments[-1] = f"{segments[-1][0]} ", None
            else:
                segments.append((" ", None))
        segments.append((text, label))
    return segments
