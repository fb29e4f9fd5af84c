"""Bulk questions: JSON lines in, an answer a line back, in blocks between which the server looks whether it is to go on.

The whole body is read and checked first, so that a bad line is refused before anything is answered.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import orjson
from fastapi import APIRouter, Request
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse

from suffixindex.errors import QueryError, SuffixIndexError
from suffixindex.ngrams import NgramBatch, aliases, join
from suffixindex.queries.cooccurrence import NO_CLAUSE
from suffixindex.query_checker import QueryChecker
from suffixindex.serve import pricing, problems
from suffixindex.serve.rendering import to_json
from suffixindex.serve.settings import MEBIBYTE
from suffixindex.serve.state import State, declared_length, state_of
from suffixindex.serve.v1 import models, replies
from suffixindex.serve.v1.occurrences import distribution
from suffixindex.serve.v1.questions import Asking
from suffixindex.serve.v1.routes import PROBLEMS
from suffixindex.serve.v1.texts import matched, scored
from suffixindex.serve.work import Job, watched

LINES = "application/x-ndjson"
PARSED = 8192
"""Lines that are parsed at a time."""
BLOCK_SECONDS = 0.1
"""What a block of questions costs, about."""
MOST_IN_BLOCK = 65_536


class Options(models.Filtered):
    """The first line, if it is an object: what holds for all questions."""

    window: models.Count | None = None


class Batch(NamedTuple):
    """The questions of a body, checked: n-grams, or clauses."""

    options: Options
    ngrams: NgramBatch
    questions: list[Any]

    def __len__(self) -> int:
        return len(self.questions) or len(self.ngrams)


class Bulk(NamedTuple):
    """One bulk question."""

    name: str
    line: Any
    """Type of an answer's line."""
    summary: str
    answer: Callable[[Asking, Batch, int, int], Sequence[Any]]
    """The answers to questions ``[first, last)``."""
    price: Callable[[Asking, Batch], float]
    patterns: bool = True
    """Whether it takes patterns."""
    clauses: bool = False


def _part(batch: Batch, first: int, last: int) -> NgramBatch:
    patterns = tuple((place - first, one) for place, one in batch.ngrams.patterns if first <= place < last)
    return NgramBatch(batch.ngrams.ids, batch.ngrams.starts[first:last], batch.ngrams.stops[first:last], patterns)


def _counts(asking: Asking, batch: Batch, first: int, last: int) -> Sequence[Any]:
    found: list[int] = asking.index.counts(_part(batch, first, last), asking.mask(batch.options.where)).tolist()
    return found


def _document_counts(asking: Asking, batch: Batch, first: int, last: int) -> Sequence[Any]:
    mask = asking.mask(batch.options.where)
    found: list[int] = asking.index.document_counts(_part(batch, first, last), mask).tolist()
    return found


def _distributions(asking: Asking, batch: Batch, first: int, last: int) -> Sequence[Any]:
    found = asking.index.next_distributions(_part(batch, first, last), asking.mask(batch.options.where))
    return [distribution(following) for following in found]


def _texts(batch: Batch, first: int, last: int) -> list[Any]:
    return [batch.ngrams.ngram(number) for number in range(first, last)]


def _scores(asking: Asking, batch: Batch, first: int, last: int) -> Sequence[Any]:
    return [scored(one) for one in asking.index.scores(_texts(batch, first, last))]


def _matches(asking: Asking, batch: Batch, first: int, last: int) -> Sequence[Any]:
    return [matched(one) for one in asking.index.matches(_texts(batch, first, last))]


def _encode(asking: Asking, batch: Batch, first: int, last: int) -> Sequence[Any]:
    return [ids.tolist() for ids in _texts(batch, first, last)]


def _together(asking: Asking, batch: Batch, first: int, last: int) -> Sequence[Any]:
    mask, window = asking.mask(batch.options.where), batch.options.window
    found: list[int] = asking.index.cooccurrences(batch.questions[first:last], window=window, where=mask).tolist()
    return found


def _price(per_occurrence: float) -> Callable[[Asking, Batch], float]:
    def price(asking: Asking, batch: Batch) -> float:
        where = batch.options.where
        each = per_occurrence + (pricing.FILTER if where else 0.0)
        return asking.served.pricing.bulk(batch.ngrams, each) + asking.where_price(where)

    return price


