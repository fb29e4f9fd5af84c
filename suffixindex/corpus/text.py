"""What bytes say as text, alike at every door: corpora, files of queries, standard input, tokenizer files.

Text is UTF-8, or what a byte order mark says: UTF-8, UTF-16 or UTF-32, of either order of bytes. A byte order mark is no character
of the text. A line ends with a line feed, and a carriage return before it belongs to the end. A line of nothing but white space
is no line.
"""

import codecs
from collections.abc import Iterator
from typing import IO, Protocol

from suffixindex.errors import CorpusError, SuffixIndexError
from suffixindex.system.encodings import encoding_of

BYTE_ORDER_MARK = codecs.BOM_UTF8
READ_BYTES = 1 << 20


class Stream(Protocol):
    """Bytes in order. ``read`` returns at least one unless the stream ends, and may return more than it was asked for."""

    def read(self, size: int = -1, /) -> bytes: ...


def as_utf8(head: bytes) -> bytes:
    """The beginning of a text in UTF-8, without its byte order mark."""
    encoding = encoding_of(head)
    if encoding == "utf-8":
        return head
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    return decoder.decode(head).encode()


def is_text(head: bytes) -> bool:
    """Whether a beginning may be text: it has no NUL, which text has only where two bytes are a character."""
    return b"\0" not in as_utf8(head)


class Utf8Stream:
    """A stream of UTF-16 or UTF-32 in UTF-8. What is no character there is none here: whoever decodes it says so."""

    def __init__(self, stream: Stream, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def read(self, size: int = READ_BYTES, /) -> bytes:
        while True:
            block = self._stream.read(size)
            try:
                text = self._decoder.decode(block, final=not block)
            except UnicodeDecodeError:
                text = "\udfff"  # half a character at the end: no character, as the reader of the line will say
                self._decoder.reset()
            if text or not block:
                return text.encode(errors="surrogatepass")


def clean_line(line: bytes) -> bytes:
    """A line without its end and without a byte order mark; empty if it is blank."""
    line = line.removeprefix(BYTE_ORDER_MARK)
    if not line or line.isspace():
        return b""
    return line.removesuffix(b"\n").removesuffix(b"\r")


def undecodable(error: UnicodeDecodeError) -> str:
    """What to say of bytes that are no text."""
    return f"byte {error.object[error.start]:#04x} at offset {error.start}"


def text_lines(file: IO[bytes], name: str, kind: type[SuffixIndexError] = CorpusError) -> Iterator[tuple[int, str]]:
    """(1-based number, line) of a small file or of standard input, by the rules of this module.

    Raises
    ------
    CorpusError
        Or another ``kind``: a line is no text; names it.
    """
    head = file.read(4)
    head += file.read(4 - len(head)) if 0 < len(head) < 4 else b""
    encoding = encoding_of(head)
    lines: Iterator[bytes] = _with_head(head, file)
    if encoding not in ("utf-8", "utf-8-sig"):
        content = b"".join(lines)
        lines = iter(Utf8Stream(_Content(content), encoding).read().split(b"\n"))
    for number, raw in enumerate(lines, 1):
        line = clean_line(raw)
        if line:
            try:
                yield number, line.decode()
            except UnicodeDecodeError as error:
                raise kind(
                    f"{name}, line {number}: not UTF-8: {undecodable(error)}; write it as UTF-8, as iconv -t UTF-8 does"
                ) from error


def _with_head(head: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """Lines of a file whose first bytes are read."""
    *whole, rest = head.split(b"\n")
    yield from (line + b"\n" for line in whole)
    first = rest + file.readline()
    if first:
        yield first
    yield from file


class _Content:
    """Bytes as a stream."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, size: int = -1, /) -> bytes:
        content, self._content = self._content, b""
        return content
