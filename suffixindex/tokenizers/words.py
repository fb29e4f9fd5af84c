"""The ``words`` tokenizer: punctuation to spaces, lower case, split; ids by first occurrence.

A character of Unicode category P or S (in ASCII exactly ``string.punctuation``) or white space stands between words.
These are the word n-grams of arXiv 2407.14985. Id 0 is reserved for words that the corpus does not hold: it occurs
nowhere, so a question with an unknown word counts 0. The vocabulary lies on disk sorted, so that one question reads a
few pages of it and a build of any size opens at once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex.storage.checks import check_ascending, check_permutation
from suffixindex.storage.files import map_array, write_array, write_bytes
from suffixindex.storage.format import FileEntry, of_generation
from suffixindex.system.patience import can_wait, patient
from suffixindex.tokenizers.splitting import normalize, split_batch
from suffixindex.tokenizers.word_table import contents

VOCABULARY = "vocabulary.txt"
VOCABULARY_OFFSETS = "vocabulary_offsets.u64"
VOCABULARY_ORDER = "vocabulary_order.u32"
VOCABULARY_FILES = (VOCABULARY, VOCABULARY_OFFSETS, VOCABULARY_ORDER)

UNKNOWN = 0
CHARACTER, LOOKUP = 100, 30_000
"""Nanoseconds of a character that is split, and of a word that is looked up, without compiled code."""
FORGOTTEN = b"#%d"
"""In the line of a word that was forgotten: its id after a character that no word holds."""


def vocabulary_files(generation: int) -> list[str]:
    """The files of a generation of a vocabulary."""
    return [of_generation(name, generation) for name in VOCABULARY_FILES]


def forget_words(folder: Path, generation: int, next_generation: int, forgotten: Sequence[int]) -> dict[str, FileEntry]:
    """Write a vocabulary without the words of some ids, as a generation of its own; its files. O(words log words), in memory."""
    old, new = vocabulary_files(generation), vocabulary_files(next_generation)
    lines = (folder / old[0]).read_bytes().split(b"\n")[:-1]
    for word_id in forgotten:
        lines[word_id] = FORGOTTEN % word_id
    order = sorted(map_array(folder / old[2], "<u4").tolist(), key=lines.__getitem__)
    offsets = np.cumsum([0, *(len(line) + 1 for line in lines)]).astype("<u8")
    written = [
        write_bytes(folder / new[0], b"".join(line + b"\n" for line in lines)),
        write_array(folder / new[1], offsets),
        write_array(folder / new[2], np.array(order, "<u4")),
    ]
    return {name: FileEntry(*one) for name, one in zip(new, written, strict=True)}


class Words:
    """Encode and decode with the vocabulary of an index, which stays on disk.

    Encoding a word costs O(log vocabulary) page reads, decoding an id one. Its tables are checked when it is opened: 3 ns a word.

    Raises
    ------
    FormatError
        They are damaged.
    """

    kind = "words"

    def __init__(self, folder: Path, generation: int = 0) -> None:
        text, offsets, order = (folder / of_generation(name, generation) for name in VOCABULARY_FILES)
        self._text: NDArray[np.uint8] = map_array(text, "u1")
        self._offsets: NDArray[np.uint64] = map_array(offsets, "<u8")
        self._order: NDArray[np.uint32] = map_array(order, "<u4")
        self.vocabulary_size = len(self._order)
        check_ascending(offsets, self._offsets, self.vocabulary_size, len(self._text), "bytes into words")
        check_permutation(order, self._order)

    def forgotten(self) -> NDArray[np.int64]:
        """Ascending ids of words that were forgotten. A nanosecond a word."""
        return np.flatnonzero(self._text[self._offsets[:-1]] == FORGOTTEN[0])

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

    def encode_batch(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Ids of many texts, one after the other, and how many each has: each distinct word is looked up once."""
        split_texts = [normalize(text).split() for text in texts] if can_wait(sum(map(len, texts)) * CHARACTER) else []
        distinct = {word: UNKNOWN for words in split_texts for word in words}
        if split_texts and patient(len(distinct) * LOOKUP):
            distinct = {word: self._id(word.encode()) for word in distinct}
            ids = [distinct[word] for words in split_texts for word in words]
            return np.array(ids, np.uint32), np.array(list(map(len, split_texts)), np.int64)
        from suffixindex.kernels.text.words import find_words

        split = split_batch(texts)
        found = np.empty(len(split.words.hashes), np.uint32)
        find_words(self._text, self._offsets, self._order, split.words.starts, split.words.pool, found)
        return found[split.ids], split.lengths

    def lost(self, text: str) -> None:
        return None  # id 0, of unknown words, occurs nowhere

    def pieces(self, ids: ArrayLike) -> list[str]:
        """The word of each id; ``?`` for the reserved id 0."""
        return [self._line(int(i)).decode(errors="replace") or "?" for i in np.asarray(ids)]

    def decode(self, ids: ArrayLike) -> str:
        """The words of the ids, joined by spaces."""
        return " ".join(self.pieces(ids))

    def decode_batch(self, rows: Sequence[NDArray[Any]]) -> list[str]:
        if (np.concatenate([np.empty(0, np.int64), *rows]) == UNKNOWN).any():
            return [self.decode(row) for row in rows]
        lines = contents(self._text, self._offsets, rows)  # a word and the end of its line, each
        return [line.rstrip(b"\n").replace(b"\n", b" ").decode(errors="replace") for line in lines]

    def begins_inside(self) -> NDArray[np.bool_]:
        return np.zeros(self.vocabulary_size, bool)