def _price_distributions(asking: Asking, batch: Batch) -> float:
    return asking.served.pricing.bulk_following(batch.ngrams) + _price(0.0)(asking, batch)


def _price_texts(asking: Asking, batch: Batch) -> float:
    return asking.served.pricing.text(len(batch.ngrams.ids))


def _price_together(asking: Asking, batch: Batch) -> float:
    where, window = batch.options.where, batch.options.window
    each = pricing.STAMP if window is None else pricing.NEAR
    return 5 * pricing.SEARCH * len(batch) + asking.served.pricing.bulk(batch.ngrams, each) + asking.where_price(where)


BULK = (
    Bulk("counts", int, "Occurrences of each n-gram", _counts, _price(0.0)),
    Bulk("document_counts", int, "Documents that hold each n-gram", _document_counts, _price(pricing.STAMP)),
    Bulk("next_distributions", replies.Distribution, "What follows each context", _distributions, _price_distributions),
    Bulk("scores", replies.Scored, "∞-gram evidence of each text", _scores, _price_texts, False),
    Bulk("matches", replies.Matched, "Matching statistics of each text", _matches, _price_texts, False),
    Bulk("encode", list[int], "Ids of each text", _encode, _price(0.0), False),
    Bulk("cooccurrences", int, "Documents that hold all clauses of each question", _together, _price_together, clauses=True),
)
CLAUSES: TypeAdapter[list[models.Clause]] = TypeAdapter(list[models.Clause])
PATTERN: TypeAdapter[models.AsPattern] = TypeAdapter(models.AsPattern)


# ---- the body ----------------------------------------------------------------------------------------------------


