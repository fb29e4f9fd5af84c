"""The build's side of ``words``: words numbered by first occurrence."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels.words import hash_words, intern_words, place_words
from suffixindex.storage.files import write_array
from suffixindex.tokenizers.splitting import WordList
from suffixindex.tokenizers.words import VOCABULARY_OFFSETS, VOCABULARY_ORDER

KNOWN_WORDS = 1 << 19  # some 25 MB
UNKNOWN = np.uint32(0xFFFFFFFF)


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

    def __init__(self) -> None:
        self.num_words = 0
        self._slots = np.zeros(1 << 16, np.uint32)
        self._hashes = np.empty(1 << 15, np.uint64)
        self._starts = np.zeros((1 << 15) + 1, np.int64)
        self._pool = np.empty(1 << 19, np.uint8)
        self._load(b"\n")

    @classmethod
    def restore(cls, content: bytes) -> "VocabularyBuilder":
        """The builder as it was when its pool was ``content``."""
        builder = cls()
        builder.num_words = 0
        builder._load(content)
        return builder

    @property
    def num_bytes(self) -> int:
        return int(self._starts[self.num_words])

    def pool(self, start: int = 0) -> memoryview:
        """The words from byte ``start`` on, one a line."""
        return memoryview(self._pool[start : self.num_bytes])

    def number(self, words: WordList) -> NDArray[np.uint32]:
        """The words' ids; new words are appended. O(bytes)."""
        count = len(words.hashes)
        self._reserve(self.num_words + count, self.num_bytes + len(words.pool))
        numbers = np.empty(count, np.uint32)
        table = (self._slots, self._hashes, self._starts, self._pool)
        self.num_words = intern_words(count, words.starts, words.hashes, words.pool, self.num_words, *table, numbers)
        return numbers

    def write_lookup(self, folder: Path, known: Sequence[int] = ()) -> None:
        """Write the files that find a word's line and id; O(words log words), of words after those whose order is ``known``."""
        starts = self._starts[: self.num_words + 1]
        write_array(folder / VOCABULARY_OFFSETS, starts.astype("<u8"))
        lines = bytes(self.pool()).split(b"\n")
        del lines[-1]
        order = sorted([*known, *range(len(known), len(lines))], key=lines.__getitem__)  # which takes a run in order as it is
        write_array(folder / VOCABULARY_ORDER, np.array(order, "<u4"))

    def _load(self, content: bytes) -> None:
        known = words_of(content)
        words = len(known.hashes)
        self._reserve(words, len(known.pool))
        self._pool[: len(known.pool)] = known.pool
        self._starts[: words + 1] = known.starts
        self._hashes[:words] = known.hashes
        self._slots[:] = 0
        place_words(words, self._slots, self._hashes)
        self.num_words = words

    def _reserve(self, words: int, num_bytes: int) -> None:
        self._pool = _grown(self._pool, num_bytes)
        self._hashes = _grown(self._hashes, words)
        self._starts = _grown(self._starts, words + 1)
        if 2 * words > len(self._slots):
            self._slots = np.zeros(1 << (2 * words - 1).bit_length(), np.uint32)
            place_words(self.num_words, self._slots, self._hashes)


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
            self._numbers = _grown(self._numbers, self._words.num_words)
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


def _grown(array: NDArray[Any], length: int) -> NDArray[Any]:
    if length <= len(array):
        return array
    grown = np.empty(max(length, 2 * len(array)), array.dtype)
    grown[: len(array)] = array
    return grown
