"""``/``: infini-gram's API for those who post, the list of indexes for those who get it, the page for a browser."""

import json
import re
import time
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from suffixindex.errors import ClusterError, SuffixIndexError
from suffixindex.serve import problems
from suffixindex.serve.compat.answers import ANSWERS, Answer, Asked, price
from suffixindex.serve.compat.attribution import AskAttribution, attribute
from suffixindex.serve.compat.attribution import price as attribution_price
from suffixindex.serve.compat.requests import KNOWN, Query, RefusedError, Routed, WrongError, route
from suffixindex.serve.middleware import prefers_page
from suffixindex.serve.rendering import to_json
from suffixindex.serve.state import STATIC, State, client_gone, state_of
from suffixindex.serve.table import Served
from suffixindex.serve.work import Job


def as_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON as Flask writes it: keys in order, everything but ASCII escaped."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n"
    return Response(text, status, headers, "application/json")


async def root(request: Request) -> Response:
    """``/`` by any method."""
    if request.method == "OPTIONS":
        return Response(headers={"Allow": "GET, HEAD, OPTIONS, POST"})
    if request.method in ("GET", "HEAD"):
        if prefers_page(request.headers.get("accept", "")):
            return FileResponse(STATIC / "index.html", headers={"Vary": "Accept"})
        state = state_of(request)
        listed = await state.in_cheap_pool(lambda: [{"desc": described(one), "index": name} for name, one in state.table.items()])
        return as_json(listed, headers={"Vary": "Accept"})
    try:
        return await _ask(request)
    except RefusedError as error:
        return as_json({"error": str(error)}, 400)
    except problems.ProblemError as error:
        return as_json({"error": error.detail}, 200 if error.kind == "too-expensive" else error.status, error.headers())


def described(served: Served) -> str:
    info = served.info
    return f"{info['num_documents']:,} documents, {info['num_tokens']:,} tokens, tokenizer {info['tokenizer'].get('kind')}"


async def attribution(request: Request) -> Response:
    """``POST /{index}/attribution``."""
    state = state_of(request)
    name = request.path_params["index"]
    served = state.table[name]
    try:
        asked = AskAttribution.model_validate_json(await request.body())
    except ValidationError as error:
        return as_json(
            {"detail": [{"loc": ["body", *fault["loc"]], "msg": fault["msg"], "type": fault["type"]} for fault in error.errors()]},
            422,
        )
    state.log_query(name, "attribution", asked)

    def work(job: Job) -> bytes:
        content = to_json({"index": name, **attribute(served, asked)})
        if len(content) > state.settings.answer_bytes:
            raise problems.answer_too_large(state.settings.answer_bytes)
        return content

    content = await state.workers.answer(lambda: attribution_price(served, asked), work, client_gone(request))
    return Response(content, media_type="application/json")


async def health(request: Request) -> Response:
    return Response(status_code=204)


async def indexes(request: Request) -> Response:
    return as_json(state_of(request).table.names())


async def _ask(request: Request) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not re.fullmatch(r"application/(json|[^/]+\+json)", kind):
        return as_json({"error": "[Flask] the request's Content-Type must be application/json"}, 415)
    try:
        data = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise RefusedError("[Flask] the request's body is not JSON") from None
    if not isinstance(data, dict):
        raise RefusedError("[Flask] the request's body must be a JSON object")
    state = state_of(request)
    routed = route(data, state.table)
    state.log_query(routed.index, routed.query_type, data)
    served, budget = state.table[routed.index], state.settings.budget
    query: list[Query | WrongError] = []

    def cost() -> float:
        try:
            query.append(Query(served.index, data))
        except (WrongError, SuffixIndexError) as error:
            query.append(error if isinstance(error, WrongError) else WrongError(str(error)))
            return 0.0
        try:
            return price(Asked(served, query[0], data, lambda: None, budget), routed.query_type)  # type: ignore[arg-type]
        except ClusterError:
            raise
        except SuffixIndexError:
            return 0.0  # the answer says what is wrong

    def work(job: Job) -> bytes:
        content = _answer(state, served, routed, query[0], job)
        body = as_json(content).body
        if len(body) > state.settings.answer_bytes:
            raise problems.answer_too_large(state.settings.answer_bytes)
        return bytes(body)

    try:
        body = await state.workers.answer(cost, work, client_gone(request))
    except ClusterError as error:
        raise problems.bad_question(error) from error
    return Response(body, media_type="application/json")


def _answer(state: State, served: Served, routed: Routed, query: Query | WrongError, job: Job) -> Answer:
    if isinstance(query, WrongError):
        return _told(query)
    started = time.perf_counter()
    asked = Asked(served, query, routed.data, job.check, state.settings.budget)
    try:
        answer = ANSWERS[routed.query_type](asked)
    except WrongError as error:
        answer = _told(error)
    except ClusterError:
        raise
    except SuffixIndexError as error:
        answer = {"error": str(error)}
    unknown = sorted(set(routed.data) - KNOWN)
    warnings = [*query.warnings, *(f"the field {name!r} is unknown and was ignored" for name in unknown)]
    latency = (time.perf_counter() - started) * 1e3
    told = {**answer, "latency": latency, "token_ids": query.token_ids, "tokens": query.tokens}
    return {**told, "warnings": warnings} if warnings else told


def _told(error: WrongError) -> Answer:
    sentence, *more = error.args
    return {"error": sentence, **(more[0] if more else {})}
