"""HTTP as a corpus is read by it: one request says what a file is, others bring it from a byte on.

fsspec's own files ask for a block after the other and give up where a connection ends; of its filesystem the sessions are used.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar

STARTS_SECONDS = 30.0
"""Until a server is connected to."""
SILENT_SECONDS = 60.0
"""Between two pieces that come of a file."""
BUFFER_BYTES = 1 << 20

T = TypeVar("T")


class Status(NamedTuple):
    """What is known of a file before it is read; None where it is not said."""

    size: int | None
    etag: str | None = None
    """Another one for another content: an entity tag, a checksum, a generation."""
    mtime_ns: int | None = None
    ranges: bool = True
    """Whether it is read from any byte on."""
    is_folder: bool = False


class StatusError(OSError):
    """A server's answer that is none; ``status`` is its number."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status


class ChangedError(Exception):
    """What comes is of another file than what came before."""


def options() -> dict[str, Any]:
    """What fsspec's filesystem is made with, beside what its configuration says.

    Its own limit of five minutes is one of a whole file, and it knows no proxies. What a server packs on the way stays packed,
    since a part of it cannot be unpacked: files are unpacked by their content anyway.
    """
    import aiohttp
    from fsspec.config import conf

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=STARTS_SECONDS, sock_read=SILENT_SECONDS)
    given = {**conf.get("http", {}), **conf.get("https", {})}  # as fsspec has it
    client = {"timeout": timeout, "trust_env": True, "read_bufsize": BUFFER_BYTES, "auto_decompress": False}
    headers = {"Accept-Encoding": "identity", **given.get("headers", {})}
    return {"client_kwargs": {**client, **given.get("client_kwargs", {})}, "headers": headers}


def _started(filesystem: Any, work: Coroutine[Any, Any, T]) -> Future[T]:
    """Something that is done in the thread that fsspec keeps for requests."""
    return asyncio.run_coroutine_threadsafe(work, filesystem.loop)


async def _get(filesystem: Any, url: str, wanted: str) -> Any:
    """A server's answer, of which nothing is read yet."""
    session = await filesystem.set_session()
    headers = {**filesystem.kwargs["headers"], "Range": f"bytes={wanted}"}
    return await session.get(filesystem.encode_url(url), **{**filesystem.kwargs, "headers": headers})


def status_of(filesystem: Any, url: str) -> Status:
    """What a server says of a file, asked for its first byte: some refuse HEAD, and some that promise ranges have none.

    Raises
    ------
    StatusError
    aiohttp.ClientError
    """
    return _started(filesystem, _status_of(filesystem, url)).result()


async def _status_of(filesystem: Any, url: str) -> Status:
    answer = await _get(filesystem, url, "0-0")
    try:
        headers = answer.headers
        etag = _etag(answer)
        mtime = _nanoseconds(headers["Last-Modified"]) if "Last-Modified" in headers and etag is None else None
        asked = answer.history[0].url if answer.history else answer.url
        folder = asked.path.endswith("/") or answer.url.path == asked.path + "/"
        total = headers.get("Content-Range", "").rpartition("/")[2]
        if answer.status == 416:
            return Status(0, etag, mtime)
        _check(answer)
        if answer.status == 206 and total.isdecimal():
            await answer.read()  # so that the connection is kept
            return Status(int(total), etag, mtime, is_folder=folder)
        length = headers.get("Content-Length", "")
        return Status(int(length) if answer.status == 200 and length.isdecimal() else None, etag, mtime, False, folder)
    finally:
        answer.close()


def _nanoseconds(date: str) -> int | None:
    try:
        return int(parsedate_to_datetime(date).timestamp()) * 10**9
    except ValueError:
        return None


def _check(answer: Any, etag: str | None = None) -> None:
    """
    Raises
    ------
    StatusError
    ChangedError
        The answer is of another file than that with this tag, or of one that is shorter.
    """
    if answer.status == 416 or (answer.status < 400 and etag is not None and _etag(answer) not in (None, etag)):
        raise ChangedError
    if answer.status >= 400:
        raise StatusError(answer.status, answer.reason or "")


def _etag(answer: Any) -> str | None:
    return answer.headers.get("ETag", "").removeprefix("W/") or None


class Requests:
    """A file whose server has ranges: any part of it is a request, and several may be under way."""

    parallel = 4

    def __init__(self, filesystem: Any, url: str, status: Status) -> None:
        self._filesystem = filesystem
        self._url = url
        self._etag = status.etag
        self._under_way: set[Future[None]] = set()

    def fetch(self, start: int, stop: int, into: bytearray) -> None:
        """Append bytes ``start .. stop`` to ``into``, which has what came where this raises."""
        future = _started(self._filesystem, self._fetch(start, stop, into))
        self._under_way.add(future)
        try:
            future.result()
        finally:
            self._under_way.discard(future)

    async def _fetch(self, start: int, stop: int, into: bytearray) -> None:
        answer = await _get(self._filesystem, self._url, f"{start}-{stop - 1}")
        try:
            _check(answer, self._etag)
            if answer.status != 206 or not answer.headers.get("Content-Range", f"bytes {start}-").startswith(f"bytes {start}-"):
                raise OSError("the server had ranges of it, and sends something else now")
            left = stop - start
            async for block, _ in answer.content.iter_chunks():
                into += block[:left]
                left -= min(len(block), left)
        finally:
            answer.close()

    def close(self) -> None:
        """End what is under way."""
        for future in list(self._under_way):
            future.cancel()


class Download:
    """A file whose server has no ranges: it comes from its beginning, after an error again, past what came before."""

    parallel = 1

    def __init__(self, filesystem: Any, url: str, status: Status) -> None:
        self._filesystem = filesystem
        self._url = url
        self._etag = status.etag
        self._answer: Any = None
        self._at = 0
        self._under_way: Future[None] | None = None

    def fetch(self, start: int, stop: int, into: bytearray) -> None:
        """As of :class:`Requests`; fewer bytes where the file ends before."""
        try:
            self._under_way = _started(self._filesystem, self._fetch(start, stop, into))
            self._under_way.result()
        except BaseException:
            self._end()
            raise

    async def _fetch(self, start: int, stop: int, into: bytearray) -> None:
        if self._answer is None or self._at > start:
            self._end()
            self._answer = await _get(self._filesystem, self._url, "0-")
            self._at = 0
            _check(self._answer, self._etag)
        while self._at < stop:
            block = await self._answer.content.read(min(BUFFER_BYTES, stop - self._at))
            if not block:
                return
            into += block[max(start - self._at, 0) :]
            self._at += len(block)

    def close(self) -> None:
        """End the connection, whatever is under way."""
        if self._under_way is not None:
            self._under_way.cancel()
        self._end()

    def _end(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            self._filesystem.loop.call_soon_threadsafe(answer.close)
