"""Text cut into words: the definition of a word, and many texts at a time in compiled code."""

import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels.text import SPARE
from suffixindex.tokenizers.word_table import WordList, WordTable

FOLDING_LIMIT = 0x20000  # beyond lie only ideographs, tags and private use: no case, no punctuation
CONTEXTUAL_CASE = "\u03a3\u0130"  # lower case depends on the neighbours (final sigma), or is two characters
SIGMA_LEAD = CONTEXTUAL_CASE.encode()[:1]  # looked for in no time, where the two bytes of a capital sigma take 0.8 ns a byte
PIECE_BYTES = 1 << 21  # of text that one thread splits at once: the words of more would leave the cache
PIECE_THREADS = 4  # that split a long document at most: other cores have documents of their own, and each piece takes memory


def normalize(text: str) -> str:
    """Text with every character between words turned into a space, in lower case."""
    return "".join(" " if unicodedata.category(character)[0] in "PS" else character for character in text).lower()


@cache
def folding() -> NDArray[np.uint32]:
    """Lower case of every code point below ``FOLDING_LIMIT``; or that it stands between words, or is of contextual case."""
    from suffixindex.kernels.text.words import CONTEXTUAL, SPACE

    table = np.arange(FOLDING_LIMIT, dtype=np.uint32)
    for code in range(FOLDING_LIMIT):
        character = chr(code)
        if character.isspace() or unicodedata.category(character)[0] in "PS":
            table[code] = SPACE
        elif (lower := character.lower()) != character:
            table[code] = ord(lower) if character not in CONTEXTUAL_CASE else CONTEXTUAL
    return table


@cache
def casing() -> NDArray[np.uint8]:
    """What every code point below ``FOLDING_LIMIT`` is to a capital sigma next to it, which is final after a cased letter alone."""
    from suffixindex.kernels.text.words import CASED, FINAL_SIGMA, IGNORED, SPACE

    letters = [chr(code) for code in range(FOLDING_LIMIT)]
    for character in CONTEXTUAL_CASE:
        letters[ord(character)] = "A"

    def not_final(after: str) -> NDArray[np.bool_]:
        """Of a sigma between a letter and each character, which ``after`` follows."""
        lower = "".join(["A\u03a3", f"{after}A\u03a3".join(letters), after]).lower()
        sigmas = np.frombuffer(lower.encode("utf-32-le", "surrogatepass"), "<u4")[1 :: 3 + len(after)]
        return np.asarray(sigmas != FINAL_SIGMA)

    kinds = [np.uint8(0), np.uint8(CASED), np.uint8(IGNORED)]
    return np.select([folding() == SPACE, not_final(" "), not_final("A ")], kinds, np.uint8(0))


Tables = tuple[NDArray[np.uint32], NDArray[np.uint8]]
"""What :func:`folding` and :func:`casing` say; of the latter nothing, where no sigma asks for it."""


class Numbered(NamedTuple):
    """Documents in the numbers of a word table, one after the other, and how many words each has."""

    ids: NDArray[np.uint32]
    lengths: NDArray[np.int64]


class SplitWords(NamedTuple):
    """The same, and the words that are new in the table."""

    ids: NDArray[np.uint32]
    lengths: NDArray[np.int64]
    words: WordList


def split_batch(texts: Sequence[str | memoryview], table: WordTable | None = None, threads: int = 1) -> SplitWords:
    """Split texts, some perhaps in UTF-8, into words, which a table numbers by first occurrence; by default one that is empty.

    A long text is split by up to ``threads``, whatever their number into the same pieces.

    Any thread; O(bytes). Memory: a few times the texts.
    """
    encoded = [text.encode() if isinstance(text, str) else text for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(content) for content in encoded], out=offsets[1:])
    content = b"".join([*encoded, bytes(SPARE)])
    tables = folding(), casing() if SIGMA_LEAD in content else np.empty(0, np.uint8)
    text = np.frombuffer(content, np.uint8)
    table = WordTable(min(len(text), PIECE_BYTES) // 4) if table is None else table
    known = table.num_words
    if len(text) <= 2 * PIECE_BYTES:
        ids, lengths = _split(text, offsets, tables, table)
    else:
        ids, lengths = _split_in_pieces(text, offsets, tables, table, threads)
    return SplitWords(ids, lengths, table.since(known))


def _split_in_pieces(
    text: NDArray[np.uint8], offsets: NDArray[np.int64], tables: Tables, table: WordTable, threads: int
) -> Numbered:
    """As :func:`_split`, by several threads: pieces that end between two words, each with a table of its own."""
    from suffixindex.kernels.text.words import next_word, renumber

    end = int(offsets[-1])
    edges = [0]
    while end - edges[-1] > 2 * PIECE_BYTES:
        place = edges[-1] + PIECE_BYTES
        while text[place] & 0xC0 == 0x80:
            place += 1
        edges.append(next_word(text, place, end, tables[0]))

    def apart(start: int, stop: int) -> tuple[Numbered, WordList]:
        words = WordTable((stop - start) // 4)
        return _split(text, np.clip(offsets, start, stop), tables, words), words.since(0)

    numbered = []
    with ThreadPoolExecutor(min(PIECE_THREADS, threads), "split") as pool:
        for found, words in pool.map(apart, edges, [*edges[1:], end]):
            renumber(found.ids, table.number(words))
            numbered.append(found)
    return Numbered(np.concatenate([piece.ids for piece in numbered]), np.sum([piece.lengths for piece in numbered], axis=0))


def _split(text: NDArray[np.uint8], offsets: NDArray[np.int64], tables: Tables, table: WordTable) -> Numbered:
    """The words of documents, ``text[offsets[d] : offsets[d + 1]]``, in the numbers of a table."""
    from suffixindex.kernels.text.words import FOLDED_BYTES, split_words

    documents = len(offsets) - 1
    ids = np.empty(int(offsets[-1] - offsets[0]) // 2 + documents + 1, np.uint32)
    ends = np.empty(documents, np.int64)
    state = np.array([0, offsets[0], 0, table.num_words])
    with np.errstate(over="ignore"):  # hashes wrap around; without the JIT that would be a warning
        while not split_words(text, offsets, *tables, state, *table.arrays, ids, ends):
            document, place, _, table.num_words = state.tolist()
            rest = int(offsets[document + 1]) - place
            table.reserve(table.num_words + 1, table.num_bytes + FOLDED_BYTES * rest + SPARE)
    table.num_words = int(state[3])
    return Numbered(ids[: state[2]], np.diff(ends, prepend=0))
