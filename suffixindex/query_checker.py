"""What a user asks with, n-grams and patterns -> checked ids."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import Checked, Ngram, NgramBatch, NgramChecker, Queries, Query
from suffixindex.patterns import LONGEST_STRETCH, CheckedPattern, Gap, Ids, Pattern, as_pattern, is_choice

MOST_JOINED = 64
"""N-grams to which alternatives beside each other are multiplied out, so that the suffix array answers for them together."""


class QueryChecker(NgramChecker):
    """Takes patterns too. ``encode_inside`` encodes a text as it stands after another word."""

    def __init__(self, encode_inside: Callable[[str], NDArray[Any]], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._inside = NgramChecker(encode_inside, *arguments[1:4])

    def query(self, query: Query) -> Checked:
        """One n-gram or pattern, checked. An n-gram takes no longer than :meth:`ngram`.

        Raises
        ------
        UnaskableError, QueryError
        """
        try:
            return self.ngram(query)  # type: ignore[arg-type]
        except QueryError:
            if isinstance(query, CheckedPattern):
                return query
            if (given := as_pattern(query)) is None:
                raise
        return self._simplest(self.pattern(given))

    def queries(self, queries: Queries) -> NgramBatch:
        """Many n-grams and patterns, checked.

        Raises
        ------
        QueryError
            Naming the place of the first bad one.
        """
        if isinstance(queries, (NgramBatch, str, np.ndarray)):
            return self.batch(queries)
        listed: list[Any] = list(queries)
        try:
            return self.batch(listed)
        except QueryError:
            given = {place for place, one in enumerate(listed) if isinstance(one, CheckedPattern) or as_pattern(one) is not None}
            if not given:
                raise
        patterns = []
        for place in sorted(given):
            try:
                listed[place] = self.query(listed[place])
            except QueryError as error:
                raise type(error)(f"n-gram {place}: {error}") from None
            if isinstance(listed[place], CheckedPattern):
                patterns.append((place, listed[place]))
                listed[place] = []
        ngrams = self.batch(listed)
        return NgramBatch(ngrams.ids, ngrams.starts, ngrams.stops, tuple(patterns))

    def context_query(self, context: Query) -> Checked:
        """An n-gram or pattern that something may follow, checked.

        Raises
        ------
        UnaskableError, QueryError
        """
        checked = self.query(context)
        if isinstance(checked, CheckedPattern):
            self._check_context(checked)
            return checked
        return self.context(checked)

    def context_queries(self, contexts: Queries) -> NgramBatch:
        """Many n-grams and patterns that something may follow, checked.

        Raises
        ------
        QueryError
        """
        batch = self.queries(contexts)
        for _, checked in batch.patterns:
            self._check_context(checked)
        return self.contexts(batch)

    def _check_context(self, checked: CheckedPattern) -> None:
        if checked.ends_with(self.separator):
            raise QueryError("the context ends with the separator: nothing follows a document's end")

    # ---- patterns ----------------------------------------------------------------------------------------------------

    def pattern(self, given: Pattern) -> CheckedPattern:
        """A pattern's elements as parts and holes: n-grams beside each other become one.

        Raises
        ------
        UnaskableError, QueryError
            Naming the place of the bad element.
        """
        parts: list[list[Ids]] = []
        holes = [(0, 0)]
        for place, element in enumerate(given.elements):
            if isinstance(element, Gap):
                holes[-1] = holes[-1][0] + element.least, holes[-1][1] + element.most
                continue
            try:
                choices = self._choices(element, self if place == 0 else self._inside)
            except QueryError as error:
                raise type(error)(f"element {place} of the pattern: {error}") from None
            if parts and holes[-1] == (0, 0) and len(parts[-1]) * len(choices) <= MOST_JOINED:
                parts[-1] = list(dict.fromkeys(first + second for first, second in product(parts[-1], choices)))
            else:
                parts.append(choices)
                holes.append((0, 0))
        checked = CheckedPattern(tuple(map(tuple, parts)), tuple(holes))
        self._check_pattern(checked)
        return checked

    def _simplest(self, checked: CheckedPattern) -> Checked:
        """A pattern of one n-gram is that n-gram."""
        if len(checked.parts) == 1 and len(checked.parts[0]) == 1 and checked.holes == ((0, 0), (0, 0)):
            return np.array(checked.parts[0][0], np.int64)
        return checked

    def _choices(self, element: Any, checker: NgramChecker) -> list[Ids]:
        """The n-grams of which any may stand in the place of an element."""
        if isinstance(element, (int, np.integer)):
            element = [element]
        given: Sequence[Ngram] = element if is_choice(element) else [element]
        return list(dict.fromkeys(tuple(checker.ngram(one).tolist()) for one in given))

    def _check_pattern(self, checked: CheckedPattern) -> None:
        if not checked.parts and not checked.holes[0][0]:
            raise QueryError("the pattern may be of no token at all: give an n-gram, or a hole of at least one token")
        if not all(map(all, checked.parts)):
            raise QueryError("an n-gram without tokens in a pattern must stand beside another one: say a hole by a gap")
        for number, part in enumerate(checked.parts):
            last = number == len(checked.parts) - 1 and checked.holes[-1] == (0, 0)
            if any(self.separator in (ids[:-1] if last else ids) for ids in part):
                raise QueryError(
                    f"the separator {self.separator} may only be the last id of a pattern: no occurrence crosses a document's end"
                )
        if checked.longest > LONGEST_STRETCH:
            raise QueryError(
                f"the pattern may have {checked.longest:,} tokens: expected at most {LONGEST_STRETCH:,}; documents that hold "
                "n-grams farther from each other are counted by cooccurrence"
            )
