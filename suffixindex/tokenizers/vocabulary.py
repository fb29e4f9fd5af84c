"""The build's side of ``words``: words numbered by first occurrence."""

from bisect import bisect_left
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels.text.words import hash_words, intern_words
from suffixindex.storage.files import write_array
from suffixindex.tokenizers.word_table import WordList, WordTable, grown
from suffixindex.tokenizers.words import VOCABULARY_OFFSETS, VOCABULARY_ORDER

KNOWN_WORDS = 1 << 19  # some 25 MB
UNKNOWN = np.uint32(0xFFFFFFFF)
FEW = 64  # new words for each of which so many that are known are as cheap to sort again as to search


def words_of(content: bytes) -> WordList:
    """A text file of distinct words, one a line. O(bytes)."""
    pool = np.frombuffer(content, np.uint8)
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
        return memoryview(self._table.words.pool[start:])

    def number(self, words: WordList) -> NDArray[np.uint32]:
        """The words' ids; new words are appended. O(bytes)."""
        table, count = self._table, len(words.hashes)
        table.reserve(table.num_words + count, table.num_bytes + len(words.pool))
        numbers = np.empty(count, np.uint32)
        table.num_words = intern_words(count, words.starts, words.hashes, words.pool, table.num_words, *table.arrays, numbers)
        return numbers

    def write_lookup(self, folder: Path, known: NDArray[np.uint32] | None = None) -> None:
        """Write the files that find a word's line and id; O(words log words), of words after those whose order is ``known``."""
        write_array(folder / VOCABULARY_OFFSETS, self._table.words.starts.astype("<u8"))
        write_array(folder / VOCABULARY_ORDER, np.array(self._order(known if known is not None else np.empty(0, "<u4")), "<u4"))

    def _order(self, known: NDArray[np.uint32]) -> NDArray[np.uint32] | list[int]:
        """All words in the order of their bytes."""
        pool, starts = self.pool().tobytes(), self._table.words.starts
        new = range(len(known), self.num_words)
        if len(new) * FEW > len(known):
            lines = pool.split(b"\n")
            return sorted([*known.tolist(), *new], key=lines.__getitem__)  # which takes a run in order as it is

        def line(word: int) -> bytes:
            return pool[starts[word] : starts[word + 1] - 1]

        ordered = sorted(new, key=line)
        return np.insert(known, [bisect_left(known, line(word), key=line) for word in ordered], ordered)


class Asked(NamedTuple):
    """Words whose numbers were asked for: where they are kept, and which were unknown."""

    places: NDArray[np.uint32]
    unknown: NDArray[np.bool_]


class KnownWords:
    """What a process has been told of a vocabulary that grows elsewhere, so that it asks for the number of a word once.

    ``ask`` on one thread, ``learn`` on another.
    """

    def __init__(self) -> None:
        self._words = VocabularyBuilder()
        self._numbers = np.full(1 << 15, UNKNOWN)
        self._lock = Lock()

    @property
    def full(self) -> bool:
        """Whether it knows so many words that another should begin."""
        return self._words.num_words > KNOWN_WORDS

    def ask(self, words: WordList) -> tuple[Asked, WordList]:
        """A question for the numbers of words, and those that are not known. O(bytes)."""
        places = self._words.number(words)
        with self._lock:
            known = len(self._numbers)
            self._numbers = grown(self._numbers, self._words.num_words)
            self._numbers[known:] = UNKNOWN
            unknown = self._numbers[places] == UNKNOWN
        sizes = np.diff(words.starts)
        starts = np.append(0, np.cumsum(sizes[unknown]))
        return Asked(places, unknown), WordList(words.hashes[unknown], starts, words.pool[np.repeat(unknown, sizes)])

    def learn(self, asked: Asked, told: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The numbers of all words of a question; ``told`` are those of the ones that were not known."""
        with self._lock:
            self._numbers[asked.places[asked.unknown]] = told
            return self._numbers[asked.places]
