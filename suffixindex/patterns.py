"""Patterns: n-grams with holes in them, as ``["the", ANY, "of"]``, and what an occurrence of one is.

An *occurrence* of a pattern is a stretch of one document: the tokens from a start to an end that its elements make up, one after
the other. Two stretches are two occurrences, also where they have the same start: ``["a", gap(0, 2), "b"]`` occurs twice in
"a b b", as "a b" and as "a b b". One stretch is one occurrence, in however many ways the gaps inside may be filled. So a pattern
without gaps of several lengths occurs at most once at each start, and for any pattern

- what follows its occurrences adds up to their number, the document's end counted, and
- ``count([*pattern, token])`` is how often that token follows it: the chain rule of n-gram rules (arXiv 2407.12034),

which counting starts alone would break. (The corpus query processor CQP reports one stretch for each start, the shortest.) No
stretch crosses a document's end. A hole holds tokens alone; the separator may be the last id of a pattern, as of an n-gram. A hole
at either end belongs to the stretch: ``["a", ANY]`` is every "a" that a token follows.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suffixindex.errors import QueryError

if TYPE_CHECKING:
    from suffixindex.ngrams import Element

LONGEST_STRETCH = 10_000
"""Tokens that an occurrence of a pattern may have."""


@dataclass(frozen=True)
class Gap:
    """From ``least`` to ``most`` tokens, whatever they are: a hole of a pattern. Made by :func:`gap`."""

    least: int
    most: int

    def __repr__(self) -> str:
        return "ANY" if (self.least, self.most) == (1, 1) else f"gap({self.least}, {self.most})"


ANY = Gap(1, 1)
"""One token, whatever it is."""


def gap(least: int, most: int) -> Gap:
    """From ``least`` to ``most`` tokens, whatever they are, for a pattern: ``["a", gap(0, 3), "b"]``.

    ``b`` then starts at most ``most`` tokens after the end of ``a``: so this is ordered proximity.

    Raises
    ------
    QueryError
        No integers, or not ``0 <= least <= most <= 10,000``.
    """
    for number in (least, most):
        if isinstance(number, (bool, np.bool_)) or not hasattr(number, "__index__"):
            raise QueryError(f"a gap has from {least!r} to {most!r} tokens: expected integers")
    if not 0 <= least <= most <= LONGEST_STRETCH:
        expected = f"expected 0 or more, the larger last, at most {LONGEST_STRETCH:,}"
        raise QueryError(f"a gap has from {least} to {most} tokens: {expected}")
    return Gap(int(least), int(most))


@dataclass(frozen=True)
class Pattern:
    """N-grams and holes one after the other, as they were given. Made by :func:`pattern`, or from a list that has a hole."""

    elements: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"pattern({', '.join(map(repr, self.elements))})"

    def __str__(self) -> str:
        """As :func:`parse_pattern` reads it."""
        return " ".join(map(_shown, self.elements))


def pattern(*elements: "Element") -> Pattern:
    """A pattern of n-grams (text or ids), holes (``ANY``, ``gap(0, 3)``) and lists of n-grams of which any may stand there.

    A list with a hole or with such a list in it, ``["the", ANY, "of"]``, is a pattern wherever one n-gram is asked for. This says
    so where a list may mean something else: ``pattern("the", "end")``, and a clause ``pattern(["a", "the"], "end")``, which as a
    list would be aliases.

    A text after the first element is encoded as it stands after another word: "of" with the space that a byte-level tokenizer has
    in it. Ids mean themselves: ``[*index.encode("foot"), ANY]``. With ``bytes`` text is as it is given, spaces too.
    """
    return Pattern(tuple(map(_frozen, elements)))


def _frozen(element: Any) -> Any:
    """An element that can be hashed, since equal patterns are asked once."""
    if isinstance(element, np.ndarray):
        element = element.tolist()
    return tuple(map(_frozen, element)) if isinstance(element, list) else element


def _shown(element: Any) -> str:
    if isinstance(element, Gap):
        return "*" if element == ANY else f"*{{{element.least},{element.most}}}"
    if isinstance(element, str):
        return SPECIAL.sub(r"\\\g<0>", element)
    if is_choice(element):
        return f"({'|'.join(map(_shown, element))})"
    return " ".join(map(str, element)) if isinstance(element, tuple) else str(element)


def from_json(value: Any) -> Any:
    """What JSON says of n-grams and patterns: ``{"gap": [0, 3]}`` is a hole, ``{"pattern": [...]}`` what a list alone may not say.

    Raises
    ------
    QueryError
        Another object.
    """
    if isinstance(value, list):
        return list(map(from_json, value))
    if not isinstance(value, dict):
        return value
    if value.keys() == {"gap"} and isinstance(value["gap"], list) and len(value["gap"]) == 2:
        return gap(*value["gap"])
    if value.keys() == {"pattern"} and isinstance(value["pattern"], list):
        return pattern(*from_json(value["pattern"]))
    raise QueryError(
        f'an n-gram is text or ids, found {value!r}: in a pattern {{"gap": [0, 3]}} is a hole, and '
        '{"pattern": ["a", {"gap": [1, 1]}, "b"]} a pattern itself'
    )


def to_json(given: Pattern) -> dict[str, Any]:
    """What :func:`from_json` reads."""
    return {"pattern": [{"gap": [one.least, one.most]} if isinstance(one, Gap) else one for one in given.elements]}


def as_pattern(given: Any) -> Pattern | None:
    """A pattern, or a list that is one because it has a hole or alternatives in it; None for anything else."""
    if isinstance(given, Pattern):
        return given
    if isinstance(given, (list, tuple)) and any(isinstance(element, Gap) or is_choice(element) for element in given):
        return pattern(*given)
    return None


def is_choice(element: Any) -> bool:
    """Whether an element is several n-grams of which any may stand there: a list of texts or of lists of ids."""
    return isinstance(element, (list, tuple)) and bool(element) and not isinstance(element[0], (int, np.integer))


Ids = tuple[int, ...]


@dataclass(frozen=True)
class CheckedPattern:
    """A pattern of ids: *parts*, each some n-grams of which any may stand there, with holes before, between and after them."""

    parts: tuple[tuple[Ids, ...], ...]
    holes: tuple[tuple[int, int], ...]
    """``holes[i]``: the least and the most tokens before part i; the last one is behind all parts. One more than parts."""

    def reversed(self) -> "CheckedPattern":
        """The pattern of a text that is read from its end."""
        return CheckedPattern(tuple(tuple(ids[::-1] for ids in part) for part in self.parts[::-1]), self.holes[::-1])

    def ends_with(self, token: int) -> bool:
        return self.holes[-1] == (0, 0) and any(ids[-1] == token for ids in self.parts[-1])

    def layout(self, show: Callable[[Ids], list[Any]]) -> list[Any]:
        """What ``show`` makes of the ids of each n-gram, a hole as ``*`` or ``*{0,3}``, and alternatives as a list of lists."""
        found: list[Any] = []
        for number, (least, most) in enumerate(self.holes):
            if most:
                found.append(_shown(Gap(least, most)))
            if number < len(self.parts):
                choices = [show(ids) for ids in self.parts[number]]
                found += choices[0] if len(choices) == 1 else [choices]
        return found

    @property
    def longest(self) -> int:
        """Tokens of its longest occurrence."""
        return sum(most for _, most in self.holes) + sum(max(map(len, part)) for part in self.parts)


# ---- in a line of text -------------------------------------------------------------------------------------------

WORD = re.compile(r"(?:\\.|[^\s\\])+")
HOLE = re.compile(r"\*(?:\{(\d{1,9})(?:,(\d{1,9}))?\})?")
CHOICE = re.compile(r"(?:^|(?<=\|))(?:\\.|[^\\|])*")
ESCAPED = re.compile(r"\\(.)")
SPECIAL = re.compile(r"[*()|\\]")


def parse_pattern(text: str, *, ids: bool = False, keep_spaces: bool = False) -> Pattern:
    r"""A pattern in a line: ``the * of``, ``the *{0,3} of``, ``(color|colour) of the``; ``\*`` for a literal one of ``*()|\``.

    With ``ids`` words are ids. With ``keep_spaces``, for tokenizers to which a space is a token, texts keep those that stand beside
    holes and alternatives.

    Raises
    ------
    QueryError
        A hole or a bracket that does not stand alone.
    """
    elements: list[Any] = []
    pieces = list(_pieces(text, keep_spaces))
    for place, (kind, piece) in enumerate(pieces):
        if kind == "hole":
            least, most = HOLE.fullmatch(piece).groups()  # type: ignore[union-attr]
            elements.append(ANY if least is None else gap(int(least), int(least if most is None else most)))
            continue
        given = piece
        if not keep_spaces:  # those beside holes stand between words, those at the ends are asked for
            given = given.lstrip() if place else given
            given = given.rstrip() if place < len(pieces) - 1 else given
        if kind == "text":
            elements.append(_parse_ids(given) if ids else _plain(given))
        else:
            choices = [one if keep_spaces else one.strip() for one in CHOICE.findall(given[1:-1])]
            elements.append([_parse_ids(one) if ids or not one else _plain(one) for one in choices])
    if not elements:
        raise QueryError("the pattern is empty: write words, and * for any token, as 'the * of'")
    return pattern(*elements)


def _pieces(text: str, keep_spaces: bool) -> Iterator[tuple[str, str]]:
    """(kind, text) of each hole, bracket of alternatives, and stretch of words with the spaces on its sides, or of these alone."""
    start = place = 0
    while place < len(text):
        word = WORD.match(text, place)
        if word is None:
            place += 1
            continue
        stop = word.end()
        if word[0].startswith("("):
            kind, stop = "choice", _closing(text, place)
        elif word[0].startswith("*"):
            kind = "hole"
            if not HOLE.fullmatch(word[0]):
                raise QueryError(
                    f"{word[0]!r} in a pattern is no hole: expected * for one token, *{{2}} for two or *{{0,3}} for up to three, "
                    r"with spaces around; \* is the character itself"
                )
        else:
            if SPECIAL.search(ESCAPED.sub("", word[0])):
                raise QueryError(
                    rf"{word[0]!r} in a pattern has one of *()| inside a word: a hole is a whole token, so put spaces around it; "
                    rf"\* is the character itself"
                )
            place = stop
            continue
        if text[start:place] if keep_spaces else text[start:place].strip():
            yield "text", text[start:place]
        yield kind, text[place:stop]
        start = place = stop
    if text[start:] if keep_spaces else text[start:].strip():
        yield "text", text[start:]


def _closing(text: str, start: int) -> int:
    """The end of a bracket that begins at ``start``."""
    found = re.compile(r"\((?:\\.|[^\\()])*\)(?=\s|$)").match(text, start)
    if found is None:
        raise QueryError(
            f"the alternatives {text[start:]!r} in a pattern have no end: expected (color|colour) with spaces around, "
            r"and \( for the character itself"
        )
    return found.end()


def _plain(text: str) -> str:
    return ESCAPED.sub(r"\1", text)


def _parse_ids(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise QueryError(f"a pattern of ids is integers and holes, as '510 * 3967': {error}") from error
