"""The questions of the own API: what each is asked and answers, what it costs, and who answers it."""

import base64
import binascii
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from suffixindex.index import SuffixIndex
from suffixindex.ngrams import Query
from suffixindex.patterns import CheckedPattern
from suffixindex.queries.shard_set import Mask
from suffixindex.results import DocumentMatch
from suffixindex.serve import problems
from suffixindex.serve.table import Served
from suffixindex.serve.v1.models import Interval, Model, Where

Asked = TypeVar("Asked", bound=Model)
Answer = dict[str, Any]


class Question(NamedTuple):
    """One method of the index over HTTP."""

    name: str
    asked: type[Model]
    reply: type[BaseModel]
    answer: Callable[["Asking", Any], Answer]
    price: Callable[["Asking", Any], float]
    rows: str | None
    """The list of records that is the table, if the answer is a list of records."""
    summary: str


QUESTIONS: dict[str, Question] = {}


def question(
    asked: type[Asked], reply: type[BaseModel], price: Callable[["Asking", Asked], float], rows: str | None = None
) -> Callable[[Callable[["Asking", Asked], Answer]], Callable[["Asking", Asked], Answer]]:
    """Make a function one of the questions, under its own name."""

    def register(answer: Callable[["Asking", Asked], Answer]) -> Callable[["Asking", Asked], Answer]:
        name, summary = answer.__name__, (answer.__doc__ or "").strip()
        QUESTIONS[name] = Question(name, asked, reply, answer, price, rows, summary)
        return answer

    return register


@dataclass
class Asking:
    """An index while one question about it is priced and answered."""

    served: Served
    _masks: dict[int, Mask] = field(default_factory=dict)

    @property
    def index(self) -> SuffixIndex:
        return self.served.index

    def mask(self, where: Where | None) -> Mask | None:
        """The documents that a ``where`` of the wire means."""
        if where is None:
            return None
        if id(where) not in self._masks:
            self._masks[id(where)] = self._read_mask(where)
        return self._masks[id(where)]

    def _read_mask(self, where: Where) -> Mask:
        index = self.index
        mask = index.mask({name: _condition(wanted) for name, wanted in where.fields.items()})
        self.served.pricing.known_fields.update(where.fields)
        if where.mask is not None:
            mask = index.mask(mask & unpack_mask(where.mask, index.num_documents))
        return index.holding(*where.holding, window=where.window, where=mask) if where.holding else mask

    def where_price(self, where: Where | None, occurrences: int = 0) -> float:
        """What it costs to find the documents of a ``where``, and to keep to them."""
        if where is None:
            return 0.0
        from suffixindex.serve.pricing import FILTER

        pricing = self.served.pricing
        return pricing.mask(list(where.fields), where.holding, where.window) + FILTER * occurrences

    def described(self, ngram: Query) -> dict[str, Any]:
        """An n-gram as it was looked up."""
        checked = self.index.checker.query(ngram)
        if isinstance(checked, CheckedPattern):
            return {"text": str(ngram), "token_ids": checked.layout(list), "pieces": checked.layout(self.index.pieces)}
        ids = checked.tolist()
        return {
            "text": ngram if isinstance(ngram, str) else self.index.decode(ids),
            "token_ids": ids,
            "pieces": self.index.pieces(ids),
        }

    def length(self, ngram: Query, snippet: int | None) -> int:
        """Tokens of an n-gram, for a snippet.

        Raises
        ------
        ProblemError
            A snippet of what may have several lengths.
        """
        checked = self.index.checker.query(ngram)
        if not isinstance(checked, CheckedPattern):
            return len(checked)
        if snippet is not None:
            raise problems.malformed("snippet: of a pattern, ask the concordance, which knows how long each occurrence is")
        return 0

    def match(self, match: DocumentMatch, length: int, snippet: int | None, max_offsets: int | None) -> dict[str, Any]:
        """A document that holds an n-gram of some tokens."""
        record = {
            "document_id": match.document_id,
            "ngram_count": match.ngram_count,
            "offsets": match.offsets[:max_offsets],
            "num_tokens": match.num_tokens,
            "path": match.path,
            "line": match.line,
            "metadata": match.metadata,
        }
        return record if snippet is None else {**record, "snippet": self._snippet(match, length, snippet)}

    def _snippet(self, match: DocumentMatch, length: int, width: int) -> dict[str, str]:
        ids, first = self.index.document(match.document_id).token_ids, int(match.offsets[0]) if len(match.offsets) else 0
        end = first + length
        parts = {"left": ids[max(0, first - width) : first], "match": ids[first:end], "right": ids[end : end + width]}
        return {name: self.index.decode(part) for name, part in parts.items()}


def start_of(offset: int, cursor: str | None) -> int:
    """Where a page begins.

    Raises
    ------
    ProblemError
        The cursor is none that this API gave.
    """
    if cursor is None:
        return offset
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise problems.malformed(f"cursor is {cursor!r}: expected next_cursor of the page before")
    return int(cursor)


def next_cursor(start: int, shown: int, total: int) -> str | None:
    return str(start + shown) if shown and start + shown < total else None


def pack_mask(mask: NDArray[np.bool_]) -> str:
    """A bit for each document, deflated, in base64."""
    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 1)).decode()


def unpack_mask(text: str, size: int) -> Mask:
    """
    Raises
    ------
    ProblemError
        It is no mask of ``size`` documents.
    """
    expected = (size + 7) // 8
    try:
        inflater = zlib.decompressobj()
        content = inflater.decompress(base64.b64decode(text, validate=True), expected + 1)
    except (binascii.Error, zlib.error, ValueError):
        content = b""
    if len(content) != expected:
        raise problems.malformed(
            f"where.mask: expected base64 of {expected:,} deflated bytes, a bit for each of {size:,} documents"
        )
    return np.unpackbits(np.frombuffer(content, np.uint8), count=size).astype(bool)


def _condition(wanted: Any) -> Any:
    if isinstance(wanted, Interval):
        return range(wanted.start, wanted.below, wanted.step)
    return [_condition(one) for one in wanted] if isinstance(wanted, list) else wanted
