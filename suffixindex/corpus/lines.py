"""Files of lines: a record or a document a line; and files that are a document each."""

from collections.abc import Iterator
from typing import Any

import orjson

from suffixindex.corpus.records import BadRecordError, Chunk, ExactRecord, Parsed, decode, has_float, json_values, too_large
from suffixindex.corpus.text import BYTE_ORDER_MARK, READ_BYTES, Stream

LINES = 1 << 14
"""Lines that are parsed at once: of the shortest, more than these take more memory than their text."""

Payload = bytes | list[BadRecordError]


def read_lines(stream: Stream, limit: int) -> Iterator[Chunk]:
    """Blocks of whole lines; a line of more than ``limit`` bytes is passed over, and an error stands in its place."""
    rest: list[bytes] = []
    length = 0
    while True:
        block = stream.read(READ_BYTES)
        cut = block.rfind(b"\n") + 1
        if block and not cut:
            length += len(block)
            if length <= limit:
                rest.append(block)
            else:
                rest.clear()
            continue
        if length + cut > limit:  # a long line ends here, or there are none
            end = block.find(b"\n") + 1 or cut
            if length + end > limit:
                yield Chunk(1, [too_large(length + end, limit)], 0)
                rest, length = [], 0
                block, cut = block[end:], cut - end
        payload = b"".join([*rest, memoryview(block)[:cut]])
        rest = [block[cut:]] if block[cut:] else []
        length = len(block) - cut
        yield from _chunks(payload, ended=not block)
        if not block and not rest:
            return


def _chunks(payload: bytes, ended: bool) -> Iterator[Chunk]:
    count = payload.count(b"\n") + (ended and bool(payload) and not payload.endswith(b"\n"))
    if count <= LINES:
        if count:
            yield Chunk(count, payload, len(payload))
        return
    start = 0
    lines = payload.split(b"\n")
    for first in range(0, count, LINES):
        number = min(LINES, count - first)
        size = sum(map(len, lines[first : first + number])) + number
        part = payload[start : start + size]
        yield Chunk(number, part, len(part))
        start += size


def read_whole(stream: Stream, limit: int) -> Iterator[Chunk]:
    """The file as one record."""
    parts: list[bytes] = []
    length = 0
    while block := stream.read(READ_BYTES):
        parts.append(block)
        length += len(block)
        if length > limit:
            yield Chunk(1, [too_large(length, limit)], 0)
            return
    if length:
        yield Chunk(1, b"".join(parts), length)


def parse_json_lines(payload: Payload, first: int) -> Iterator[Parsed]:
    """A record a line, or several one after the other; a blank line is none."""
    if isinstance(payload, list):
        yield first + 1, payload[0]
        return
    for line, content in enumerate(payload.split(b"\n"), first + 1):
        if content and not content.isspace():
            try:
                record = orjson.loads(content)
            except orjson.JSONDecodeError:
                yield from json_values(line, content)
                continue
            yield line, ExactRecord(record, content) if type(record) is dict and has_float(record.values()) else record


def parse_lines(payload: Payload, first: int) -> Iterator[Parsed]:
    """A text a line; a blank line is none."""
    if isinstance(payload, list):
        yield first + 1, payload[0]
        return
    for line, content in enumerate(payload.split(b"\n"), first + 1):
        if content and not content.isspace():
            yield line, decoded(content.removesuffix(b"\r"))


def parse_whole(payload: Payload, first: int) -> Iterator[Parsed]:
    """The text of a file."""
    yield 1, payload[0] if isinstance(payload, list) else decoded(payload)


def decoded(content: bytes) -> tuple[str, dict[str, Any]] | BadRecordError:
    """A document of a text without its byte order mark, or what is wrong with it."""
    try:
        return decode(content.removeprefix(BYTE_ORDER_MARK)), {}
    except BadRecordError as error:
        return error
