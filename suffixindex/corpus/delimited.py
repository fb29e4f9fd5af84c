"""CSV and TSV: a header, then a record a row, which may hold line ends between quotes (RFC 4180)."""

import csv
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from suffixindex.corpus.records import BadRecordError, Chunk, Parsed, decode, too_large
from suffixindex.corpus.text import BYTE_ORDER_MARK, READ_BYTES, Stream

CHUNK_BYTES = 1 << 19
CHUNK_ROWS = 1 << 13
QUOTE = b'"'


class Rows(NamedTuple):
    """Rows with the line on which each begins, and how their fields are told apart and called."""

    names: tuple[str, ...]
    delimiter: str
    rows: list[tuple[int, "bytes | BadRecordError"]]

    def drop(self, number: int) -> "Rows":
        """Without the first rows."""
        return self._replace(rows=self.rows[number:])


def read_commas(stream: Stream, limit: int) -> Iterator[Chunk]:
    """Rows of a CSV file; a header without a comma says by its semicolons or tabs that those are meant."""
    return _read(stream, limit, ",")


def read_tabs(stream: Stream, limit: int) -> Iterator[Chunk]:
    """Rows of a TSV file."""
    return _read(stream, limit, "\t")


def _read(stream: Stream, limit: int, delimiter: str) -> Iterator[Chunk]:
    if csv.field_size_limit() < limit:  # Python's own is 128 KiB; here the record's limit holds
        csv.field_size_limit(min(limit, sys.maxsize))
    lines = _lines(stream, limit)
    header = next(_rows(lines, delimiter.encode(), limit), None)
    if header is None:
        return
    names, delimiter = _header(header[1], delimiter)
    waiting: list[tuple[int, bytes | BadRecordError]] = []
    size = 0
    for line, row in _rows(lines, delimiter.encode(), limit):
        waiting.append((line, row))
        size += len(row) if isinstance(row, bytes) else 0
        if size >= CHUNK_BYTES or len(waiting) >= CHUNK_ROWS:
            yield Chunk(len(waiting), Rows(names, delimiter, waiting), size)
            waiting, size = [], 0
    if waiting:
        yield Chunk(len(waiting), Rows(names, delimiter, waiting), size)


def _header(row: bytes | BadRecordError, delimiter: str) -> tuple[tuple[str, ...], str]:
    try:
        if isinstance(row, BadRecordError):
            raise row
        text = decode(row)
        if delimiter == ",":
            outside = "".join(text.split('"')[::2])
            delimiter = next((mark for mark in (",", ";", "\t") if mark in outside), delimiter)
        names = tuple(_fields(text, delimiter))
    except BadRecordError as error:
        raise BadRecordError("the header", f"{error}; write one line with the names of the columns first") from error
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise BadRecordError("the header", f"the column {twice[0]!r} is named twice; give each column its own name")
    return names, delimiter


def parse_rows(payload: Rows, first: int) -> Iterator[Parsed]:
    """Rows as records of texts."""
    for line, row in payload.rows:
        yield line, row if isinstance(row, BadRecordError) else _record(row, payload)


def _record(row: bytes, of: Rows) -> Any:
    try:
        fields = _fields(decode(row), of.delimiter)
    except BadRecordError as error:
        return error
    if len(fields) != len(of.names):
        return BadRecordError("another number of fields", f"found {len(fields)}, expected {len(of.names)}: {', '.join(of.names)}")
    return dict(zip(of.names, fields, strict=True))


def _fields(text: str, delimiter: str) -> list[str]:
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        if delimiter != "\t" or "\n" in text:
            raise BadRecordError("malformed row", str(error)) from error
        return text.split(delimiter)  # most TSV knows no quotes
    if len(rows) != 1:
        raise BadRecordError("malformed row", f"a line end outside of quotes gives {len(rows)} rows")
    return rows[0]


def _lines(stream: Stream, limit: int) -> Iterator[tuple[int, "bytes | BadRecordError"]]:
    """(1-based number, line with its end); an error in the place of one that is too long."""
    number = 1
    rest: list[bytes] = []
    length = 0
    while True:
        block = stream.read(READ_BYTES)
        if block and b"\n" not in block:
            length += len(block)
            if length <= limit:
                rest.append(block)
            else:
                rest.clear()
            continue
        for line in block.splitlines(keepends=True) if b"\r" not in block else _split(block):
            length += len(line)
            if not line.endswith(b"\n"):
                rest.append(line)
                continue
            yield number, too_large(length, limit) if length > limit else b"".join([*rest, line])
            number, length = number + 1, 0
            rest.clear()
        if not block:
            if rest or length:
                yield number, too_large(length, limit) if length > limit else b"".join(rest)
            return


def _split(block: bytes) -> list[bytes]:
    """Lines with their ends, which are line feeds alone."""
    *lines, last = block.split(b"\n")
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _rows(
    lines: Iterator[tuple[int, "bytes | BadRecordError"]], delimiter: bytes, limit: int
) -> Iterator[tuple[int, "bytes | BadRecordError"]]:
    """Rows: lines, put together where one ends between quotes. A quote that is never closed costs its line alone."""
    again: list[tuple[int, bytes | BadRecordError]] = []  # lines that a row took which did not end
    first = True
    while True:
        line, content = again.pop() if again else next(lines, (0, b""))
        if not line:
            return
        if first and isinstance(content, bytes):
            content = content.removeprefix(BYTE_ORDER_MARK)
        if isinstance(content, BadRecordError) or not content or (content.isspace() and delimiter not in content):
            if isinstance(content, BadRecordError):
                yield line, content
            continue
        first = False
        taken: list[tuple[int, bytes]] = [(line, content)]
        size = len(content)
        is_open = _is_open(content, delimiter, False)
        failed = False
        while is_open:
            number, more = again.pop() if again else next(lines, (0, b""))
            if not number or isinstance(more, BadRecordError) or size + len(more) > limit:
                if number:
                    again.append((number, more))
                failed = True
                break
            taken.append((number, more))
            size += len(more)
            is_open = _is_open(more, delimiter, True)
        if failed:
            again += reversed(taken[1:])
            if delimiter == b"\t":
                yield line, content.removesuffix(b"\n").removesuffix(b"\r")
            else:
                yield (
                    line,
                    BadRecordError("a quote that is not closed", "it opens on this line; double a quote that is meant as one"),
                )
            continue
        row = b"".join(part for _, part in taken)
        yield line, row.removesuffix(b"\n").removesuffix(b"\r")


def _is_open(line: bytes, delimiter: bytes, is_open: bool) -> bool:
    """Whether a line that begins between quotes, or does not, ends between them."""
    if QUOTE not in line:
        return is_open
    at = 0
    opening = delimiter + QUOTE
    if not is_open:
        if not line.startswith(QUOTE):
            at = line.find(opening) + len(opening)
            if at < len(opening):
                return False
        else:
            at = 1
    while True:  # between quotes from here
        at = line.find(QUOTE, at)
        if at < 0:
            return True
        if line[at + 1 : at + 2] == QUOTE:
            at += 2
            continue
        at = line.find(opening, at + 1)
        if at < 0:
            return False
        at += len(opening)
