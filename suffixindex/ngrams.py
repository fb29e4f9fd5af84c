"""What a user gives as an n-gram, text or ids, -> checked arrays of the index's token type."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex.errors import QueryError, SuffixIndexError, UnaskableError
from suffixindex.patterns import CheckedPattern, Gap, Pattern, as_pattern

INT64 = np.dtype(np.int64)

LARGEST = 2**62
"""Of limits, offsets and windows: sums of two still fit 64 bits."""
MANY_TEXTS = 64
"""Texts that are worth a batch of their own."""
LONGEST = 10_000
"""Tokens of the n-grams that whole-corpus statistics count: a block of them fits the memory of a thread."""

Ngram = str | Sequence[int] | NDArray[np.integer[Any]]
"""Text, which the index's tokenizer encodes, or ids."""

Element = Ngram | int | Gap | Sequence[Ngram]
"""Of a pattern: an n-gram, a hole, or several n-grams of which any may stand there. An id alone is an n-gram too."""

Query = Ngram | Pattern | CheckedPattern | Sequence[Element]
"""An n-gram, or a pattern: see :mod:`suffixindex.patterns`."""

Clause = Query | Sequence[Query]
"""An n-gram or pattern, or several of which any counts (aliases)."""

Checked = NDArray[np.int64] | CheckedPattern
"""What was checked of it: ids, or a pattern of ids."""


class NgramBatch(NamedTuple):
    """N-grams in one array: the q-th is ``ids[starts[q] : stops[q]]``. They may overlap, as those of a text do."""

    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    patterns: tuple[tuple[int, CheckedPattern], ...] = ()
    """Patterns and their places, ascending, where empty n-grams stand."""

    def __len__(self) -> int:
        return len(self.starts)

    def ngram(self, query: int) -> NDArray[np.int64]:
        return self.ids[self.starts[query] : self.stops[query]]


Queries = Iterable[Query] | NgramBatch
"""Many n-grams and patterns."""


def join(queries: Sequence[Checked]) -> NgramBatch:
    """Checked n-grams and patterns one after the other."""
    patterns = tuple((place, query) for place, query in enumerate(queries) if isinstance(query, CheckedPattern))
    ngrams = [np.empty(0, np.int64) if isinstance(query, CheckedPattern) else query for query in queries]
    offsets = np.cumsum([0, *map(len, ngrams)])
    return NgramBatch(np.concatenate([np.empty(0, np.int64), *ngrams]), offsets[:-1], offsets[1:], patterns)


