"""The build's side of ``words``: words numbered by first occurrence."""

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from suffixindex.kernels.text import SPARE
from suffixindex.kernels.text.words import hash_words
from suffixindex.storage.files import write_array
from suffixindex.tokenizers.splitting import SplitWords, split_batch
from suffixindex.tokenizers.word_table import WordList, WordTable, grown
from suffixindex.tokenizers.words import VOCABULARY_OFFSETS, VOCABULARY_ORDER

KNOWN_WORDS, KNOWN_BYTES = 1 << 19, 1 << 24  # 40 MB at most, and a batch
FRESH_WORDS = 1 << 14  # of which so many are forgotten if they do not come again, so that their table stays in the cache
SORTED_BYTES = 64  # of a word, by which it is sorted together with all; the few that agree in so many are sorted by themselves
LEADING = np.array([(1 << 64) - (1 << 8 * (8 - count)) for count in range(9)], np.uint64)
"""The first so many of eight bytes."""
FEW = 64  # new words for each of which so many that are known are as cheap to sort again as to search


def words_of(content: bytes) -> WordList:
    """A text file of distinct words, one a line. O(bytes)."""
    pool = np.frombuffer(content + bytes(SPARE), np.uint8)
    starts = np.concatenate([[0], np.flatnonzero(pool == ord("\n")) + 1])
    words = len(starts) - 1
    hashes = np.empty(words, np.uint64)
    with np.errstate(over="ignore"):
        hash_words(words, starts, pool, hashes)
    return WordList(hashes, starts, pool)


class VocabularyBuilder:
    """The growing vocabulary of a build: words in the order of their first occurrence, after the reserved id 0."""

    def __init__(self, content: bytes = b"\n") -> None:
        """With ``content``, as it was when that was its pool. O(bytes)."""
        self._table = WordTable(1 << 19)
        self._table.load(words_of(content))

    @property
    def num_words(self) -> int:
        return self._table.num_words

    @property
    def num_bytes(self) -> int:
        return self._table.num_bytes

    def pool(self, start: int = 0) -> memoryview:
        """The words from byte ``start`` on, one a line."""
        return memoryview(self._table.words.pool[start : self.num_bytes])

    def number(self, words: WordList) -> NDArray[np.uint32]:
        """The words' ids; new words are appended. O(bytes)."""
        return self._table.number(words)

    def write_lookup(self, folder: Path, known: NDArray[np.uint32] | None = None) -> None:
        """Write the files that find a word's line and id; O(words log words), of words after those whose order is ``known``."""
        write_array(folder / VOCABULARY_OFFSETS, self._table.words.starts.astype("<u8"))
        write_array(folder / VOCABULARY_ORDER, np.array(self._order(known if known is not None else np.empty(0, "<u4")), "<u4"))

    def _order(self, known: NDArray[np.uint32]) -> NDArray[Any]:
        """All words in the order of their bytes."""
        words, first = self._table.words, len(known)
        if (self.num_words - first) * FEW > first:
            return in_order(words)
        ordered = first + in_order(self._table.since(first))
        return np.insert(known, [bisect_left(known, words.line(word), key=words.line) for word in ordered.tolist()], ordered)


def in_order(words: WordList) -> NDArray[np.int64]:
    """The numbers of words in the order of their bytes: by eight at a time, as long as words agree in them.

    O(words log words). Memory: some 70 bytes a word.
    """
    windows = sliding_window_view(words.pool, 8)
    order = np.arange(len(words.hashes))
    places, groups = order.copy(), np.zeros_like(order)  # of words that agree so far
    for depth in range(0, SORTED_BYTES, 8):
        if not len(places):
            return order
        agreeing = order[places]
        begin = words.starts[agreeing] + depth
        left = np.clip(words.starts[agreeing + 1] - 1 - begin, 0, 8)
        eight = windows[np.where(left > 0, begin, 0)].view(">u8")[:, 0].astype(np.uint64) & LEADING[left]
        by = np.lexsort((eight, groups)) if depth else np.argsort(eight)
        order[places], eight = agreeing[by], eight[by]
        same = (groups[1:] == groups[:-1]) & (eight[1:] == eight[:-1])
        agree = np.append(same, False) | np.append(False, same)
        groups = np.cumsum(np.append(True, ~same))[agree]
        places = places[agree]
    for run in np.split(places, np.flatnonzero(np.diff(groups)) + 1):
        order[run] = sorted(order[run].tolist(), key=words.line)
    return order


class KnownWords:
    """Words that a process numbers by itself, and what it is told of their numbers in a vocabulary that grows elsewhere.

    So it asks for the number of a word once. ``split`` on one thread, ``learn`` on another, in the same order.
    """

    def __init__(self) -> None:
        self._table = WordTable(KNOWN_BYTES)
        self._tokens = 0
        self._numbers = np.empty(0, np.uint32)
        self._told = 0

    @property
    def full(self) -> bool:
        """Whether it knows so many words, or so many that do not come again, that another should begin."""
        words = self._table.num_words
        return words > (KNOWN_WORDS if self._tokens > 2 * words else FRESH_WORDS) or self._table.num_bytes > KNOWN_BYTES

    def split(self, texts: Sequence[str | memoryview], threads: int = 1) -> SplitWords:
        """Documents in its own numbers, and the next question: the words that are new."""
        split = split_batch(texts, self._table, threads)
        self._tokens += len(split.ids)
        return split

    def learn(self, told: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The numbers of all words so far; ``told`` are those of the question after the last that was answered."""
        before, self._told = self._told, self._told + len(told)
        self._numbers = grown(self._numbers, self._told)
        self._numbers[before : self._told] = told
        return self._numbers[: self._told]
