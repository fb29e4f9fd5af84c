"""The ``words`` tokenizer: punctuation to spaces, lower case, split; ids by first occurrence.

A character of Unicode category P or S (in ASCII exactly ``string.punctuation``) or white space stands between words.
These are the word n-grams of arXiv 2407.14985. Id 0 is reserved for words that the corpus does not hold: it occurs
nowhere, so a question with an unknown word counts 0. The vocabulary lies on disk sorted, so that one question reads a
few pages of it and a build of any size opens at once.
"""

import sys
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex.files import map_array, write_array

VOCABULARY = "vocabulary.txt"
VOCABULARY_OFFSETS = "vocabulary_offsets.u64"
VOCABULARY_ORDER = "vocabulary_order.u32"
VOCABULARY_FILES = (VOCABULARY, VOCABULARY_OFFSETS, VOCABULARY_ORDER)

UNKNOWN = 0
FOLDING_LIMIT = 0x20000  # beyond lie only ideographs, tags and private use: no case, no punctuation
CONTEXTUAL_CASE = "\u03a3\u0130"  # lower case depends on the neighbours (final sigma), or is two characters


def normalize(text: str) -> str:
    """Text with every character between words turned into a space, in lower case."""
    return "".join(" " if unicodedata.category(character)[0] in "PS" else character for character in text).lower()


@cache
def _folding() -> NDArray[np.uint32]:
    """Lower case of every code point below ``FOLDING_LIMIT``, or the mark that it stands between words."""
    from suffixindex.kernels.words import SPACE

    table = np.arange(FOLDING_LIMIT, dtype=np.uint32)
    for code in range(FOLDING_LIMIT):
        character = chr(code)
        if character.isspace() or unicodedata.category(character)[0] in "PS":
            table[code] = SPACE
        elif (lower := character.lower()) != character and len(lower) == 1:
            table[code] = ord(lower)
    return table


class Words:
    """Encode and decode with the vocabulary of an index, which stays on disk.

    Encoding a word costs O(log vocabulary) page reads, decoding an id one.
    """

    kind = "words"

    def __init__(self, folder: Path) -> None:
        self._text: NDArray[np.uint8] = map_array(folder / VOCABULARY, "u1")
        self._offsets: NDArray[np.uint64] = map_array(folder / VOCABULARY_OFFSETS, "<u8")
        self._order: NDArray[np.uint32] = map_array(folder / VOCABULARY_ORDER, "<u4")
        self.vocabulary_size = len(self._order)

    def _line(self, word_id: int) -> bytes:
        return self._text[int(self._offsets[word_id]) : int(self._offsets[word_id + 1]) - 1].tobytes()

    def _id(self, word: bytes) -> int:
        low, high = 0, self.vocabulary_size
        while low < high:
            middle = (low + high) // 2
            if self._line(int(self._order[middle])) < word:
                low = middle + 1
            else:
                high = middle
        found = int(self._order[low]) if low < self.vocabulary_size else UNKNOWN
        return found if self._line(found) == word else UNKNOWN

    def encode(self, text: str) -> NDArray[np.uint32]:
        """Ids of the words of a text; 0 for a word that the corpus does not hold."""
        return np.array([self._id(word.encode()) for word in normalize(text).split()], np.uint32)

    def pieces(self, ids: ArrayLike) -> list[str]:
        """The word of each id; ``?`` for the reserved id 0."""
        return [self._line(int(i)).decode() or "?" for i in np.asarray(ids)]

    def decode(self, ids: ArrayLike) -> str:
        """The words of the ids, joined by spaces."""
        return " ".join(self.pieces(ids))


class SplitWords(NamedTuple):
    """A batch of documents in numbers of its own, and the distinct words that these mean."""

    ids: NDArray[np.uint32]
    lengths: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    pool: NDArray[np.uint8]


def split_batch(texts: Sequence[str]) -> SplitWords:
    """Split texts into words, numbered by first occurrence within the batch. Any thread; O(bytes)."""
    from suffixindex.kernels.words import split_words

    encoded = [_encode(text) for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(content) for content in encoded], out=offsets[1:])
    text = np.frombuffer(b"".join(encoded), np.uint8)
    ids = np.empty(len(text) // 2 + len(texts) + 1, np.uint32)
    lengths = np.empty(len(texts), np.int64)
    tokens, _, hashes, starts, pool = split_words(text, offsets, _folding(), ids, lengths)
    return SplitWords(ids[:tokens], lengths, hashes, starts, pool)


def _encode(text: str) -> bytes:
    if not text.isascii() and any(character in text for character in CONTEXTUAL_CASE):
        text = normalize(text)
    return text.encode()


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

    def assign(self, batch: SplitWords) -> NDArray[np.uint32]:
        """The batch's ids in the numbers of this vocabulary, in place; new words are appended. O(tokens + bytes)."""
        from suffixindex.kernels.documents import renumber
        from suffixindex.kernels.words import intern_words

        count = len(batch.hashes)
        self._reserve(self.num_words + count, self.num_bytes + len(batch.pool))
        numbers = np.empty(count, np.uint32)
        table = (self._slots, self._hashes, self._starts, self._pool)
        self.num_words = intern_words(count, batch.starts, batch.hashes, batch.pool, self.num_words, *table, numbers)
        renumber(batch.ids, numbers)
        return batch.ids

    def write_lookup(self, folder: Path) -> None:
        """Write the files that find a word's line and id; O(words log words)."""
        starts = self._starts[: self.num_words + 1]
        write_array(folder / VOCABULARY_OFFSETS, starts.astype("<u8"))
        lines = bytes(self.pool()).split(b"\n")
        del lines[-1]
        order = sorted(range(len(lines)), key=lines.__getitem__)
        write_array(folder / VOCABULARY_ORDER, np.array(order, "<u4"))

    def _load(self, content: bytes) -> None:
        from suffixindex.kernels.words import hash_words, place_words

        pool = np.frombuffer(content, np.uint8)
        starts = np.concatenate([[0], np.flatnonzero(pool == ord("\n")) + 1])
        words = len(starts) - 1
        self._reserve(words, len(pool))
        self._pool[: len(pool)] = pool
        self._starts[: words + 1] = starts
        hash_words(words, self._starts, self._pool, self._hashes)
        self._slots[:] = 0
        place_words(words, self._slots, self._hashes)
        self.num_words = words

    def _reserve(self, words: int, num_bytes: int) -> None:
        from suffixindex.kernels.words import place_words

        self._pool = _grown(self._pool, num_bytes)
        self._hashes = _grown(self._hashes, words)
        self._starts = _grown(self._starts, words + 1)
        if 2 * words > len(self._slots):
            self._slots = np.zeros(1 << (2 * words - 1).bit_length(), np.uint32)
            place_words(self.num_words, self._slots, self._hashes)


def _grown(array: NDArray[Any], length: int) -> NDArray[Any]:
    if length <= len(array):
        return array
    grown = np.empty(max(length, 2 * len(array)), array.dtype)
    grown[: len(array)] = array
    return grown