async def read_body(request: Request, state: State) -> bytes:
    """A body of bounded size, of few at a time.

    Raises
    ------
    ProblemError
        413, 408 or 503.
    """
    limit = state.settings.bulk_bytes
    if declared_length(Headers(scope=request.scope)) > limit:
        raise problems.too_large(limit)
    content, stream = bytearray(), request.stream()
    seconds = state.settings.body_seconds * max(1, limit // MEBIBYTE)
    try:
        async with asyncio.timeout(seconds):
            async for chunk in stream:
                content.extend(chunk)
                if len(content) > limit:
                    raise problems.too_large(limit)
    except TimeoutError:
        raise problems.too_long_sent(seconds) from None
    return bytes(content)


def parse(content: bytes, bulk: Bulk, checker: QueryChecker, job: Job) -> Batch:
    """The questions of a body.

    Raises
    ------
    ProblemError, QueryError
        A line that is no question, with its number.
    """
    lines = content.split(b"\n")
    while lines and not lines[-1].strip():
        lines.pop()
    options, skipped = Options(), 0
    if lines and lines[0].lstrip().startswith(b"{") and "pattern" not in _parse_line(lines[0], 1):
        options, skipped = _options(lines[0]), 1
        if options.window is not None and not bulk.clauses:
            raise problems.malformed("line 1: window: only co-occurrences have one")
    batches, questions = [], []
    for first in range(skipped, len(lines), PARSED):
        job.check()
        block = [_parse_line(line, number) for number, line in enumerate(lines[first : first + PARSED], first + 1)]
        if bulk.clauses:
            for number, one in enumerate(block, first + 1):
                questions.append(_clauses(one, number))
            block = [ngram for one in questions[-len(block) :] for clause in one for ngram in _ngrams(clause)]
        else:
            block = [_query(one, number) for number, one in enumerate(block, first + 1)]
        batches.append(_check(block, checker.queries if bulk.patterns else checker.batch, checker, first - skipped))
    return Batch(options, _joined(batches), questions)


def _parse_line(line: bytes, number: int) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise problems.malformed(f"line {number}: malformed JSON ({error})") from None


def _options(line: bytes) -> Options:
    try:
        return Options.model_validate(_parse_line(line, 1))
    except ValidationError as error:
        fault = error.errors()[0]
        raise problems.malformed(f"line 1: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None


def _clauses(one: Any, number: int) -> Any:
    try:
        clauses = CLAUSES.validate_python(one)
    except ValidationError as error:
        raise problems.malformed(f"line {number}: expected a list of clauses: {error.errors()[0]['msg']}") from None
    if not clauses or not all(map(_ngrams, clauses)):
        raise QueryError(f"line {number}: {NO_CLAUSE}")
    return clauses


def _query(one: Any, number: int) -> Any:
    """A line that is an object is a pattern."""
    if not isinstance(one, dict):
        return one
    try:
        return PATTERN.validate_python(one)
    except ValidationError as error:
        fault = error.errors()[0]
        raise problems.malformed(f"line {number}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None


def _ngrams(clause: Any) -> list[Any]:
    return list(aliases(clause))


def _check(block: list[Any], check: Callable[[Any], NgramBatch], checker: QueryChecker, first: int) -> NgramBatch:
    """A block of n-grams, the bad one named by its place in the whole."""
    try:
        return check(block)
    except SuffixIndexError:
        for place, ngram in enumerate(block):
            try:
                checker.query(ngram) if check == checker.queries else checker.ngram(ngram)
            except SuffixIndexError as error:
                raise QueryError(f"n-gram {first + place}: {error}") from None
        raise


def _joined(batches: list[NgramBatch]) -> NgramBatch:
    if not batches:
        return join([])
    shifts = np.cumsum([0, *(len(batch.ids) for batch in batches)])
    places = np.cumsum([0, *map(len, batches)]).tolist()
    patterns = [(place + first, one) for first, batch in zip(places, batches, strict=False) for place, one in batch.patterns]
    return NgramBatch(
        np.concatenate([batch.ids for batch in batches]),
        np.concatenate([batch.starts + shift for batch, shift in zip(batches, shifts, strict=False)]),
        np.concatenate([batch.stops + shift for batch, shift in zip(batches, shifts, strict=False)]),
        tuple(patterns),
    )


# ---- the answer --------------------------------------------------------------------------------------------------


def blocks(size: int, price: float) -> Iterator[tuple[int, int]]:
    """Questions ``[first, last)`` that are answered at a time."""
    each = max(1, min(MOST_IN_BLOCK, int(size * BLOCK_SECONDS / max(price, 1e-9))))
    return pairwise([*range(0, size, each), size])


async def answers(state: State, bulk: Bulk, asking: Asking, batch: Batch, price: float, job: Job) -> AsyncIterator[bytes]:
    """The answers block by block; what goes wrong half-way is the last line, an object with an ``error``."""
    try:
        with state.workers.expensive.place(price) as submit:
            for first, last in blocks(len(batch), price):

                def answer(first: int = first, last: int = last) -> bytes:
                    job.check()
                    return b"".join(to_json(one) + b"\n" for one in bulk.answer(asking, batch, first, last))

                yield await watched(submit(answer), job)
    except problems.ProblemError as error:
        yield to_json({"error": error.content()}) + b"\n"
    except SuffixIndexError as error:
        yield to_json({"error": problems.bad_question(error).content()}) + b"\n"
    finally:
        job.cancel()


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1", responses=PROBLEMS, tags=["Bulk"])
    for bulk in BULK:
        routes.add_api_route(
            f"/{{index}}/bulk/{bulk.name}",
            _endpoint(bulk),
            methods=["POST"],
            responses={200: {"content": {LINES: {"schema": {"type": "string"}}}, "description": "An answer a line"}},
            openapi_extra={"requestBody": {"content": {LINES: {"schema": {"type": "string"}}}, "required": True}},
            summary=f"{bulk.summary}: JSON lines in, JSON lines out",
            operation_id=f"bulk_{bulk.name}",
        )
    return routes


def _endpoint(bulk: Bulk) -> Any:
    async def endpoint(request: Request, index: str) -> Response:
        state = state_of(request)
        asking = Asking(state.table[index])
        settings = state.settings
        if state.bulk_bodies >= settings.bulk_bodies:
            raise problems.overloaded(5.0)
        state.bulk_bodies += 1
        try:
            content = await read_body(request, state)
            job = state.workers.job(settings.bulk_budget)

            def prepare() -> tuple[Batch, float]:
                batch = parse(content, bulk, asking.index.checker, job)
                price = bulk.price(asking, batch)
                state.workers.refuse_expensive(price, settings.bulk_budget)
                asking.mask(batch.options.where)  # a bad one is refused before the answer begins
                return batch, price

            future = state.workers.expensive.submit(prepare, 0.0)
            batch, price = await watched(future, job)
        finally:
            state.bulk_bodies -= 1
        return StreamingResponse(answers(state, bulk, asking, batch, price, job), media_type=LINES)

    return endpoint
