"""HTTP to a server of ours, with the standard library alone: one connection a thread, kept open, errors as the library's own."""

import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import orjson

from suffixindex import errors
from suffixindex.errors import ServerError, SuffixIndexError

LINES = "application/x-ndjson"
STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, http.client.CannotSendRequest)
"""What a connection that the server has closed meanwhile ends with."""
LONGEST_WAIT = 30.0
"""Seconds to wait at most, whatever a busy server says."""


class Transport:
    """A server by its address. Safe to share between threads.

    Parameters
    ----------
    url
        ``http://host:port`` or ``https://host/path``.
    token
        What the server wants in ``Authorization``.
    timeout
        Seconds to wait for an answer.
    retries
        How often a question is asked again if the server is too busy, after the time that it says.
    """

    def __init__(self, url: str, token: str | None, timeout: float, retries: int) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ServerError(f"{url!r} is no address of a server: expected http://host:port")
        self.url, self.token, self.timeout, self.retries = url, token, timeout, retries
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._base = parts.path.rstrip("/")
        self._local = threading.local()
        self._process = os.getpid()

    def get(self, *path: str) -> Any:
        return self._parsed(self._answer("GET", path, b"", "application/json"))

    def ask(self, body: dict[str, Any], *path: str) -> Any:
        """The answer to one question.

        Raises
        ------
        SuffixIndexError
            What the library says of the question; ServerError where the server gives no answer.
        """
        return self._parsed(self._answer("POST", path, to_json(body), "application/json"))

    def ask_lines(self, lines: bytes, expected: int, *path: str) -> Iterator[Any]:
        """The answers, a line each, to a bulk question."""
        answered = 0
        for line in self._answer("POST", path, lines, LINES).splitlines():
            one = self._parsed(line)
            if isinstance(one, dict) and "error" in one:
                raise as_error(one["error"], 503)
            answered += 1
            yield one
        if answered != expected:
            raise ServerError(f"{self.url} answered {answered:,} of {expected:,} questions and broke off: ask again")

    def close(self) -> None:
        """Close this thread's connection; others go with their threads."""
        connection = self._local.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    def _parsed(self, content: bytes) -> Any:
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise self.stranger() from error

    def stranger(self) -> ServerError:
        """That what answers is no server of ours."""
        return ServerError(f"{self.url} answers otherwise than suffixindex serve does: give the address of one")

    def _answer(self, method: str, path: tuple[str, ...], body: bytes, kind: str) -> bytes:
        address = "/".join([self._base, *(quote(part, safe="") for part in path)])
        headers = {"Content-Type": kind, "Accept": f"{kind}, application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        for attempt in range(self.retries + 1):
            response, content = self._exchange(method, address, body if method == "POST" else None, headers)
            if response.status != 503 or attempt == self.retries:
                break
            said = response.headers.get("Retry-After", "")
            time.sleep(min(float(said) if said.isdigit() else 1.0, LONGEST_WAIT))
        if response.status < 400:
            return content
        try:
            problem = orjson.loads(content)
        except orjson.JSONDecodeError:
            problem = {}
        raise as_error(problem if isinstance(problem, dict) else {}, response.status, self.url)

    def _exchange(
        self, method: str, address: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request and read all of its answer, over a new connection if the kept one is stale."""
        if os.getpid() != self._process:  # a forked process has its parent's connections: each would read the other's answers
            self._local, self._process = threading.local(), os.getpid()
        fresh = "connection" not in self._local.__dict__
        try:
            if fresh:
                kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
                self._local.connection = kind(self._host, self._port, timeout=self.timeout)
            connection: http.client.HTTPConnection = self._local.connection
            connection.request(method, address, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not fresh and isinstance(error, STALE):
                return self._exchange(method, address, body, headers)
            if isinstance(error, TimeoutError):
                raise ServerError(f"{self.url} gave no answer within {self.timeout:g} s: ask for less, or wait longer") from error
            raise ServerError(f"{self.url} does not answer ({error}): start it with suffixindex serve INDEX") from error
        if response.will_close:
            self.close()
        return response, content


def as_error(problem: dict[str, Any], status: int, url: str = "the server") -> SuffixIndexError:
    """A problem as the error that the library raises for it."""
    sentence = str(problem.get("detail") or f"{url} answered with status {status}")
    kind = getattr(errors, str(problem.get("type")), ServerError)
    if isinstance(kind, type) and issubclass(kind, SuffixIndexError) and kind is not ServerError:
        return kind(sentence)
    return ServerError(sentence)


def to_json(body: Any) -> bytes:
    """JSON; in ASCII where orjson has no way."""
    try:
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        return json.dumps(body, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise errors.QueryError(f"{type(value).__name__} cannot be sent to a server")
