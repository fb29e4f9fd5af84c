"""Files as streams of bytes, unpacked by what they begin with and not by their names, in steps of bounded size."""

import bz2
import gzip
import io
import lzma
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, NamedTuple, Self, cast

import zstandard

from suffixindex.corpus.records import STDIN, Source
from suffixindex.corpus.text import Stream, Utf8Stream
from suffixindex.errors import CorpusError, SuffixIndexError
from suffixindex.remote.urls import HTTP, scheme_of
from suffixindex.system.encodings import encoding_of

if TYPE_CHECKING:
    from suffixindex.remote.http import Status
    from suffixindex.remote.reading import RemoteFile

COMPRESSED_BYTES = 1 << 17
HEAD_BYTES = 1 << 16
BEGUN = 8  # files at URLs after the one that is read
LAYERS = 4  # a compressed file in a compressed file, and so on
BLOCKS = 4  # of zstd, each at most 128 KiB, unpacked at once: after that the reader waits for the interpreter

COMPRESSIONS = ((b"\x1f\x8b\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))
SKIPPABLE = tuple(bytes([0x50 + i]) + b"\x2a\x4d\x18" for i in range(16))
DAMAGES = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)


class Opened(NamedTuple):
    """A stream of a file's content, unpacked and, if it is text of another encoding, in UTF-8."""

    stream: Stream
    head: bytes
    """The first bytes of the stream, which will be read again."""
    raw: IO[bytes] | None
    """The file whose ``tell`` says how far reading is; None where that has no meaning: a pipe."""
    layers: tuple[str, ...]
    """The compressions that were unpacked, from the outside in."""
    encoding: str


def compression_of(head: bytes) -> str | None:
    """The compression that begins so, of those that are unpacked."""
    if head.startswith(SKIPPABLE):
        return "zstd"
    found = next((name for magic, name in COMPRESSIONS if head.startswith(magic)), None)
    if found == "bzip2" and not (head[3:4].isdigit() and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90")):
        return None
    return found


@contextmanager
def open_stream(source: Source, *, text: bool = True, file: IO[bytes] | None = None) -> Iterator[Opened]:
    """The content of a file, which may be open already, or of standard input; ``text`` brings UTF-16 and UTF-32 to UTF-8."""
    if source.path == STDIN:
        if sys.stdin is None:
            raise CorpusError("standard input is closed: there is nothing to read from -")
        yield unpacked(sys.stdin.buffer, None, text)
        return
    with file or open_file(source) as raw:
        yield unpacked(raw, None if source.bytes is None and source.url is None else raw, text)


def open_file(source: Source, *, anywhere: bool = False) -> IO[bytes]:
    """A file of this machine, or of a URL; ``anywhere``: its size is known, and one can move in it.

    Raises
    ------
    CorpusError
        A URL cannot be read, or its server gives it in one piece alone.
    """
    if source.url is None:
        return open(source.path, "rb")
    from suffixindex.remote.files import open_url
    from suffixindex.remote.http import Status

    if anywhere and not (source.ranges and source.bytes is not None):
        raise CorpusError(
            f"{source.path} is read here and there ({source.kind}), and its server gives it from the beginning alone: "
            "fetch it, and name the file"
        )
    return cast(IO[bytes], open_url(source.url, Status(source.bytes, source.etag, source.mtime_ns, source.ranges)))


class Beginnings:
    """The beginnings of the next files at URLs, which come while one is read: else each of many small ones would cost the way to
    its server and back. A context: leaving it closes them.
    """

    def __init__(self, sources: Sequence[Source], wanted: Callable[[Source], bool]) -> None:
        self._sources = sources
        self._wanted = wanted
        self._begun: dict[int, RemoteFile] = {}
        self._next = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._begun.values():
            file.close()

    def take(self, number: int) -> IO[bytes] | None:
        """The file of a source if it is begun; begins those after it."""
        self._next = max(self._next, number + 1)
        while self._next < min(number + 1 + BEGUN, len(self._sources)):
            source = self._sources[self._next]
            if source.url is not None and source.bytes != 0 and self._wanted(source):
                with suppress(SuffixIndexError):  # said when it is read
                    file = cast("RemoteFile", open_file(source))
                    file.begin()
                    self._begun[self._next] = file
            self._next += 1
        return cast("IO[bytes] | None", self._begun.pop(number, None))


def unpacked(file: IO[bytes], raw: IO[bytes] | None, text: bool = True) -> Opened:
    """See :class:`Opened`."""
    layers: list[str] = []
    stream: Stream = file
    while True:
        head = read_head(stream)
        if raw is not None and not layers:
            raw.seek(0)
        else:
            stream = Rejoined(head, stream)
        kind = compression_of(head)
        if kind is None:
            break
        if len(layers) == LAYERS:
            raise CorpusError(f"{getattr(file, 'name', STDIN)} is compressed {LAYERS} times over: unpack it first")
        layers.append(kind)
        stream = _unpack(stream, kind)
    encoding = encoding_of(head)
    if text and encoding not in ("utf-8", "utf-8-sig"):
        stream = Utf8Stream(stream, encoding)
        head = read_head(stream)
        stream = Rejoined(head, stream)
    return Opened(stream, head, raw, tuple(layers), encoding)


def _unpack(stream: Stream, kind: str) -> Stream:
    if kind == "zstd":
        return ZstandardStream(stream)
    file = io.BufferedReader(RawStream(stream), COMPRESSED_BYTES)
    if kind == "gzip":
        return gzip.GzipFile(fileobj=file)
    return bz2.BZ2File(file) if kind == "bzip2" else lzma.LZMAFile(file)


def read_head(stream: Stream, size: int = HEAD_BYTES) -> bytes:
    """The first bytes of a stream, ``size`` or more unless it ends before."""
    parts: list[bytes] = []
    length = 0
    while length < size and (part := stream.read(size - length)):
        parts.append(part)
        length += len(part)
    return b"".join(parts)


class Rejoined:
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, stream: Stream) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        if self._head and 0 <= size < len(self._head):
            part, self._head = self._head[:size], self._head[size:]
            return part
        head, self._head = self._head, b""
        return head or self._stream.read(size)


class RawStream(io.RawIOBase):
    """A stream as a file that the standard library reads."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        block = self._rest or self._stream.read(len(view))
        size = min(len(block), len(view))
        view[:size] = block[:size]
        self._rest = block[size:]
        return size


class _Block(NamedTuple):
    length: int
    """Compressed bytes with the header and, after a frame's last, its checksum."""
    last: bool


class ZstandardStream:
    """Every frame of a .zst file, long windows included, some blocks at a time.

    The library's decompressor unpacks whatever it is given at once, 128 KiB that unpack to 4 GiB too, and its reader does not
    notice a cut-off frame. So the blocks are told apart here (RFC 8878, 3.1.1.2) and handed over a few at a time.
    """

    def __init__(self, raw: Stream) -> None:
        self._raw = raw
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=2**31)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._compressed = b""
        self._at = 0
        self._checksum = False

    def read(self, size: int = -1, /) -> bytes:
        """At least ``size`` bytes unless the stream ends before, at most the content of some more blocks."""
        parts: list[bytes] = []
        length = 0
        while size < 0 or length < size:
            part = self._step()
            if part is None:
                break
            parts.append(part)
            length += len(part)
        return b"".join(parts)

    def _step(self) -> bytes | None:
        """The content of the next blocks; None at the end."""
        if self._frame is None and not self._begin():
            return None
        stop, blocks, last = self._at, 0, False
        while blocks < BLOCKS and not last and (found := self._block(stop)) is not None:
            stop, last = found
            blocks += 1
        if not blocks:  # it goes on in what is not read yet
            self._fill(3)
            header = self._header(self._at)
            self._fill(header.length)
            stop, last = self._at + header.length, header.last
        try:
            content = self._feed(self._compressed[self._at : stop])
        except zstandard.ZstdError as error:
            raise EOFError(str(error)) from error
        self._at = stop
        if last and not self._ended():
            raise EOFError("the last frame is incomplete")
        return content

    def _block(self, at: int) -> tuple[int, bool] | None:
        """(end, whether it is its frame's last) of the block that begins there; None if it is not read to its end."""
        if at + 3 > len(self._compressed):
            return None
        header = self._header(at)
        return (at + header.length, header.last) if at + header.length <= len(self._compressed) else None

    def _header(self, at: int) -> "_Block":
        header = int.from_bytes(self._compressed[at : at + 3], "little")
        last = bool(header & 1)
        size = 1 if header >> 1 & 3 == 1 else header >> 3
        return _Block(3 + size + 4 * (last and self._checksum), last)

    def _feed(self, compressed: bytes) -> bytes:
        assert self._frame is not None
        return self._frame.decompress(compressed) if compressed else b""

    def _ended(self) -> bool:
        ended = self._frame is not None and self._frame.eof
        self._frame = None
        return ended

    def _begin(self) -> bool:
        """Take up the next frame, past those that are to be skipped; false at the end."""
        while True:
            if self._at == len(self._compressed) and not self._more():
                return False
            self._fill(8, at_least=5)
            magic = self._compressed[self._at : self._at + 4]
            if magic in SKIPPABLE:
                self._fill(8)
                self._skip(8 + int.from_bytes(self._compressed[self._at + 4 : self._at + 8], "little"))
                continue
            self._fill(18, at_least=5)
            try:
                size = zstandard.frame_header_size(self._compressed[self._at : self._at + 18])
                self._fill(size)
                head = self._compressed[self._at : self._at + size]
                self._checksum = zstandard.get_frame_parameters(head).has_checksum
                self._frame = self._decompressor.decompressobj()
                self._feed(head)
            except zstandard.ZstdError as error:
                raise EOFError(str(error)) from error
            self._at += size
            return True

    def _skip(self, size: int) -> None:
        while size > len(self._compressed) - self._at:
            size -= len(self._compressed) - self._at
            self._at = len(self._compressed)
            if not self._more():
                raise EOFError("the last frame is incomplete")
        self._at += size

    def _fill(self, size: int, at_least: int | None = None) -> None:
        """Have ``size`` bytes from here on, or ``at_least`` so many where the stream ends."""
        while len(self._compressed) - self._at < size:
            if not self._more():
                if len(self._compressed) - self._at >= (size if at_least is None else at_least):
                    return
                raise EOFError("the last frame is incomplete")

    def _more(self) -> bool:
        block = self._raw.read(COMPRESSED_BYTES)
        self._compressed = self._compressed[self._at :] + block
        self._at = 0
        return bool(block)


