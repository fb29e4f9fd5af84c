"""Text to ids and back, as an index's own tokenizer does it."""

import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex.errors import QueryError, UnaskableError
from suffixindex.ngrams import integers
from suffixindex.tokenizers.base import Tokenizer

BEFORE = ("a", "the", "1")
"""What stands before a text. Most must leave its ids alone: one may make a token with a common word, or none with a space."""
UNSPACED = ("THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "JAVANESE", "BALINESE")
"""Scripts of narrow letters with no spaces between words, as the names of their characters begin."""


class Encoding:
    """A tokenizer that is opened when first needed, and the separator, which it does not know."""

    def __init__(self, open_tokenizer: Callable[[], Tokenizer], vocabulary_size: int, separator: int) -> None:
        self._open = open_tokenizer
        self._vocabulary_size = vocabulary_size
        self._separator = separator

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return self._open()

    def close(self) -> None:
        """Give back the tokenizer and the files that it maps."""
        vars(self).pop("tokenizer", None)

    def encode(self, text: str) -> NDArray[Any]:
        """Ids of a text, without special tokens.

        Raises
        ------
        QueryError
            The text holds half a surrogate pair, which no corpus holds.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise QueryError(f"the text {text!r} is not Unicode: {error.reason}") from None
        return self.tokenizer.encode(text)

    def encode_question(self, text: str) -> NDArray[Any]:
        """As :meth:`encode`, of a text that is looked up: its ids must stand for nothing else.

        Raises
        ------
        UnaskableError
            The tokenizer has no token for a piece of the text.
        """
        ids = self.encode(text)
        if (piece := self.tokenizer.lost(text)) is not None:
            raise UnaskableError(
                f"the tokenizer has no token for {piece!r} in the text {text!r}, and cannot tell it from other unknown text: ask "
                f"without it, or ask with ids, of which {ids.tolist()} stand for any such text"
            )
        return ids

    def encode_inside(self, text: str) -> NDArray[Any]:
        """As :meth:`encode_question`, of a text as it stands after another word: after a space, where sentences have one there.

        A space that it begins with is that space. Bytes are as they are.
        """
        if self.tokenizer.kind != "huggingface" or not text:
            return self.encode_question(text)
        spaced = f" {text}" if begins_word(text) and not is_unspaced(text[0]) else text
        self.encode_question(spaced)
        found: Counter[tuple[int, ...]] = Counter()
        for before in BEFORE:
            head, whole = (self.encode(one).tolist() for one in (before, before + spaced))
            if whole[: len(head)] == head:
                found[tuple(whole[len(head) :])] += 1
        return np.array(found.most_common(1)[0][0], np.int64) if found else self.encode_question(spaced)

    def encode_questions(self, texts: list[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """As :meth:`encode_question`, of many texts: all ids, and how many each has. Which text is a bad one is not told."""
        tokenizer = self.tokenizer
        try:
            ids, lengths = tokenizer.encode_batch(texts)
        except UnicodeEncodeError as error:
            raise QueryError(f"a text is not Unicode: {error.reason}") from None
        for text in texts:
            if (piece := tokenizer.lost(text)) is not None:
                raise UnaskableError(f"the tokenizer has no token for {piece!r}")
        return ids, lengths

    def decode(self, ids: ArrayLike) -> str:
        """Text of ids; separators are left out."""
        return self.tokenizer.decode(self._without_separators(ids))

    def pieces(self, ids: ArrayLike) -> list[str]:
        """What each id stands for, readable; the separator as ``<end of document>``."""
        flat = integers(ids)
        pieces = iter(self.tokenizer.pieces(self._without_separators(flat)))
        return ["<end of document>" if token == self._separator else next(pieces) for token in flat.tolist()]

    def _without_separators(self, ids: ArrayLike) -> NDArray[Any]:
        flat = integers(ids)
        if flat.size and not ((flat >= 0) & ((flat < self._vocabulary_size) | (flat == self._separator))).all():
            raise QueryError(f"an id is outside the vocabulary of {self._vocabulary_size:,} ids: {flat.min()} … {flat.max()}")
        tokens: NDArray[Any] = flat[flat != self._separator]
        return tokens


def begins_word(text: str) -> bool:
    """Whether a space comes before it in a sentence: letters, numbers, opening brackets and quotes."""
    return unicodedata.category(text[0])[0] in "LN" or unicodedata.category(text[0]) in ("Ps", "Pi")


def is_wide(character: str) -> bool:
    """Scripts such as Chinese, which put no spaces between words."""
    return unicodedata.east_asian_width(character) in "WF"


def is_unspaced(character: str) -> bool:
    """Scripts that put no spaces between words, wide or not."""
    return is_wide(character) or unicodedata.name(character, "").startswith(UNSPACED)