class NgramChecker:
    """Turns what users give into arrays of the token type, or says what is wrong with it.

    An id must lie in the vocabulary; the separator may only be the last id of an n-gram ("and there the document ends").
    ``stored_separator`` is an id of the vocabulary that ends documents in the files of another engine. ``encode_batch`` is
    ``encode`` of many texts: their ids, one text after the other, and how many each has.
    """

    def __init__(
        self,
        encode: Callable[[str], NDArray[Any]],
        vocabulary_size: int,
        separator: int,
        stored_separator: int | None = None,
        encode_batch: Callable[[list[str]], tuple[NDArray[Any], NDArray[np.int64]]] | None = None,
    ) -> None:
        self.encode, self._encode_batch = encode, encode_batch
        self.vocabulary_size = vocabulary_size
        self.separator = separator
        self.stored_separator = stored_separator

    def ngram(self, ngram: Ngram) -> NDArray[np.int64]:
        """One n-gram, checked. About a microsecond for a list of ids.

        Raises
        ------
        UnaskableError
            Text of which the tokenizer makes no token: the empty n-gram is an empty list.
        QueryError
        """
        ids = self._ids(ngram)
        values = ngram if type(ngram) is list else ids.tolist()
        if values:
            if min(values) < 0 or max(values) >= self.vocabulary_size:
                self._check(ids, np.array([0, len(ids)]))
        elif isinstance(ngram, str):
            raise UnaskableError(
                f"the tokenizer makes no token of the text {ngram!r}, so it is no n-gram; the empty n-gram, which occurs at every "
                "token, is an empty list of ids"
            )
        if self.stored_separator is not None:
            self._check_stored(ids)
        return ids

    def batch(self, ngrams: Iterable[Ngram] | NgramBatch) -> NgramBatch:
        """Many n-grams, checked; rows of a two-dimensional array are n-grams too. About 20 ns an id.

        Raises
        ------
        QueryError
            Naming the place of the first bad one.
        """
        if isinstance(ngrams, NgramBatch):
            return ngrams
        if isinstance(ngrams, str):
            raise QueryError("expected a list of n-grams, found one text: put it in a list")
        if isinstance(ngrams, np.ndarray) and ngrams.ndim == 2:
            ids = integers(ngrams.ravel())
            offsets = np.arange(len(ngrams) + 1, dtype=np.int64) * ngrams.shape[1]
        else:
            ids, offsets = self._flatten(list(ngrams))
        if len(ids) and not 0 <= ids.min() <= ids.max() < self.vocabulary_size:
            self._check(ids, offsets)
        if self.stored_separator is not None:
            self._check_stored(ids)
        return NgramBatch(ids, offsets[:-1], offsets[1:])

    def text(self, text: Ngram) -> NDArray[np.int64]:
        """Ids of a text without separators, checked.

        Raises
        ------
        QueryError
        """
        ids = self._ids(text)
        if len(ids) and self.ngram(ids)[-1] == self.separator:
            raise QueryError(f"a text holds no separator ({self.separator}): give one document at a time, without its end")
        return ids

    def context(self, context: Ngram) -> NDArray[np.int64]:
        """An n-gram that something may follow, checked.

        Raises
        ------
        QueryError
        """
        ids = self.ngram(context)
        if len(ids) and ids[-1] == self.separator:
            raise QueryError("the context ends with the separator: nothing follows a document's end")
        return ids

    def contexts(self, contexts: Iterable[Ngram] | NgramBatch) -> NgramBatch:
        """Many n-grams that something may follow, checked.

        Raises
        ------
        QueryError
        """
        batch = self.batch(contexts)
        if (batch.ids[batch.stops[batch.starts < batch.stops] - 1] == self.separator).any():
            raise QueryError("a context ends with the separator: nothing follows a document's end")
        return batch

    def _flatten(self, ngrams: list[Ngram]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        offsets = np.zeros(len(ngrams) + 1, np.int64)
        if set(map(type, ngrams)) <= {list, tuple}:
            np.cumsum(np.fromiter(map(len, ngrams), np.int64, len(ngrams)), out=offsets[1:])
            try:
                ids = np.frombuffer(array("q", chain.from_iterable(ngrams)), np.int64)
            except (TypeError, OverflowError):  # something that is no id: say which, below
                return self._concatenate(ngrams, offsets)
            perhaps_bool = np.flatnonzero(ids >> 1 == 0)
            of_ngrams = np.searchsorted(offsets, perhaps_bool, side="right") - 1
            places = zip(of_ngrams.tolist(), (perhaps_bool - offsets[of_ngrams]).tolist(), strict=True)
            if not any(isinstance(ngrams[ngram][place], bool) for ngram, place in places):
                return ids, offsets
        return self._concatenate(ngrams, offsets)

    def _encode_all(self, texts: list[Any]) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
        """Many texts at once, and where each begins; None if they are few, or one is refused: :meth:`_concatenate` says which."""
        if self._encode_batch is None or len(texts) < MANY_TEXTS or set(map(type, texts)) != {str}:
            return None
        try:
            ids, lengths = self._encode_batch(texts)
        except SuffixIndexError:
            return None
        if not lengths.all():
            return None
        return ids.astype(np.int64), np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])

    def _concatenate(self, ngrams: list[Ngram], offsets: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        if (encoded := self._encode_all(ngrams)) is not None:
            return encoded
        arrays: list[NDArray[Any]] = []
        for place, ngram in enumerate(ngrams):
            try:
                arrays.append(self.ngram(ngram) if isinstance(ngram, str) else self._ids(ngram))
            except QueryError as error:
                raise type(error)(f"n-gram {place}: {error}") from None
        np.cumsum([len(array) for array in arrays], out=offsets[1:])
        return np.concatenate([np.empty(0, np.int64), *arrays]), offsets

    def _ids(self, ngram: Ngram) -> NDArray[np.int64]:
        if isinstance(ngram, str):
            return self.encode(ngram).astype(np.int64)
        if isinstance(ngram, (bytes, bytearray)):
            raise QueryError("an n-gram is text or ids, found bytes: decode them to text first")
        try:
            ids = np.asarray(ngram)
        except ValueError as error:
            raise _no_ngram(ngram, str(error)) from None
        if ids.ndim != 1 or ids.dtype.kind in "OU":
            raise _no_ngram(ngram, f"found {ids.ndim} dimensions" if ids.ndim != 1 else f"found {ids.dtype}")
        return ids if ids.dtype is INT64 and ids.flags.carray else integers(ids)

    def _check_stored(self, ids: NDArray[np.int64]) -> None:
        if (ids == self.stored_separator).any() and self.stored_separator != self.separator:
            raise QueryError(
                f"id {self.stored_separator} is the separator of these files, inside no n-gram: "
                f"the end of a document is {self.separator} here, and may only be the last id"
            )

    def _check(self, ids: NDArray[Any], offsets: NDArray[np.int64]) -> None:
        outside = (ids < 0) | (ids >= self.vocabulary_size)
        if not outside.any():
            return
        last = np.zeros(len(ids), bool)
        last[offsets[1:][np.diff(offsets) > 0] - 1] = True
        for place in np.flatnonzero(outside):
            found = int(ids[place])
            query = int(np.searchsorted(offsets, place, side="right")) - 1
            where = f"n-gram {query}: " if len(offsets) > 2 else ""
            if found != self.separator:
                raise QueryError(f"{where}id {found} is outside the vocabulary of {self.vocabulary_size:,} ids")
            if not last[place]:
                raise QueryError(
                    f"{where}the separator {found} may only be the last id of an n-gram: no n-gram crosses a document's end"
                )


def _no_ngram(given: Any, found: str) -> QueryError:
    """What is wrong with something that is neither text nor ids."""
    if as_pattern(given) is not None:
        return QueryError("this question takes n-grams, and a pattern with holes or alternatives is none: ask without them")
    if isinstance(given, (list, tuple)) and any(isinstance(one, str) for one in given):
        return QueryError(
            "an n-gram is text or a sequence of integer ids, found a list of texts: ask the plural question for each of them "
            "(counts for count), or suffixindex.pattern(...) for one after the other"
        )
    return QueryError(f"an n-gram is text or a flat sequence of integer ids, {found}")


def aliases(clause: Clause) -> Sequence[Query]:
    """A clause as a list of n-grams and patterns; ids alone are one n-gram, a list with a hole one pattern, an empty list none."""
    if isinstance(clause, (str, np.ndarray)) or not isinstance(clause, Sequence):
        return [clause]
    if len(clause) and isinstance(clause[0], (int, np.integer)):
        return [clause]  # type: ignore[list-item]
    if any(isinstance(element, Gap) for element in clause):
        return [clause]  # type: ignore[list-item]
    return clause  # type: ignore[return-value]


def check_integers(**numbers: object) -> None:
    """Refuse what is no integer.

    Raises
    ------
    QueryError
    """
    for name, number in numbers.items():
        if isinstance(number, (bool, np.bool_)) or not hasattr(number, "__index__"):
            raise QueryError(f"{name} is {number!r}: expected an integer")


def check_range(least: int, most: int, **numbers: Any) -> None:
    """Refuse what is no integer from ``least`` to ``most``.

    Raises
    ------
    QueryError
    """
    check_integers(**numbers)
    for name, number in numbers.items():
        if number < least:
            raise QueryError(f"{name} is {number}: expected {least} or more")
        if number > most:
            raise QueryError(f"{name} is {number}: expected at most {most:,}")


def check_limits(**numbers: int | None) -> None:
    """Refuse a negative limit or window; None means no limit.

    Raises
    ------
    QueryError
    """
    check_range(0, LARGEST, **{name: number for name, number in numbers.items() if number is not None})


def check_not_negative(**numbers: int) -> None:
    """Refuse a negative offset or size, which a slice would take in silence.

    Raises
    ------
    QueryError
    """
    check_range(0, LARGEST, **numbers)


def check_positive(**numbers: int) -> None:
    """Refuse a size of 0 or less, of which nothing can be counted.

    Raises
    ------
    QueryError
    """
    check_range(1, LARGEST, **numbers)


def integers(ids: ArrayLike) -> NDArray[np.int64]:
    """Ids as int64, in one dimension; one id alone is one of one.

    Raises
    ------
    QueryError
        They are no integers.
    """
    try:
        array = np.atleast_1d(np.asarray(ids))
    except ValueError as error:
        raise QueryError(f"expected a flat sequence of ids: {error}") from None
    if array.ndim > 1:
        raise QueryError(f"expected a flat sequence of ids, found {array.ndim} dimensions")
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.dtype.kind not in "iu":
        raise QueryError(f"an n-gram is text or a sequence of integer ids, found {array.dtype}")
    if array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise QueryError(f"id {array.max()} is outside every vocabulary")
    return array.astype(np.int64)
