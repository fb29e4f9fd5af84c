"""Patterns: n-grams with holes in them, as ``["the", ANY, "of"]``, and what an occurrence of one is.

An *occurrence* of a pattern is a stretch of one document: the tokens from a start to an end that its elements make up, one after
the other. Two stretches are two occurrences, also where they have the same start: ``["a", gap(0, 2), "b"]`` occurs twice in
"a b b", as "a b" and as "a b b". One stretch is one occurrence, in however many ways the gaps inside may be filled. So a pattern
without gaps of several lengths occurs at most once at each start, and for any pattern

- what follows its occurrences adds up to their number, the document's end counted, and
- ``count([*pattern, token])`` is how often that token follows it: the chain rule of n-gram rules (arXiv 2407.12034),

which counting starts alone would break. (A concordancer that reports one stretch for each start, the shortest, shows fewer.) No
stretch crosses a document's end. A hole holds tokens alone; the separator may be the last id of a pattern, as of an n-gram. A hole
at either end belongs to the stretch: ``["a", ANY]`` is every "a" that a token follows.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
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
    line: str | None = field(default=None, compare=False)
    """As which :func:`parse_pattern` read it."""

    def __repr__(self) -> str:
        return f"pattern({', '.join(map(repr, self.elements))})"

    def __str__(self) -> str:
        """As :func:`parse_pattern` reads it."""
        return " ".join(map(_shown, self.elements)) if self.line is None else self.line


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

PIECE = re.compile(
    r"(?P<hole>\*(?:\{(?P<least>\d{1,9})(?:,(?P<most>\d{1,9}))?\})?)|(?P<choice>\((?:\\.|[^\\()])*\))|(?P<text>(?:\\.|[^\\*()|])+)|.",
    re.S,
)
CHOICE = re.compile(r"((?:\\.|[^\\|])*)\|", re.S)
ESCAPED = re.compile(r"\\(.)", re.S)
SPECIAL = re.compile(r"[*()|\\]")


def parse_pattern(text: str, *, ids: bool = False, keep_spaces: bool = False) -> Pattern:
    r"""A pattern in a line: ``the * of``, ``the *{0,3} of``, ``(color|colour) of the``; ``\*`` for a plain one of ``*()|\``.

    With ``ids`` words are ids. With ``keep_spaces``, for tokenizers to which a space is a token as any other, a hole may stand
    inside a word, and spaces beside holes are meant; otherwise they say that it is a token of its own.

    Raises
    ------
    QueryError
        A hole or a bracket that does not stand alone, or is none.
    """
    elements: list[Any] = []
    for piece in PIECE.finditer(text):
        kind, found = piece.lastgroup, piece[0]
        before, after = text[: piece.start()], text[piece.end() :]
        if kind in ("hole", "least", "most"):
            least, most = piece["least"] or "1", piece["most"] or piece["least"] or "1"
            elements.append(gap(int(least), int(most)))
        elif kind == "choice":
            space = "" if keep_spaces or before.strip() or not before else " "  # that is asked for with each of them
            choices = [one if keep_spaces else one.strip() for one in CHOICE.findall(found[1:-1] + "|")]
            elements.append([_parse_ids(one) if ids or not one else space + _plain(one) for one in choices])
        elif kind == "text":
            if not keep_spaces:  # spaces beside holes stand between words, those at the ends are asked for
                found = found.lstrip() if before else found
                found = found.rstrip() if after else found
            if found and (keep_spaces or not found.isspace() or not (before or after)):
                elements.append(_parse_ids(found) if ids else _plain(found))
            continue
        if kind is None or not (keep_spaces or (not before[-1:].strip() and not after[:1].strip())):
            word = (re.split(r"\s", before)[-1] + found + after).split()[0]
            raise QueryError(
                rf"{word!r} in a pattern is neither a word nor a hole: write * for any token, *{{2}} for two, *{{0,3}} for up to "
                r"three, (color|colour) for either, with spaces around; \* is the character itself"
            )
    if not elements:
        raise QueryError("the pattern is empty: write words, and * for any token, as 'the * of'")
    return Pattern(pattern(*elements).elements, text)


def _plain(text: str) -> str:
    return ESCAPED.sub(r"\1", text)


def _parse_ids(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise QueryError(f"a pattern of ids is integers and holes, as '510 * 3967': {error}") from error
