"""What a client is told when it gets no answer: problem+json (RFC 9457), one clear sentence in ``detail``."""

import math
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from suffixindex.errors import ClusterError, SuffixIndexError

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """Why there is no answer."""

    type: str
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """An answer that is none: raised where a question is refused, sent as problem+json."""

    def __init__(self, status: int, kind: str, title: str, detail: str, *, retry_after: float | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.kind, self.title, self.detail, self.retry_after, self.more = (
            status,
            kind,
            title,
            detail,
            retry_after,
            more,
        )

    def content(self) -> dict[str, Any]:
        return {"type": self.kind, "title": self.title, "status": self.status, "detail": self.detail, **self.more}

    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}

    def response(self) -> Response:
        content = orjson.dumps(self.content(), option=orjson.OPT_NON_STR_KEYS, default=str)
        return Response(content, self.status, self.headers(), MEDIA_TYPE)


def bad_question(error: SuffixIndexError) -> ProblemError:
    """An error of the library, whose class is the problem's type."""
    status, retry = (503, 5.0) if isinstance(error, ClusterError) else (400, None)
    return ProblemError(status, type(error).__name__, "The question has no answer", str(error), retry_after=retry)


def no_index(name: str) -> ProblemError:
    return ProblemError(404, "no-index", "No such index", f"no index is served as {name!r}: GET /v1/indexes lists those that are")


def malformed(detail: str, **more: Any) -> ProblemError:
    return ProblemError(422, "malformed", "The request is malformed", detail, **more)


def too_large(limit: int) -> ProblemError:
    detail = f"the body is larger than {limit:,} bytes: ask in parts, or through /bulk/, which takes more"
    return ProblemError(413, "too-large", "The body is too large", detail, limit_bytes=limit)


def answer_too_large(limit: int) -> ProblemError:
    detail = f"the answer is larger than {limit:,} bytes: ask for a smaller page (limit, cursor), or for part of it"
    return ProblemError(422, "answer-too-large", "The answer is too large", detail, limit_bytes=limit)


def too_expensive(price: float, budget: float) -> ProblemError:
    detail = (
        f"this question would take about {price:.3g} s, and this server spends {budget:g} s on one: ask for a rarer n-gram, "
        "for fewer at a time, or for a sample"
    )
    title = "The question is too expensive"
    return ProblemError(422, "too-expensive", title, detail, price_seconds=round(price, 6), budget_seconds=budget)


def overloaded(retry_after: float) -> ProblemError:
    detail = f"too many questions are waiting already: come back in {max(1, math.ceil(retry_after))} s"
    return ProblemError(503, "server-overloaded", "Server overloaded", detail, retry_after=retry_after)


def too_slow(seconds: float) -> ProblemError:
    detail = f"the question was stopped after {seconds:.1f} s: the server is busy, or its disk is; come back later"
    return ProblemError(503, "too-slow", "The question took too long", detail, retry_after=5.0)


def draining() -> ProblemError:
    return ProblemError(503, "draining", "The server is stopping", "the server stops; ask again in a moment", retry_after=5.0)


def unauthorized() -> ProblemError:
    return ProblemError(
        401, "unauthorized", "A token is needed", "send the header Authorization: Bearer TOKEN, with this server's token"
    )


def too_long_sent(seconds: float) -> ProblemError:
    return ProblemError(408, "slow-body", "The body took too long", f"the body did not come within {seconds:g} s: send it again")
