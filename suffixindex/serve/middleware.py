"""What surrounds every request: headers that keep a page safe, the token, the size of a body, counters and the log."""

import asyncio
import hmac
import logging
import time
from typing import Any

from starlette._utils import get_route_path
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suffixindex.serve import problems
from suffixindex.serve.state import State, declared_length

logger = logging.getLogger("suffixindex.serve")

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
OPEN = ("/healthz", "/readyz", "/docs", "/openapi.json")
"""Asked without a token: they tell nothing of the corpus."""


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _below(scope, self._state.settings.root_path)
        started, status = time.perf_counter(), 499
        metrics = self._state.metrics
        metrics.in_flight += 1

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._admit(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - started
            metrics.in_flight -= 1
            metrics.observe(route_name(get_route_path(scope)), status, seconds)
            client = scope["client"][0] if scope.get("client") else "-"
            logger.info("%s %s %s %d %.1f ms", client, scope["method"], get_route_path(scope), status, seconds * 1e3)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, headers, settings = get_route_path(scope), Headers(scope=scope), self._state.settings
        try:
            if (
                settings.token is not None
                and not _is_open(path, scope["method"], headers)
                and not _has_token(headers, settings.token)
            ):
                raise problems.unauthorized()
            if scope["method"] == "POST" and "/bulk/" not in path:
                receive = await _whole_body(headers, receive, settings.body_bytes, settings.body_seconds)
        except problems.ProblemError as error:
            response = error.response()
            if error.status in (401, 408, 413):
                response.headers["Connection"] = "close"  # a body may be on its way still
            if error.status == 401:
                response.headers["WWW-Authenticate"] = "Bearer"
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _below(scope: Scope, root: str) -> Scope:
    """A request as one below the path under which a proxy shows the server, whether the proxy sends that path or not."""
    root = "/" + root.strip("/")
    if root == "/" or scope.get("root_path"):
        return scope
    path = scope["path"] if scope["path"] == root or scope["path"].startswith(root + "/") else root + scope["path"]
    return {**scope, "root_path": root, "path": path}


def _is_open(path: str, method: str, headers: Headers) -> bool:
    """Whether a path may be read without a token: the page itself asks with one."""
    if path == "/":
        return method == "OPTIONS" or (method in ("GET", "HEAD") and prefers_page(headers.get("accept", "")))
    return method in ("GET", "HEAD", "OPTIONS") and (path in OPEN or path.startswith("/static/"))


def prefers_page(accept: str) -> bool:
    """Whether HTML is asked for by name: of what clients of an API send, only browsers do so."""
    return "text/html" in accept


def _has_token(headers: Headers, token: str) -> bool:
    kind, _, given = headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


async def _whole_body(headers: Headers, receive: Receive, limit: int, seconds: float) -> Receive:
    """Read a body of bounded size in bounded time; what comes back hands it on, and then what comes after it.

    Raises
    ------
    ProblemError
        413 or 408.
    """
    if declared_length(headers) > limit:
        raise problems.too_large(limit)
    body = bytearray()
    gone: list[Message] = []

    async def read() -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                gone.append(message)
                return
            body.extend(message.get("body", b""))
            if len(body) > limit:
                raise problems.too_large(limit)
            more = message.get("more_body", False)

    try:
        await asyncio.wait_for(read(), seconds)
    except TimeoutError:
        raise problems.too_long_sent(seconds) from None
    handed: list[Any] = gone or [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Message:
        return handed.pop() if handed else await receive()

    return again


def route_name(path: str) -> str:
    """A path as the counters name it: one of few, whatever clients make up."""
    from suffixindex.serve.v1.questions import QUESTIONS

    parts = path.strip("/").split("/")
    if parts == [""]:
        return "/"
    if parts[0] == "v1" and parts[-1] in QUESTIONS:
        return "/v1/bulk/" + parts[-1] if "bulk" in parts else "/v1/" + parts[-1]
    if parts[-1] == "attribution":
        return "/attribution"
    return "/" + parts[0] if parts[0] in ("v1", "static", "healthz", "readyz", "metrics", "docs", "health", "indexes") else "other"
