"""Names that were given before: they go on working, with a DeprecationWarning that says the new one."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import numpy as np

from suffixindex.errors import QueryError
from suffixindex.ngrams import Ngram
from suffixindex.queries.groups import Where
from suffixindex.results import NextTokens, TextMatches

Value = TypeVar("Value")


def warn_renamed(old: str, new: str) -> None:
    """Warn the caller of the function that calls this one."""
    warnings.warn(f"{old} is called {new} now", DeprecationWarning, stacklevel=3)


def renamed(old: str, old_value: Value | None, new: str, new_value: Value | None) -> Value | None:
    """The value of an argument of a constructor that may come under its old name."""
    if old_value is None:
        return new_value
    if new_value is not None:
        raise QueryError(f"{old} is the old name of {new}: give one of them")
    warnings.warn(f"{old} is called {new} now", DeprecationWarning, stacklevel=4)
    return old_value


def is_one_text(texts: object) -> bool:
    """Whether one text was given where many are expected: a string, or ids."""
    if isinstance(texts, np.ndarray):
        return texts.ndim == 1 and texts.dtype.kind in "iu"
    if isinstance(texts, Sequence) and not isinstance(texts, str):
        return len(texts) > 0 and isinstance(texts[0], (int, np.integer))
    return isinstance(texts, str)


class _Asked(Protocol):
    def next_distribution(self, context: Ngram, where: Where | None = None) -> NextTokens: ...

    def next_distributions(self, contexts: Iterable[Ngram], where: Where | None = None) -> list[NextTokens]: ...

    def matches(self, texts: Iterable[Ngram]) -> list[TextMatches]: ...


class OldNames:
    """The old names of an index's methods."""

    def next_tokens(self: _Asked, context: Ngram, where: Where | None = None) -> NextTokens:
        """``next_distribution``, as it was called before."""
        warn_renamed("next_tokens", "next_distribution")
        return self.next_distribution(context, where)

    def bulk_next_tokens(self: _Asked, contexts: Iterable[Ngram], where: Where | None = None) -> list[NextTokens]:
        """``next_distributions``, as it was called before."""
        warn_renamed("bulk_next_tokens", "next_distributions")
        return self.next_distributions(contexts, where)

    def text_matches(self: _Asked, texts: Iterable[Ngram]) -> list[TextMatches]:
        """``matches``, as it was called before."""
        warn_renamed("text_matches", "matches")
        return self.matches(texts)
