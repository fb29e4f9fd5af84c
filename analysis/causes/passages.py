"""Documents that hold an n-gram pair, and those that hold its output alone, as passages of text up to that n-gram."""

import logging
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import suffixindex as si
from analysis.errors import TableError
from analysis.ngrams import word_spans

log = logging.getLogger(__name__)

TOKEN_CHARACTERS = 16  # more than a token has on average, in any language
AFTER = 64  # characters after the n-gram: what a tokenizer looks at to cut it


class Passage(NamedTuple):
    """A part of a document, and the characters [start, stop) of the n-gram in it."""

    document_id: int
    text: str
    start: int
    stop: int


class DocumentGroups(NamedTuple):
    """Ids of documents, ascending."""

    pair: NDArray[np.int64]
    """That hold x and y."""
    output_only: NDArray[np.int64]
    """That hold y and not x."""


def sample_groups(index: "si.SuffixIndex", x: str, y: str, k: int, rng: np.random.Generator) -> DocumentGroups:
    """k documents of each group (all, if it has fewer), each equally likely. About 10 ns an occurrence of x and y."""
    holding_x, holding_y = index.document_ids(x), index.document_ids(y)
    both = np.intersect1d(holding_x, holding_y, assume_unique=True)
    alone = np.setdiff1d(holding_y, holding_x, assume_unique=True)
    return DocumentGroups(*(np.sort(rng.choice(each, min(k, len(each)), replace=False)) for each in (both, alone)))


def passage(index: "si.SuffixIndex", document_id: int, y: str, max_length: int, texts: "si.SuffixIndex | None" = None) -> Passage:
    """The passage of a document around the first occurrence of y, with what ``max_length`` tokens before it can hold.

    Its text is decoded from ``index``; that of ``words`` is the words, without case and punctuation. ``texts`` is an index of
    the same corpus that keeps the text (``bytes``, or a model's tokens): then y is where the words of that text are the
    index's. Either way its place follows from the place of its ids, not from a search in the text.

    Raises
    ------
    TableError
        ``texts`` has other documents than ``index``.
    """
    ids, wanted = index.document(document_id).token_ids, index.encode(y)
    windows = np.lib.stride_tricks.sliding_window_view(ids, len(wanted))
    first = int(np.flatnonzero((windows == wanted).all(1))[0])
    last = first + len(wanted)
    room = TOKEN_CHARACTERS * max_length
    if texts is None:
        begin = max(0, first - room)
        before_stop = index.decode(ids[begin:last])
        text = index.decode(ids[begin : last + AFTER])
        start, stop = len(before_stop) - len(index.decode(ids[first:last])), len(before_stop)
    else:
        text = texts.decode(texts.document(document_id).token_ids)
        words = word_spans(text)
        if words.words[first:last] != y.split():
            raise TableError(
                f"document {document_id} of {texts.path} has the words {' '.join(words.words[first:last])!r} where that of "
                f"{index.path} has {y!r}: give an index of the same corpus, built in the same order"
            )
        start, stop = words.starts[first], words.stops[last - 1]
    begin = max(0, start - room)
    return Passage(document_id, text[begin : stop + AFTER], start - begin, stop - begin)
