"""Text cut into words: the definition of a word, and many texts at a time in compiled code."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.tokenizers.word_table import WordList, WordTable

FOLDING_LIMIT = 0x20000  # beyond lie only ideographs, tags and private use: no case, no punctuation
CONTEXTUAL_CASE = "\u03a3\u0130"  # lower case depends on the neighbours (final sigma), or is two characters
_CONTEXTUAL_UTF8 = [(character.encode()[:1], character.encode()) for character in CONTEXTUAL_CASE]
"""The first byte of each, which is found twenty times as fast, and all."""
_CONTEXTUAL_CASE, _SPACE = re.compile(f"[{CONTEXTUAL_CASE}]"), re.compile(r"\s")


def normalize(text: str) -> str:
    """Text with every character between words turned into a space, in lower case."""
    return "".join(" " if unicodedata.category(character)[0] in "PS" else character for character in text).lower()


@cache
def _folding() -> NDArray[np.uint32]:
    """Lower case of every code point below ``FOLDING_LIMIT``, or the mark that it stands between words."""
    from suffixindex.kernels.text.words import SPACE

    table = np.arange(FOLDING_LIMIT, dtype=np.uint32)
    for code in range(FOLDING_LIMIT):
        character = chr(code)
        if character.isspace() or unicodedata.category(character)[0] in "PS":
            table[code] = SPACE
        elif (lower := character.lower()) != character and len(lower) == 1:
            table[code] = ord(lower)
    return table


class SplitWords(NamedTuple):
    """A batch of documents in numbers of its own, and the words that these mean."""

    ids: NDArray[np.uint32]
    lengths: NDArray[np.int64]
    words: WordList


def split_batch(texts: Sequence[str | memoryview]) -> SplitWords:
    """Split texts, some perhaps in UTF-8, into words, numbered by first occurrence within the batch. Any thread; O(bytes)."""
    from suffixindex.kernels.text.words import FOLDED_BYTES, SPARE, split_words

    encoded = [_encode(text) for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(content) for content in encoded], out=offsets[1:])
    text = np.frombuffer(b"".join(encoded), np.uint8)
    ids = np.empty(len(text) // 2 + len(texts) + 1, np.uint32)
    ends = np.empty(len(texts), np.int64)
    table = WordTable(len(text) // 4)
    state = np.zeros(4, np.int64)
    with np.errstate(over="ignore"):  # hashes wrap around; without the JIT that would be a warning
        while not split_words(text, offsets, _folding(), state, *table.arrays, ids, ends):
            document, place, _, table.num_words = state.tolist()
            rest = int(offsets[document + 1]) - place
            table.reserve(table.num_words + 1, table.num_bytes + FOLDED_BYTES * rest + SPARE)
    table.num_words = int(state[3])
    hashes, starts, pool = table.words
    return SplitWords(ids[: state[2]], np.diff(ends, prepend=0), WordList(hashes.copy(), starts.copy(), pool.copy()))


def _encode(text: str | memoryview) -> bytes:
    if isinstance(text, memoryview):
        content = bytes(text)
        if content.isascii() or not any(lead in content and character in content for lead, character in _CONTEXTUAL_UTF8):
            return content
        text = content.decode()
    if not text.isascii() and any(character in text for character in CONTEXTUAL_CASE):
        text = _without_contextual_case(text)
    return text.encode()


def _without_contextual_case(text: str) -> str:
    """The text, normalized between the spaces around each character of contextual case: no context goes beyond a space."""
    parts: list[str] = []
    done = 0
    for match in _CONTEXTUAL_CASE.finditer(text):
        if (start := match.start()) < done:
            continue
        space = _SPACE.search(text, start)
        stop = space.start() if space else len(text)
        while start > done and not text[start - 1].isspace():
            start -= 1
        parts += text[done:start], normalize(text[start:stop])
        done = stop
    return "".join([*parts, text[done:]])
