"""Word n-grams with their places in the text.

Words are those of suffixindex's ``words`` tokenizer, so that an n-gram here is one n-gram of an index: characters of Unicode
category P or S and white space stand between words, and words are in lower case (arXiv 2407.14985).
"""

import re
import unicodedata
from typing import NamedTuple

WORD = re.compile(r"\S+")


class Words(NamedTuple):
    """The words of a text; word i is made of ``text[starts[i] : stops[i]]``."""

    words: list[str]
    starts: list[int]
    stops: list[int]

    def ngrams(self, n: int) -> dict[str, int]:
        """The distinct n-grams, words joined by spaces, each with the number of the word that it first starts at."""
        found: dict[str, int] = {}
        for first in range(len(self.words) - n + 1):
            found.setdefault(" ".join(self.words[first : first + n]), first)
        return found

    def whole(self) -> dict[str, int]:
        """All words as one n-gram; none if there are no words."""
        return {" ".join(self.words): 0} if self.words else {}


class _Spaces(dict[int, str]):
    """Code point -> a space between words, else the character; found when first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = " " if unicodedata.category(character)[0] in "PS" else character
        return self[code]


_SPACES = _Spaces()


def word_spans(text: str) -> Words:
    """The words of a text with their character spans. O(characters).

    Lower case is taken word by word: no rule of it looks across white space, and it may change the length ("İ" becomes two
    characters), so spans are those of the text as it is.

    Examples
    --------
    >>> word_spans("O'Neill, İzmir")
    Words(words=['o', 'neill', 'i̇zmir'], starts=[0, 2, 9], stops=[1, 7, 14])
    """
    found = list(WORD.finditer(text.translate(_SPACES)))
    return Words([word[0].lower() for word in found], [word.start() for word in found], [word.end() for word in found])
