"""The ASGI application: the own API, infini-gram's, the page, and what operators ask."""

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

from suffixindex.errors import QueryError, SuffixIndexError
from suffixindex.index import SuffixIndex
from suffixindex.serve import problems
from suffixindex.serve.compat.routes import attribution, health, indexes, root
from suffixindex.serve.middleware import Guard
from suffixindex.serve.settings import Settings
from suffixindex.serve.state import STATIC, State, state_of
from suffixindex.serve.table import Table
from suffixindex.serve.v1 import bulk, routes
from suffixindex.serve.work import ClientGoneError

logger = logging.getLogger("suffixindex.serve")


def app(table: Mapping[str, "SuffixIndex | str | os.PathLike[str]"], settings: Settings | None = None, **changes: Any) -> FastAPI:
    """An ASGI application that answers for some indexes by name; run it with any ASGI server, one process of it.

    Parameters
    ----------
    table
        Name -> an open index, or a path, which is opened. Several names may mean one index.
    settings
        Limits, see :class:`suffixindex.serve.settings.Settings`; ``changes`` are single ones of them (``budget=1.0``).
    """
    settings = replace(settings or Settings(), **changes)
    state = State(Table(_opened(table)), settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        state.draining = True
        state.workers.close()

    application = FastAPI(
        title="suffixindex",
        version="1",
        description="How often a corpus says something, what follows, and which documents hold it.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    application.state.serving = state
    application.include_router(bulk.router())
    application.include_router(routes.router())
    _add_operations(application)
    application.add_route("/", root, ["GET", "POST", "OPTIONS"], include_in_schema=False)
    application.add_route("/{index}/attribution", attribution, ["POST"], include_in_schema=False)
    application.add_route("/health/", health, ["GET"], include_in_schema=False)
    application.add_route("/indexes", indexes, ["GET"], include_in_schema=False)
    application.mount("/static", StaticFiles(directory=STATIC), name="static")
    for kind, handler in HANDLERS.items():
        application.add_exception_handler(kind, handler)
    application.add_middleware(Guard, state=state)
    if settings.cors:
        application.add_middleware(
            CORSMiddleware, allow_origins=settings.cors, allow_methods=["GET", "POST"], allow_headers=["*"], max_age=600
        )
    return application


def _opened(given: Mapping[str, Any]) -> dict[str, SuffixIndex]:
    """Open what is given as a path, each path once.

    Raises
    ------
    QueryError
        No index, or a name that is no part of a path.
    """
    if not given:
        raise QueryError("no index was given to serve")
    paths: dict[str, SuffixIndex] = {}
    opened = {}
    for name, index in given.items():
        if not name or name != name.strip() or set(name) & set("/?#%\\") or name in RESERVED:
            raise QueryError(f"an index cannot be served as {name!r}: expected a name without / ? # % \\, and none of {RESERVED}")
        if isinstance(index, (str, os.PathLike)):
            path = os.path.realpath(index)
            if path not in paths:
                paths[path] = SuffixIndex(index)
            opened[name] = paths[path]
        else:
            opened[name] = index
    return opened


RESERVED = ("indexes", "v1", "static", "docs", "health")


def _add_operations(application: FastAPI) -> None:
    """The page, and what operators ask."""

    @application.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return FileResponse(STATIC / "docs.html")

    @application.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @application.get("/readyz", include_in_schema=False)
    async def readyz(request: Request) -> Response:
        return PlainTextResponse("draining\n", 503) if state_of(request).draining else PlainTextResponse("ready\n")

    @application.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        state = state_of(request)
        return PlainTextResponse(state.metrics.text(state.gauges()), media_type="text/plain; version=0.0.4")


# ---- errors ------------------------------------------------------------------------------------------------------


async def _problem(request: Request, error: Any) -> Response:
    return error.response()  # type: ignore[no-any-return]


async def _library(request: Request, error: Any) -> Response:
    return problems.bad_question(error).response()


async def _invalid(request: Request, error: Any) -> Response:
    """What pydantic says of a body, as one sentence, and each fault by its place."""
    faults = [{"field": ".".join(map(str, fault["loc"])), "fault": fault["msg"]} for fault in error.errors()[:20]]
    status = 400 if any(fault["type"] == "json_invalid" for fault in error.errors()) else 422
    detail = f"{faults[0]['field']}: {faults[0]['fault']}" if faults else "the request is malformed"
    return problems.ProblemError(status, "malformed", "The request is malformed", detail, faults=faults).response()


async def _http(request: Request, error: Any) -> Response:
    response = problems.ProblemError(error.status_code, "http", str(error.detail), str(error.detail)).response()
    response.headers.update(error.headers or {})
    return response


async def _gone(request: Request, error: Any) -> Response:
    state_of(request).metrics.gone += 1
    return Response(status_code=499)


async def _unforeseen(request: Request, error: Any) -> Response:
    detail = "the server failed on this question; its log says how"
    return problems.ProblemError(500, "internal", "Internal server error", detail).response()


HANDLERS: dict[Any, Any] = {
    problems.ProblemError: _problem,
    SuffixIndexError: _library,
    RequestValidationError: _invalid,
    ValidationError: _invalid,
    HTTPException: _http,
    ClientGoneError: _gone,
    ClientDisconnect: _gone,
    Exception: _unforeseen,
}
