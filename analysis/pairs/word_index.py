"""Word n-grams -> ids of an index, each distinct word looked up once."""

from collections.abc import Iterable

import suffixindex as si
from analysis.errors import ConfigError


def check_words(index: si.SuffixIndex) -> None:
    """Refuse an index of other tokens than words.

    Raises
    ------
    ConfigError
        The study's n-grams are lower-case words without punctuation, which other tokenizers cut otherwise.
    """
    kind = index.tokenizer.kind
    if kind != "words":
        raise ConfigError(
            f"{index.path} was built with the tokenizer {kind}, but the study's n-grams are lower-case words: "
            "build an index of words, suffixindex build CORPUS -o INDEX --tokenizer words"
        )


class WordIds:
    """The id of each word of an index, kept once looked up; a word that the corpus does not hold has one that occurs nowhere."""

    def __init__(self, index: si.SuffixIndex) -> None:
        check_words(index)
        self._index = index
        self._ids: dict[str, int] = {}

    def ids(self, words: Iterable[str]) -> list[int]:
        """The id of each normalised word. About 20 µs for a new one."""
        found = []
        for word in words:
            if word not in self._ids:
                (self._ids[word],) = self._index.encode(word).tolist()
            found.append(self._ids[word])
        return found

    def ngrams(self, texts: Iterable[str]) -> list[list[int]]:
        """The ids of n-grams, words joined by spaces."""
        return [self.ids(text.split()) for text in texts]