@contextmanager
def plain_errors(path: str) -> Iterator[None]:
    """Say of a source what the system or the decompressor says.

    Raises
    ------
    CorpusError
    """
    try:
        yield
    except DAMAGES as error:
        raise CorpusError(f"{path}: the compressed file is cut short or damaged ({error}); fetch it again") from error
    except OSError as error:
        if isinstance(error, CorpusError):
            raise
        if str(error) == "Invalid data stream":  # bzip2's
            raise CorpusError(f"{path}: the compressed file is cut short or damaged ({error}); fetch it again") from error
        raise CorpusError(f"{path} cannot be read: {error.strerror or error}") from error


def check_unchanged(source: Source, raw: IO[bytes] | None = None) -> None:
    """Hold a file that was read to its end against what it was when the build began.

    Raises
    ------
    CorpusError
        It has another size or time, or another file stands in its place.
    """
    if source.url is not None:
        if source.etag is not None and scheme_of(source.url) in HTTP:  # every answer had it
            return
        from suffixindex.remote.files import status_of

        _check_status(source, status_of(source.url))
        return
    if source.bytes is None or source.kind == "megatron":
        return
    status = os.stat(source.path)
    identity = os.fstat(raw.fileno()) if raw is not None else status
    now = status.st_size, status.st_mtime_ns
    if now != (source.bytes, source.mtime_ns) or (status.st_ino, status.st_dev) != (identity.st_ino, identity.st_dev):
        raise _changed(source, status.st_size)


def _check_status(source: Source, status: "Status") -> None:
    """The same of a URL."""
    said = zip((status.size, status.etag, status.mtime_ns), (source.bytes, source.etag, source.mtime_ns), strict=True)
    if any(now is not None and then is not None and now != then for now, then in said):
        raise _changed(source, status.size)


def _changed(source: Source, size: int | None) -> CorpusError:
    sizes = source.bytes is not None and size is not None and size != source.bytes
    what = f"{source.bytes:,} bytes then, {size:,} now" if sizes else "it was written to or replaced"
    return CorpusError(
        f"{source.path} changed while it was read ({what}): a corpus must stay as it is while an index of it is built; "
        "run the build again with --restart when nothing writes to it"
    )
