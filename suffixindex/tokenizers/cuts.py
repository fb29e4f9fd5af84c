"""Where a text may be cut so that the ids of its parts, one after the other, are those of the whole; and what is doubtful.

A long document with one doubtful character need not go to the slow reference whole: the stretch around the character does, cut
where that is proved to change nothing. A place is between a character x and a character y, and every step must respect it:

- Added tokens: none has x and y in it one after the other, and none that takes the white space after it ends in x. So none
  reaches across, and which tokens are found (the leftmost, of those the longest) is decided on each side by itself.
- Normalizers: NFC and its kin leave x and y as they are, and y, a starter, composes with nothing before it; lower case goes
  by single characters.
- Splits: no match of a regex reaches across, and each is the same if the text ends there (:meth:`Regex.never_across`); no regex
  looks behind, so what follows is split alike too. So the pieces of both parts are those of the whole, but for one that
  goes from one gap between matches into the next; and of that one some step takes x by a match (:meth:`Regex.always_takes`).
- A space in front of a text that has none is put in front of no part, since each begins with one.
- The model sees one piece at a time.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from suffixindex.tokenizers.engine_differences import DOUBTFUL, flatten
from suffixindex.tokenizers.regexes import Regex, UnprovableError

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
AFTER = frozenset(' \n\t.,;:!?()[]{}<>"/=-_*#|\u3001\u3002\uff0c\uff1b\uff1a\uff01\uff1f\u2014\u201c\u201d\u00bb\u00ab')
"""Where a part may begin: characters that compose with nothing."""
_JAMO = range(0x1100, 0x1200)  # of which Hangul syllables are composed
_FORMS: tuple[Form, ...] = ("NFC", "NFD", "NFKC", "NFKD")


def regexes_of(pipeline: dict[str, Any]) -> list[Regex]:
    """The regexes by which a pipeline splits.

    Raises
    ------
    UnprovableError
        A step splits otherwise.
    """
    found = []
    for step in flatten(pipeline.get("pre_tokenizer")):
        if step["type"] == "ByteLevel":
            if step.get("use_regex", True):
                found.append(Regex(GPT2))
        elif step["type"] == "Split":
            text = step["pattern"].get("Regex")
            if text is None:
                text = "".join(c if c.isalnum() else f"\\{c}" for c in step["pattern"]["String"])
            found.append(Regex(text))
        elif step["type"] != "Digits":
            raise UnprovableError(f"a pre-tokenizer of the type {step['type']}")
    return found


def doubtful_strings(pipeline: dict[str, Any]) -> tuple[str, ...]:
    """What a text must hold for the engines to differ on it: a character of ``DOUBTFUL``, where the regexes test it.

    U+180E where a regex asks what white space is. U+017F and U+212A where it takes an s or k without regard to case; if that
    stands after certain characters alone, as in ``'(?i:s)``, after one of these.
    """
    try:
        regexes = regexes_of(pipeline)
    except UnprovableError:
        return tuple(DOUBTFUL)
    found: set[str] = set()
    for regex in regexes:
        if any(atom.spaces for atom in (*regex.atoms, *regex.ahead)):
            found.add("\u180e")
        for doubtful in "\u017f\u212a":
            before = regex.before(lambda atom, doubtful=doubtful: atom.folded and atom.test(doubtful))  # type: ignore[misc]
            found |= {doubtful} if before is None else {character + doubtful for character in before}
    return tuple(sorted(found))


class Cuts:
    """The exact cuts of a tokenizer's texts.

    Raises
    ------
    UnprovableError
        Of this pipeline no cut is proved.
    """

    def __init__(self, pipeline: dict[str, Any]) -> None:
        self._forms: list[Form] = []
        self._lower = False
        for step in flatten(pipeline.get("normalizer")):
            if step["type"] in _FORMS:
                self._forms += [form for form in _FORMS if form == step["type"]]
            elif step["type"] == "Lowercase":
                self._lower = True
            else:
                raise UnprovableError(f"a normalizer of the type {step['type']}")
        self._regexes = regexes_of(pipeline)
        steps = list(flatten(pipeline.get("pre_tokenizer")))
        if any(step.get("behavior", "Isolated") != "Isolated" or step.get("invert") for step in steps):
            raise UnprovableError("a split that is no isolation of matches")
        self._prefix = any(step.get("add_prefix_space") for step in steps)
        added = pipeline.get("added_tokens") or []
        self._added = {form for token in added for form in self._written(token["content"])}
        self._before_space = {token["content"][-1] for token in added if token["rstrip"]}
        self._known: dict[str, bool] = {}

    def exact(self, x: str, y: str) -> bool:
        """Whether any text may be cut between these characters. O(1), but O(atoms of the regexes) for a pair that is new."""
        pair = x + y
        found = self._known.get(pair)
        if found is None:
            found = self._known[pair] = y in AFTER and self._exact(x, y)
        return found

    def stretches(self, text: str, doubtful: Sequence[str]) -> list[tuple[int, int]]:
        """The shortest stretches between exact cuts, or the ends of the text, that hold all occurrences of some strings."""
        found: list[tuple[int, int]] = []
        for start, stop in sorted(_occurrences(text, doubtful)):
            if found and stop <= found[-1][1]:
                continue
            left, right = self.cut_before(text, start), self.cut_after(text, stop)
            if found and left <= found[-1][1]:
                left = found.pop()[0]
            found.append((left, right))
        return found

    def cut_before(self, text: str, place: int) -> int:
        """The last exact cut at or before a place; 0 if there is none."""
        while place > 0 and not (place < len(text) and self.exact(text[place - 1], text[place])):
            place -= 1
        return place

    def cut_after(self, text: str, place: int, limit: int | None = None) -> int:
        """The first exact cut at or after a place, or ``limit``; by default the end of the text."""
        end = len(text) if limit is None else min(limit, len(text))
        while place < end and not (place > 0 and self.exact(text[place - 1], text[place])):
            place += 1
        return place

    def _exact(self, x: str, y: str) -> bool:
        if any(x + y in token for token in self._added):
            return False
        if (y.isspace() and x in self._before_space) or (self._prefix and y != " "):
            return False
        if not self._stays(x) or not self._stays(y):
            return False
        return all(regex.never_across(x, y) for regex in self._regexes) and any(regex.always_takes(x) for regex in self._regexes)

    def _stays(self, character: str) -> bool:
        """Whether it is a character that all engines know, and that no normalizer changes."""
        if character in DOUBTFUL or character > "\uffff" or ord(character) in _JAMO:
            return False
        if not (character in AFTER or (character.isascii() and character.isprintable()) or character.isalnum()):
            return False
        return character in self._written(character) and len(self._written(character)) == 1

    def _written(self, text: str) -> set[str]:
        """A text and what the normalizers may make of it."""
        found = {text, text.lower()} if self._lower else {text}
        for form in self._forms:
            found |= {unicodedata.normalize(form, one) for one in found}
        return found


def cuts_of(pipeline: dict[str, Any]) -> Cuts | None:
    """The cuts of a pipeline; None where none is proved."""
    try:
        return Cuts(pipeline)
    except UnprovableError:
        return None


def _occurrences(text: str, strings: Sequence[str]) -> Iterator[tuple[int, int]]:
    for string in strings:
        place = text.find(string)
        while place >= 0:
            yield place, place + len(string)
            place = text.find(string, place + 1)
