"""Spellings of a text that most tokenizers tell apart, and texts that stand otherwise inside a longer text.

Most tokenizers give a word other ids with a space before it, or with capitals; and where a text is cut, other ids than the
longer text has there.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

from numpy.typing import NDArray

from suffixindex.errors import QueryError, UnaskableError
from suffixindex.results import Variant
from suffixindex.tokenizers.query_encoding import BEFORE, begins_word, is_wide

Encode = Callable[[str], NDArray[Any]]

KINDS = ("space", "case", "unicode")
DEFAULT_KINDS = ("space", "case")
FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")
AFTER = BEFORE
"""What stands behind a text."""


def find_variants(text: str, kinds: Sequence[str], encode: Encode) -> list[Variant]:
    """The distinct spellings of a text, itself first, each encoded."""
    if isinstance(kinds, str) or not set(kinds) <= set(KINDS):
        raise QueryError(f"kinds of variants are {kinds!r}: expected some of {', '.join(map(repr, KINDS))} in a list")
    if not isinstance(text, str):
        raise QueryError(f"only text has variants, found {type(text).__name__}")
    cased = _cases(text) if "case" in kinds else [text]
    spaced = [other for one in cased for other in (_spaces(one) if "space" in kinds else [one])]
    if "unicode" in kinds:
        spaced = [form for one in spaced for form in unicode_forms(one)]
    found = {tuple(encode(text).tolist()): text}
    for spelling in spaced:
        with suppress(UnaskableError):  # that of one space without it has no token
            found.setdefault(tuple(encode(spelling).tolist()), spelling)
    return [Variant(spelling, ids) for ids, spelling in found.items()]


def unicode_forms(text: str) -> list[str]:
    """A text, and as Unicode's four normal forms write it: mostly it looks the same."""
    return list(dict.fromkeys([text, *(unicodedata.normalize(form, text) for form in FORMS)]))


def _spaces(text: str) -> list[str]:
    return [text, text[1:]] if text.startswith(" ") else [text, f" {text}"]


def _cases(text: str) -> list[str]:
    """As it is, lower, First letter, Each Word, UPPER; the same ones whichever of the last four comes in."""
    lower = text.lower()
    first = [_capitalised(text), _capitalised(lower)]
    each = [re.sub(r"\S+", lambda word: _capitalised(word[0]), one) for one in (text, lower)]
    return list(dict.fromkeys([text, lower, *first, *each, text.upper()]))


def _capitalised(text: str) -> str:
    return re.sub(r"\w", lambda letter: letter[0].title(), text, count=1)


def minimal(variants: Sequence[Variant]) -> list[Variant]:
    """Those that hold no other: every occurrence of any variant holds one of these."""
    return [one for one in variants if not any(_holds(one.token_ids, other.token_ids) for other in variants if other is not one)]


def _holds(longer: tuple[int, ...], shorter: tuple[int, ...]) -> bool:
    return any(longer[start : start + len(shorter)] == shorter for start in range(len(longer) - len(shorter) + 1))


def boundary_warning(text: str, encode: Encode) -> str | None:
    """Whether a text has other ids inside a longer one, and what to ask instead. Some ten encodings of the text."""
    start, end = _stands(text, encode)
    if start and end:
        return None
    bare = text if end else text.rstrip()
    others = [other for other in (bare, *_spaces(bare)) if other not in (text, "") and all(_stands(other, encode))]
    where = "inside a longer text" if not (start or end) else "before other text" if start else "after other text"
    said = f"{_quoted(text)} has other ids {where}, as in the middle of a sentence"
    return f"{said}: ask {_quoted(others[0])}" if others else said


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _stands(text: str, encode: Encode) -> tuple[bool, bool]:
    """Whether a text mostly keeps its ids after other text, and before other text."""
    ids = encode(text).tolist()
    if not ids:
        return True, True
    space = " " if begins_word(text) else ""
    before = [encode(other + space + text).tolist()[-len(ids) :] == ids for other in BEFORE] if not is_wide(text[0]) else [True]
    space = "" if text[-1].isspace() else " "
    after = [encode(text + space + other).tolist()[: len(ids)] == ids for other in AFTER]
    return 2 * sum(before) > len(before), 2 * sum(after) > len(after)
