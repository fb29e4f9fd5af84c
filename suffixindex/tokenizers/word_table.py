"""Distinct words and the table that finds them: what ``kernels.text.words`` fills, in arrays that grow; texts made of pieces."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels.text import SPARE
from suffixindex.system.patience import few_enough

SLOTS = 1 << 12
FEW, JOIN = 1 << 12, 40  # ids whose bytes are joined without compiled code, and the nanoseconds that takes for each


def contents(pool: NDArray[np.uint8], offsets: NDArray[Any], rows: Sequence[NDArray[Any]]) -> list[bytes]:
    """Of each row of ids the bytes of these, ``pool[offsets[id] : offsets[id + 1]]``, one after the other. A nanosecond a byte."""
    ids = np.concatenate([np.empty(0, np.int64), *rows], dtype=np.int64)
    bounds = np.cumsum([0, *map(len, rows)])
    if few_enough(len(ids), FEW, JOIN):
        starts, sizes = offsets[ids].astype(np.int64), (offsets[ids + 1] - offsets[ids]).astype(np.int64)
        ends = np.cumsum(np.append(0, sizes))
        content = pool[np.repeat(starts - ends[:-1], sizes) + np.arange(int(ends[-1]))].tobytes()
        stops = ends[bounds[1:]]
    else:
        from suffixindex.kernels.text.pieces import WORD, join_pieces

        stops = np.zeros(len(rows) + 1, np.int64)
        room, needed = 0, WORD * len(ids)
        while room < needed:  # mostly once
            room = needed
            written = np.empty(room + WORD, np.uint8)
            join_pieces(pool, offsets, ids, bounds, written, stops[1:])
            needed = int(stops[-1])
        content, stops = written[:needed].tobytes(), stops[1:]
    return [content[start:stop] for start, stop in pairwise([0, *stops.tolist()])]


class WordList(NamedTuple):
    """Distinct words: word i is ``pool[starts[i] : starts[i + 1]]``, its newline included. ``SPARE`` bytes follow the last."""

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    pool: NDArray[np.uint8]

    def line(self, word: int) -> bytes:
        """A word, without its newline."""
        return self.pool[self.starts[word] : self.starts[word + 1] - 1].tobytes()


class WordTable:
    """Words in the order in which they were entered. Memory: some 40 bytes a word beside its own."""

    def __init__(self, num_bytes: int) -> None:
        """Empty, with room for so many bytes of words."""
        self.num_words = 0
        self._slots = np.zeros(SLOTS, np.uint64)
        self._hashes = np.empty(SLOTS // 2, np.uint64)
        self._starts = np.zeros(SLOTS // 2 + 1, np.int64)
        self._pool = np.empty(num_bytes + SPARE, np.uint8)

    @property
    def arrays(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint8]]:
        """Slots, hashes, starts and pool, as the kernels take them; others after :meth:`reserve`."""
        return self._slots, self._hashes, self._starts, self._pool

    @property
    def num_bytes(self) -> int:
        return int(self._starts[self.num_words])

    @property
    def words(self) -> WordList:
        """The words so far, in this table's own arrays."""
        return self.since(0)

    def since(self, first: int) -> WordList:
        """The words from a number on, in this table's own arrays."""
        starts = self._starts[first : self.num_words + 1]
        return WordList(self._hashes[first : self.num_words], starts - starts[0], self._pool[starts[0] : starts[-1] + SPARE])

    def number(self, words: WordList) -> NDArray[np.uint32]:
        """The numbers of words; those that are new are entered. O(bytes)."""
        from suffixindex.kernels.text.words import intern_words

        count = len(words.hashes)
        self.reserve(self.num_words + count, self.num_bytes + len(words.pool))
        numbers = np.empty(count, np.uint32)
        self.num_words = intern_words(count, words.starts, words.hashes, words.pool, self.num_words, *self.arrays, numbers)
        return numbers

    def reserve(self, words: int, num_bytes: int) -> None:
        """Make room for so many words in all, of so many bytes; at least twice what there was, where that is not enough."""
        self._pool = grown(self._pool, num_bytes)
        self._hashes = grown(self._hashes, words)
        self._starts = grown(self._starts, len(self._hashes) + 1)
        if 2 * words > len(self._slots):
            self._slots = np.zeros(1 << (2 * words - 1).bit_length(), np.uint64)
            self._place()

    def load(self, words: WordList) -> None:
        """Hold these words instead."""
        count = len(words.hashes)
        self.num_words = 0
        self.reserve(count, len(words.pool))
        self._pool[: len(words.pool)] = words.pool
        self._starts[: count + 1] = words.starts
        self._hashes[:count] = words.hashes
        self.num_words = count
        self._slots[:] = 0
        self._place()

    def _place(self) -> None:
        """Put the words into slots that are free."""
        from suffixindex.kernels.text.words import place_words

        place_words(self.num_words, self._slots, self._hashes)


def grown(array: NDArray[Any], length: int) -> NDArray[Any]:
    """An array of at least a length, with the elements of another."""
    if length <= len(array):
        return array
    longer = np.empty(max(length, 2 * len(array)), array.dtype)
    longer[: len(array)] = array
    return longer
