"""What one server holds while it runs."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import Request

from suffixindex.serve.metrics import Metrics
from suffixindex.serve.settings import Settings
from suffixindex.serve.table import Table
from suffixindex.serve.work import Workers

Answer = TypeVar("Answer")
logger = logging.getLogger("suffixindex.serve")
STATIC = Path(__file__).parent / "static"


class State:
    """The table of indexes, the workers, the counters, and whether the server takes questions."""

    def __init__(self, table: Table, settings: Settings) -> None:
        self.table, self.settings = table, settings
        self.metrics = Metrics()
        self.workers = Workers(settings, self.metrics)
        self.bulk_bodies = 0
        """Bulk questions whose bodies are held."""
        self.draining = False

    async def in_cheap_pool(self, work: Callable[[], Answer]) -> Answer:
        return await self.workers.answer(lambda: 0.0, lambda job: work())

    def log_query(self, index: str, name: str, asked: object) -> None:
        """Say what was asked, if that is wanted."""
        if self.settings.log_queries:
            content = asked.model_dump(by_alias=True) if isinstance(asked, BaseModel) else asked
            logger.info("%s %s %s", index, name, orjson.dumps(content, default=str).decode())

    def gauges(self) -> dict[str, float]:
        workers = self.workers
        return {
            "cheap_questions": workers.cheap.taken,
            "expensive_questions": workers.expensive.taken,
            "expensive_seconds": workers.expensive.seconds,
            "in_flight": self.metrics.in_flight,
            "ready": not self.draining,
        }


def state_of(request: Request) -> State:
    return request.app.state.serving  # type: ignore[no-any-return]


def client_gone(request: Request) -> Callable[[], Awaitable[None]]:
    """A function that returns when the client of a request, whose body has been read, is gone."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return gone


def declared_length(headers: Headers) -> int:
    """The body's length as its header says; 0 if it does not."""
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0
