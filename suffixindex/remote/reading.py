"""A file of another machine, read ahead of whoever reads it, and taken up where a connection ended."""

import io
import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any, NamedTuple, Protocol

from suffixindex.errors import CorpusError
from suffixindex.remote import problems
from suffixindex.remote.http import ChangedError
from suffixindex.remote.urls import name_in, visible

log = logging.getLogger(__name__)

FIRST_BYTES = 1 << 16
"""Of the first request; each that goes on there asks for twice as much, up to ``BLOCK_BYTES``."""
BLOCK_BYTES = 1 << 23
SMALLEST_BYTES = 1 << 14
"""Of a request after others were cut off."""


class Fetcher(Protocol):
    """What brings the bytes of a file. One that is not ``parallel`` is asked by one thread, for one part after the other."""

    parallel: int

    def fetch(self, start: int, stop: int, into: bytearray) -> None:
        """Append bytes ``start .. stop`` to ``into``; fewer where the file ends before. Where it raises, ``into`` has what came."""

    def close(self) -> None: ...


class _Part(NamedTuple):
    start: int
    stop: int
    content: "Future[bytearray]"


class RemoteFile(io.RawIOBase):
    """Bytes at a URL as a file that can be read and, where its size is known, moved in.

    Read in order, the next parts are fetched before they are asked for: at most ``parallel`` of 8 MiB. Memory: those, and two more.
    """

    def __init__(self, url: str, fetcher: Fetcher, size: int | None) -> None:
        self.name = name_in(visible(url))
        self._url = url
        self._fetcher = fetcher
        self._size = size
        self._at = 0
        self._parts: deque[_Part] = deque()
        self._step = FIRST_BYTES
        self._began = 0
        self._stop = Event()
        self._pool = ThreadPoolExecutor(fetcher.parallel, "fetch")

    def begin(self) -> None:
        """Ask for the first bytes, which are read later."""
        self._part(1)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END and self._size is None:
            raise io.UnsupportedOperation("the size is not known")
        self._at = max(0, offset + (0, self._at, self._size or 0)[whence])
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, fewer only at the end.

        Raises
        ------
        CorpusError
            The connection broke off again and again, or the file changed.
        """
        wanted = -1 if size is None else size
        blocks: list[bytes | memoryview] = []
        length = 0
        while (wanted < 0 or length < wanted) and (block := self._next(wanted - length if wanted >= 0 else 1 << 62)):
            blocks.append(block)
            length += len(block)
        return b"".join(blocks)

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._stop.set()
            self._fetcher.close()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._parts.clear()
        super().close()

    def _next(self, wanted: int) -> memoryview | None:
        """The bytes from here to the end of their part, at most ``wanted``; None at the end of the file."""
        if self._size is not None and self._at >= self._size:
            return None
        part = self._part(wanted)
        content = part.content.result()
        if self._size is None and len(content) < part.stop - part.start and (content or not part.start):
            self._size = part.start + len(content)
        block = memoryview(content)[self._at - part.start :][:wanted]
        self._at += len(block)
        return block or None

    def _part(self, wanted: int) -> _Part:
        """The part that holds the next byte, and parts under way after it."""
        parts = self._parts
        if parts and not parts[0].start <= self._at <= parts[-1].stop:
            for part in parts:
                part.content.cancel()
            parts.clear()
            self._step, self._began = FIRST_BYTES, self._at
        while len(parts) > 1 and parts[1].stop <= self._at:  # the one before stays, for who looks at a beginning and goes back
            parts.popleft()
        goes_on = self._at >= self._began + FIRST_BYTES
        under_way = sum(part.stop > self._at for part in parts)
        end = parts[-1].stop if parts else self._at
        while under_way < self._fetcher.parallel and (under_way == 0 or end < self._at + wanted or goes_on):
            if self._size is not None and end >= self._size:
                break
            step = min(BLOCK_BYTES, max(self._step, min(wanted, self._size or 0) // self._fetcher.parallel))
            stop = end + step if self._size is None else min(end + step, self._size)
            parts.append(_Part(end, stop, self._pool.submit(self._fetch, end, stop)))
            self._step = min(BLOCK_BYTES, 2 * step)
            under_way, end = under_way + 1, stop
        return next(part for part in parts if part.start <= self._at < part.stop)

    def _fetch(self, start: int, stop: int) -> bytearray:
        content = bytearray()
        tries, most = 0, stop - start
        while (at := start + len(content)) < stop and not self._stop.is_set():
            try:
                self._fetcher.fetch(at, min(at + most, stop), content)
                if start + len(content) < min(at + most, stop):
                    if self._size is None:
                        break
                    raise EOFError("the connection ended early")
                tries, most = 0, stop - start
            except Exception as error:
                if self._stop.is_set():
                    break
                came = start + len(content) > at
                tries = 1 if came else tries + 1
                self._say(error, start + len(content), tries)
                most = max(SMALLEST_BYTES, most // 4)
                self._stop.wait(problems.wait_seconds(tries))
        return content

    def _say(self, error: Exception, at: int, tries: int) -> None:
        """Log what went wrong, or raise it if there is to be no other try."""
        shown, what = visible(self._url), problems.told(self._url, error)
        if isinstance(error, ChangedError):
            raise CorpusError(
                f"{shown} changed while it was read: a corpus must stay as it is while an index of it is built; run the build "
                "again with --restart when nothing writes to it"
            ) from None
        if (problem := problems.final(self._url, error)) is not None:
            raise problem from None
        if tries > problems.TRIES:
            raise CorpusError(
                f"{shown} broke off at byte {at:,}, and {problems.TRIES} more tries brought nothing ({what}): run the same command "
                "when the connection is better, it goes on"
            ) from None
        seconds = problems.wait_seconds(tries)
        log.warning("%s broke off at byte %s (%s); try %d of %d in %g s", shown, f"{at:,}", what, tries, problems.TRIES, seconds)
