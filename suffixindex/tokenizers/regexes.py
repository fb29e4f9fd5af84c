"""What the regex of a pre-tokenizer can match, as far as two neighbouring characters go: Glushkov's construction.

A regex of ``engine_differences.PORTABLE`` becomes atoms (its single-character tests) and, for each, the atoms that may follow
it (Glushkov, 1961). From that follows, without running an engine, where no match can reach across a place of a text.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_TOKEN = re.compile(r"\\[pP]\{[^}]*\}|\\.|\[\^?(?:\\[pP]\{[^}]*\}|\\.|[^\]\\])+\]|\(\?<?[:=!]|\(\?i:|\{\d+(?:,\d*)?\}|.", re.DOTALL)
_IN_CLASS = re.compile(r"\\[pP]\{[^}]*\}|\\.|.", re.DOTALL)
_CONTROLS = {"r": "\r", "n": "\n", "t": "\t"}


class UnprovableError(Exception):
    """A regex with something of which nothing is proved here: a look behind, a look ahead of more than one character."""


class Atom(NamedTuple):
    """A test of one character; ``folded`` without regard to case, when it may say yes too often but not too seldom."""

    test: Callable[[str], bool]
    folded: bool
    literal: str | None
    """The only character that it takes; None if it takes others."""
    spaces: bool
    """Whether it asks what white space is."""


class _Fragment(NamedTuple):
    nullable: bool
    first: frozenset[int]
    last: frozenset[int]
    looks: bool = False
    """Whether it may look ahead before it has consumed anything."""


_EMPTY = _Fragment(True, frozenset(), frozenset())


@dataclass
class Regex:
    """A parsed regex.

    Raises
    ------
    UnprovableError
    """

    text: str
    atoms: list[Atom] = field(default_factory=list)
    follow: dict[int, set[int]] = field(default_factory=dict)
    looked_after: set[int] = field(default_factory=set)
    """Atoms after which the regex may look ahead."""
    ahead: list[Atom] = field(default_factory=list)
    """What it looks for there."""
    possessive: set[int] = field(default_factory=set)
    repeated: set[int] = field(default_factory=set)
    """Atoms that match twice or more, or not at all."""

    def __post_init__(self) -> None:
        tokens = _Tokens(self.text)
        self.whole = self._alternatives(tokens, False)
        if tokens.next is not None:
            raise UnprovableError(f"{self.text!r} ends at an unmatched parenthesis")
        if self.whole.nullable:
            raise UnprovableError(f"{self.text!r} matches nothing at all")

    def never_across(self, x: str, y: str) -> bool:
        """Whether in any text every match that begins before a place between ``x`` and ``y`` ends there at the latest, and is
        the same if the text ends there.

        A matcher that began before the place does the same in both texts until it tests ``y``. It does so by an atom that may
        follow one that took ``x``: none of these takes ``y``, so that the test fails as it fails at the end of a text; or by
        looking ahead after an atom that took ``x``: there is none, and from further left it sees no further than ``x``.
        """
        for number, atom in enumerate(self.atoms):
            if atom.test(x) and (number in self.looked_after or any(self.atoms[after].test(y) for after in self.follow[number])):
                return False
        return True

    def always_takes(self, x: str) -> bool:
        """Whether a match begins at every ``x`` that no match before it has taken."""
        taking = {number for number, atom in enumerate(self.atoms) if atom.test(x)}
        alone = {number for number in self.whole.first & self.whole.last & taking if not self.atoms[number].folded}
        alone -= self.looked_after | self.repeated
        return not self.whole.looks and any(not (taking & self.possessive) - {number} for number in alone)

    def before(self, wanted: Callable[[Atom], bool]) -> set[str] | None:
        """The characters of which one stands before any character that such an atom tests; None if it may stand after any."""
        numbers = {number for number, atom in enumerate(self.atoms) if wanted(atom)}
        if any(wanted(atom) for atom in self.ahead) or numbers & self.whole.first:
            return None
        found: set[str] = set()
        for number, after in self.follow.items():
            if numbers & after:
                atom = self.atoms[number]
                if atom.literal is None:
                    return None
                found |= {atom.literal, *(_cases(atom.literal) if atom.folded else ())}
        return found

    def _alternatives(self, tokens: "_Tokens", folded: bool) -> _Fragment:
        fragment = self._sequence(tokens, folded)
        while tokens.next == "|":
            tokens.take()
            other = self._sequence(tokens, folded)
            fragment = _Fragment(
                fragment.nullable or other.nullable,
                fragment.first | other.first,
                fragment.last | other.last,
                fragment.looks or other.looks,
            )
        return fragment

    def _sequence(self, tokens: "_Tokens", folded: bool) -> _Fragment:
        fragment = _EMPTY
        while tokens.next not in (None, "|", ")"):
            fragment = self._then(fragment, self._repeated(self._one(tokens, folded), tokens))
        return fragment

    def _then(self, one: _Fragment, other: _Fragment) -> _Fragment:
        for number in one.last:
            self.follow[number] |= other.first
        if other.looks:
            self.looked_after |= one.last
        return _Fragment(
            one.nullable and other.nullable,
            one.first | other.first if one.nullable else one.first,
            one.last | other.last if other.nullable else other.last,
            one.looks or (one.nullable and other.looks),
        )

    def _one(self, tokens: "_Tokens", folded: bool) -> _Fragment:
        token = tokens.take()
        if token in ("(", "(?:", "(?i:"):
            fragment = self._alternatives(tokens, folded or token == "(?i:")
            tokens.take()
            return fragment
        if token in ("(?=", "(?!"):
            return self._look(tokens, folded)
        if token.startswith("(?<"):
            raise UnprovableError(f"{self.text!r} looks behind")
        number = len(self.atoms)
        self.atoms.append(_atom(token, folded))
        self.follow[number] = set()
        return _Fragment(False, frozenset([number]), frozenset([number]))

    def _look(self, tokens: "_Tokens", folded: bool) -> _Fragment:
        before = len(self.atoms)
        self._alternatives(tokens, folded)
        tokens.take()
        if len(self.atoms) != before + 1 or self.follow[before]:
            raise UnprovableError(f"{self.text!r} looks further ahead than one character")
        self.ahead.append(self.atoms.pop())
        del self.follow[before]
        return _EMPTY._replace(looks=True)

    def _repeated(self, fragment: _Fragment, tokens: "_Tokens") -> _Fragment:
        token = tokens.next
        if token is None or not (token in "?*+" or (token[0] == "{" and len(token) > 1)):
            return fragment
        tokens.take()
        inside = self._inside(fragment)
        if tokens.next == "+":
            tokens.take()
            self.possessive |= inside
        elif tokens.next == "?":
            tokens.take()
        bounds = token.strip("{}").split(",")
        least = {"?": 0, "*": 0, "+": 1}[token] if token in "?*+" else int(bounds[0])
        if least > 1:
            self.repeated |= inside
        if token != "?":
            for number in fragment.last:
                self.follow[number] |= fragment.first
            if fragment.looks:
                self.looked_after |= fragment.last
        return fragment._replace(nullable=fragment.nullable or least == 0)

    def _inside(self, fragment: _Fragment) -> set[int]:
        inside, new = set(fragment.first), set(fragment.first)
        while new:
            new = set().union(*(self.follow[number] for number in new)) - inside
            inside |= new
        return inside


class _Tokens:
    def __init__(self, text: str) -> None:
        self._rest: Iterator[str] = iter(_TOKEN.findall(text))
        self.next: str | None = next(self._rest, None)

    def take(self) -> str:
        token = self.next
        if token is None:
            raise UnprovableError("a parenthesis is not closed")
        self.next = next(self._rest, None)
        return token


def _atom(token: str, folded: bool) -> Atom:
    if len(token) > 1 and token[0] == "[":
        test, literal = _class(token), None
    else:
        test, literal = _single(token)
    if folded:
        return Atom(lambda c, exact=test: any(map(exact, _cases(c))), True, literal, _asks_spaces(token))  # type: ignore[misc]
    return Atom(test, False, literal, _asks_spaces(token))


def _asks_spaces(token: str) -> bool:
    return re.search(r"(?<!\\)(?:\\\\)*\\[sS]", token) is not None


def _single(token: str) -> tuple[Callable[[str], bool], str | None]:
    if token[0] != "\\" or len(token) == 1:
        return token.__eq__, token
    name = token[1]
    if name in "sS":
        return (str.isspace if name == "s" else lambda c: not c.isspace()), None
    if name in "pP":
        category = token[3:-1]
        return lambda c: unicodedata.category(c).startswith(category) == (name == "p"), None
    character = _CONTROLS.get(name, name)
    return character.__eq__, character


def _class(token: str) -> Callable[[str], bool]:
    negated = token[1] == "^"
    items = [(*_single(item), item) for item in _IN_CLASS.findall(token[2 if negated else 1 : -1])]
    tests: list[Callable[[str], bool]] = []
    place = 0
    while place < len(items):
        test, start, _ = items[place]
        if place + 2 < len(items) and items[place + 1][2] == "-" and start is not None:
            end = items[place + 2][1]
            if end is None:
                raise UnprovableError(f"{token} has a range without an end")
            tests.append(lambda c, low=start, high=end: low <= c <= high)  # type: ignore[misc]
            place += 3
        else:
            tests.append(test)
            place += 1
    return lambda c: any(test(c) for test in tests) != negated


def _cases(character: str) -> set[str]:
    """The character in its cases, those that are one character."""
    found = {character, *(case for way in (str.lower, str.upper, str.casefold) if len(case := way(character)) == 1)}
    if found & {"s", "S"}:
        found |= {"s", "S", "\u017f"}
    if found & {"k", "K"}:
        found |= {"k", "K", "\u212a"}
    return found
