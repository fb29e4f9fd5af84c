"""Records in other framings than one a line: an array over one line or many, records one after the other, RFC 7464's sequences.

Values are told apart by their brackets alone, so that one which is malformed takes no other with it.
"""

import re
from collections.abc import Iterator
from typing import Any

from suffixindex.corpus.records import BadRecordError, Chunk, Parsed, json_values, too_large
from suffixindex.corpus.streams import read_head
from suffixindex.corpus.text import BYTE_ORDER_MARK, READ_BYTES, Stream

CHUNK_BYTES = 1 << 19
CHUNK_VALUES = 1 << 13

_MARKS = re.compile(rb'"(?:[^"\\\n]|\\[^\n])*"|[\[\]{}"\n]')
"""Strings whole, so that what is in them is nothing; a quote that is not closed on its line alone."""
_STRING_END = re.compile(rb'(?:[^"\\\n]|\\[^\n])*+(?:"|(\\)\Z)?')
_BETWEEN = b" \t\r\n,\x1e"

Values = list[tuple[int, "bytes | BadRecordError"]]


def is_framed(head: bytes) -> bool:
    """Whether a file that begins so holds records otherwise than one a line: in an array, or over several lines."""
    head = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if head.startswith((b"[", b"\x1e")):
        return True
    first, newline, rest = head.partition(b"\n")
    if not first.startswith(b"{") or not newline or _parses(first):
        return False
    return not _parses(rest.lstrip().partition(b"\n")[0]) and _depth(first) > 0


def _parses(line: bytes) -> bool:
    values = [record for _, record in json_values(1, line)] if line.strip() else []
    return bool(values) and all(isinstance(record, dict) for record in values)


def _depth(line: bytes) -> int:
    marks = _MARKS.findall(line)
    return sum(mark in (b"[", b"{") for mark in marks) - sum(mark in (b"]", b"}") for mark in marks)


def read_values(stream: Stream, limit: int) -> Iterator[Chunk]:
    """The values of a file, those of its arrays each; one of more than ``limit`` bytes is passed over, an error in its place."""
    waiting: Values = []
    size = 0
    for line, value in _values(stream, limit):
        waiting.append((line, value))
        size += len(value) if isinstance(value, bytes) else 0
        if size >= CHUNK_BYTES or len(waiting) >= CHUNK_VALUES:
            yield Chunk(len(waiting), waiting, size)
            waiting, size = [], 0
    if waiting:
        yield Chunk(len(waiting), waiting, size)


def parse_values(payload: Values, first: int) -> Iterator[Parsed]:
    """The records, each with the line on which it begins."""
    for line, value in payload:
        if isinstance(value, bytes):
            yield from json_values(line, value)
        else:
            yield line, value


class _Scanner:
    """Where values begin and end in a text that comes in blocks."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.line = 1
        self.depth = 0
        self.base = 0  # 1 inside an array of records
        self.parts: list[bytes] = []  # of the value under way
        self.size = 0
        self.begun = 0  # its line
        self.array = 0  # the line of the array that is open

    def add(self, part: bytes) -> None:
        """What belongs to the value under way, or stands between two."""
        if not self.size and not (part := part.lstrip(_BETWEEN)):
            return
        if not self.size:
            self.begun = self.line
        self.size += len(part)
        if self.size <= self.limit:
            self.parts.append(part)
        else:
            self.parts.clear()

    def pass_over(self, size: int) -> None:
        """Bytes of a value that is too large in any case."""
        if not self.size:
            self.begun = self.line
        self.size += max(size, self.limit + 1)
        self.parts.clear()

    def value(self) -> tuple[int, Any] | None:
        """The value that ends here."""
        content, size = b"".join(self.parts).strip(_BETWEEN), self.size
        self.parts, self.size = [], 0
        if size > self.limit:
            return self.begun, too_large(size, self.limit)
        return (self.begun, content) if content else None

    def scan(self, block: bytes) -> Iterator[tuple[int, Any]]:
        """The values that end in a block."""
        start = 0
        for match in _MARKS.finditer(block):
            mark, at = match[0], match.start()
            if mark == b"\n":
                if not self.size:  # so that a value's line is that of its first character
                    self.add(block[start:at])
                    start = at
                self.line += 1
            elif mark == b"[" and self.depth == self.base == 0:
                yield from self.scalars(block[start:at])
                self.depth = self.base = 1
                self.array = self.line
                start = at + 1
            elif mark in (b"[", b"{"):
                if self.depth == self.base:  # scalars that stand before it
                    yield from self.scalars(block[start:at])
                    start = at
                self.depth += 1
            elif mark in (b"]", b"}"):
                if mark == b"]" and self.depth == self.base == 1:
                    yield from self.scalars(block[start:at])
                    self.depth = self.base = 0
                    start = at + 1
                    continue
                self.depth = max(self.depth - 1, self.base)
                if self.depth == self.base:
                    self.add(block[start : at + 1])
                    start = at + 1
                    if found := self.value():
                        yield found
        self.add(block[start:])

    def scalars(self, text: bytes) -> Iterator[tuple[int, Any]]:
        """Strings, numbers and what is no JSON at all, between records: each is one that is wrong."""
        self.add(text)
        if (found := self.value()) is None:
            return
        line, value = found
        if not isinstance(value, bytes):
            yield found
            return
        for match in re.finditer(rb'"(?:[^"\\\n]|\\[^\n])*"|[^\s,]+', value):
            yield line + value.count(b"\n", 0, match.start()), match[0]


def _values(stream: Stream, limit: int) -> Iterator[tuple[int, Any]]:
    scanner = _Scanner(limit)
    rest = b""
    first = True
    while block := read_head(stream, max(READ_BYTES, len(rest))):
        block = rest + block
        if first:
            block, first = block.removeprefix(BYTE_ORDER_MARK), False
        cut = block.rfind(b"\n") + 1 or _safe_end(block)
        if not cut and len(block) > limit:  # one string
            block = _past_string(stream, block, scanner)
            cut = 0
        yield from scanner.scan(block[:cut])
        rest = block[cut:]
    yield from scanner.scan(rest)
    if scanner.depth > scanner.base:
        if found := scanner.value():
            yield found
    else:
        yield from scanner.scalars(b"")
    if scanner.base:
        yield (
            scanner.line,
            BadRecordError("an array that is not closed", f"it begins on line {scanner.array}; fetch the file again"),
        )


def _past_string(stream: Stream, block: bytes, scanner: _Scanner) -> bytes:
    """What follows a string, or a line, that is longer than a record may be."""
    scanner.pass_over(len(block))
    escaped = len(block) - len(block.rstrip(b"\\")) & 1
    while block := stream.read(READ_BYTES):
        match = _STRING_END.match(block, escaped)
        assert match is not None  # it matches nothing, too
        if match[0].endswith(b'"') or match.end() < len(block):
            scanner.pass_over(match.end())
            return block[match.end() :]
        scanner.pass_over(len(block))
        escaped = match[1] is not None
    return b""


def _safe_end(block: bytes) -> int:
    """Where a block without a line end may be cut so that no string is."""
    return next((match.start() for match in _MARKS.finditer(block) if match[0] == b'"'), len(block))
