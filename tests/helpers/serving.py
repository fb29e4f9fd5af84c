"""A server in this process, on a free loopback port, and clients of it."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

import pytest

import suffixindex as si

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")

import uvicorn
from fastapi import FastAPI

from suffixindex.serve.client import RemoteIndex
from suffixindex.serve.table import Table

KEPT = 8
"""Indexes that a live server still answers for."""


class Reply(NamedTuple):
    """What came back: status, headers in lower case, bytes."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class LiveServer:
    """An application that listens; its table of indexes may be changed between questions, which no real server does."""

    def __init__(self, application: FastAPI, port: int) -> None:
        self.application, self.port = application, port
        self.url = f"http://127.0.0.1:{port}"
        self._numbers = count()
        self._kept: deque[tuple[str, si.SuffixIndex]] = deque(maxlen=KEPT)

    @property
    def state(self) -> Any:
        return self.application.state.serving

    def connect(self, index: si.SuffixIndex) -> RemoteIndex:
        """Serve one more index, and a client of it."""
        name = f"index-{next(self._numbers)}"
        self._kept.append((name, index))
        self.state.table = Table(dict(self._kept))
        remote = si.connect(self.url, name)
        remote.path = index.path  # type: ignore[attr-defined]  # tests open it again
        return remote

    def ask(self, path: str, body: Any = None, method: str | None = None, **headers: str) -> Reply:
        """One request; ``body`` is bytes, or what goes as JSON."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = urllib.request.Request(self.url + path, data, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Reply(response.status, _lower(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, _lower(error.headers), error.read())


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def listening(application: FastAPI) -> Iterator[LiveServer]:
    """Serve an application until the block ends."""
    with socket.socket(proto=socket.IPPROTO_TCP) as opened:  # else each answer waits for an acknowledgement
        opened.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(application, log_config=None, timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield LiveServer(application, opened.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()
