"""The build's side of ``words``: words numbered by first occurrence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels.words import hash_words, intern_words, place_words, renumber
from suffixindex.storage.files import write_array
from suffixindex.tokenizers.splitting import SplitWords
from suffixindex.tokenizers.words import VOCABULARY_OFFSETS, VOCABULARY_ORDER


def words_of(content: bytes) -> SplitWords:
    """A text file of distinct words, one a line, as a batch that says each of them once. O(bytes)."""
    pool = np.frombuffer(content, np.uint8)
    starts = np.concatenate([[0], np.flatnonzero(pool == ord("\n")) + 1])
    words = len(starts) - 1
    hashes = np.empty(words, np.uint64)
    with np.errstate(over="ignore"):
        hash_words(words, starts, pool, hashes)
    return SplitWords(np.arange(words, dtype=np.uint32), np.array([words]), hashes, starts, pool)


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
        count = len(batch.hashes)
        self._reserve(self.num_words + count, self.num_bytes + len(batch.pool))
        numbers = np.empty(count, np.uint32)
        table = (self._slots, self._hashes, self._starts, self._pool)
        self.num_words = intern_words(count, batch.starts, batch.hashes, batch.pool, self.num_words, *table, numbers)
        renumber(batch.ids, numbers)
        return batch.ids

    def write_lookup(self, folder: Path, known: Sequence[int] = ()) -> None:
        """Write the files that find a word's line and id; O(words log words), of words after those whose order is ``known``."""
        starts = self._starts[: self.num_words + 1]
        write_array(folder / VOCABULARY_OFFSETS, starts.astype("<u8"))
        lines = bytes(self.pool()).split(b"\n")
        del lines[-1]
        order = sorted([*known, *range(len(known), len(lines))], key=lines.__getitem__)  # which takes a run in order as it is
        write_array(folder / VOCABULARY_ORDER, np.array(order, "<u4"))

    def _load(self, content: bytes) -> None:
        batch = words_of(content)
        words = len(batch.hashes)
        self._reserve(words, len(batch.pool))
        self._pool[: len(batch.pool)] = batch.pool
        self._starts[: words + 1] = batch.starts
        self._hashes[:words] = batch.hashes
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


def _grown(array: NDArray[Any], length: int) -> NDArray[Any]:
    if length <= len(array):
        return array
    grown = np.empty(max(length, 2 * len(array)), array.dtype)
    grown[: len(array)] = array
    return grown
