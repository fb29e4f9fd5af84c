"""Questions as they go over the wire, and answers as they come back: from and to what the index itself takes and gives."""

import base64
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import Clause, NgramChecker, Queries, Query, aliases
from suffixindex.patterns import as_pattern, to_json
from suffixindex.queries.groups import Value, Where
from suffixindex.queries.variants import KINDS
from suffixindex.results import Concordance, DocumentMatch, NextTokens, Scores, TextMatches

Sent = str | list[int] | dict[str, Any]
"""An n-gram or a pattern on the wire."""
PORTION = 16 << 20
"""Bytes of one bulk request."""


def send_ngram(ngram: Query, check: Callable[[Any], NDArray[np.int64]]) -> Sent:
    """Text goes as it is, the server encodes it; ids are checked here."""
    if not isinstance(ngram, str):
        return check(ngram).tolist()  # type: ignore[no-any-return]
    check_unicode(ngram)
    return ngram


def send_query(query: Query, check: Callable[[Any], NDArray[np.int64]]) -> Sent:
    """An n-gram, or a pattern, which the server checks."""
    given = as_pattern(query)
    if given is None:
        return send_ngram(query, check)
    for text in _texts(given.elements):
        check_unicode(text)
    return to_json(given)


def _texts(elements: Any) -> Iterator[str]:
    for element in elements:
        if isinstance(element, str):
            yield element
        elif isinstance(element, tuple):
            yield from _texts(element)


def check_unicode(text: str) -> None:
    """
    Raises
    ------
    QueryError
        Half a surrogate pair, which goes over no wire.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"the text {text!r} is not Unicode: {error.reason}") from None


def send_ngrams(ngrams: Queries, checker: NgramChecker) -> list[Sent]:
    """Many n-grams; the bad one is named by its place.

    Raises
    ------
    QueryError
    """
    listed: Any = ngrams if isinstance(ngrams, (str, tuple, np.ndarray)) else list(ngrams)
    if not isinstance(listed, list) or not any(isinstance(ngram, str) or as_pattern(ngram) for ngram in listed):
        batch = checker.batch(listed)
        ids = batch.ids.tolist()
        return [ids[start:stop] for start, stop in zip(batch.starts.tolist(), batch.stops.tolist(), strict=True)]
    sent = []
    for place, ngram in enumerate(listed):
        try:
            sent.append(send_query(ngram, checker.ngram))
        except QueryError as error:
            raise QueryError(f"n-gram {place}: {error}") from None
    return sent


def send_clause(clause: Clause, checker: NgramChecker) -> Any:
    """An n-gram, or a list of several."""
    if isinstance(clause, str):
        return send_ngram(clause, checker.ngram)
    return [send_query(ngram, checker.ngram) for ngram in aliases(clause)]


# ---- where -------------------------------------------------------------------------------------------------------


def send_where(where: Where | None, size: int, values: Callable[[str], Iterable[Value]]) -> dict[str, Any] | None:
    """A condition; ``values(field)`` lists what a field holds, of which a function chooses here.

    Raises
    ------
    QueryError
    """
    if where is None:
        return None
    if isinstance(where, np.ndarray):
        if where.dtype != bool or where.shape != (size,):
            raise QueryError(f"where is an array {where.dtype} {list(where.shape)}: expected bool [{size}], one a document")
        return {"mask": base64.b64encode(zlib.compress(np.packbits(where).tobytes(), 1)).decode()}
    if not isinstance(where, Mapping):
        raise QueryError(f"where is {type(where).__name__}: expected a condition for each field, as {{'year': 1999}}")
    return {"fields": {field: _send_condition(field, condition, values) for field, condition in where.items()}}


def _send_condition(field: str, condition: Any, values: Callable[[str], Iterable[Value]]) -> Any:
    if isinstance(condition, range):
        return _send_range(condition)
    if isinstance(condition, np.generic):
        return condition.item()
    if condition is None or isinstance(condition, (str, int, float)):
        return condition
    if callable(condition):
        return [value for value in values(field) if condition(value)]
    if isinstance(condition, Iterable) and not isinstance(condition, (bytes, Mapping)):
        members = list(condition)
        if any(isinstance(member, (list, dict, set)) for member in members):
            raise QueryError(f"the collection for the field {field!r} holds a list or a record: expected values")
        return [_send_condition(field, member, values) for member in members]
    raise QueryError(
        f"the condition for the field {field!r} is {type(condition).__name__}: expected a value, a collection of values, "
        "a range or a function"
    )


def _send_range(numbers: range) -> dict[str, int]:
    ascending = numbers if numbers.step > 0 else numbers[::-1]
    return {"from": ascending.start, "below": ascending.stop, "step": ascending.step}


def read_mask(text: str, size: int) -> NDArray[np.bool_]:
    content = zlib.decompress(base64.b64decode(text))
    mask = np.unpackbits(np.frombuffer(content, np.uint8), count=size).astype(bool)
    mask.flags.writeable = False
    return mask


# ---- answers -----------------------------------------------------------------------------------------------------


def integers(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def read_following(answer: Mapping[str, Any]) -> NextTokens:
    return NextTokens(integers(answer["token_ids"]), integers(answer["counts"]), answer["context_count"], answer["separator"])


def read_match(answer: Mapping[str, Any]) -> DocumentMatch:
    where = answer["path"], answer["line"], answer["metadata"]
    return DocumentMatch(answer["document_id"], integers(answer["offsets"]), answer["num_tokens"], *where)


def read_line(answer: Mapping[str, Any], dtype: np.dtype[Any]) -> Concordance:
    parts = [np.array(answer[name]["token_ids"], dtype) for name in ("left", "match", "right")]
    return Concordance(answer["document_id"], answer["offset"], *parts)


def read_scores(answer: Mapping[str, Any]) -> Scores:
    return Scores(*(integers(answer[name]) for name in ("suffix_lengths", "context_counts", "ngram_counts")))


def read_matches(answer: Mapping[str, Any]) -> TextMatches:
    return TextMatches(integers(answer["lengths"]), integers(answer["counts"]))


def read_counter(answer: dict[str, Any]) -> Counter[Value]:
    return Counter({group["value"]: group["count"] for group in answer["groups"]})


def send_text(text: str) -> str:
    if not isinstance(text, str):
        raise QueryError(f"only text has variants, found {type(text).__name__}")
    check_unicode(text)
    return text


def send_kinds(kinds: Sequence[str]) -> list[str]:
    if isinstance(kinds, str):
        raise QueryError(f"kinds of variants are {kinds!r}: expected some of {', '.join(map(repr, KINDS))} in a list")
    return list(kinds)


def portions(lines: list[bytes]) -> Iterator[list[bytes]]:
    """Lines of about 16 MiB together."""
    portion: list[bytes] = []
    size = 0
    for line in lines:
        if portion and size + len(line) > PORTION:
            yield portion
            portion, size = [], 0
        portion.append(line)
        size += len(line) + 1
    if portion:
        yield portion
