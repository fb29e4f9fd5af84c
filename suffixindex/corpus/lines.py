"""Files of lines: a record or a document a line; and files that are a document each."""

import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from suffixindex.corpus.records import BadRecordError, Chunk, ExactRecord, Parsed, decode, has_float, json_values, too_large
from suffixindex.corpus.text import BYTE_ORDER_MARK, READ_BYTES, Stream

NEWLINE = ord("\n")
LINES = 1 << 14
"""Lines that are parsed at once: of the shortest, more than these take more memory than their text."""

MARK = secrets.token_hex(16)
"""Stands for a text that is read apart from its record. Nobody knows it, so no record says it by itself."""

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
    newlines = int(np.count_nonzero(np.frombuffer(payload, np.uint8) == NEWLINE))  # 0.1 ns a byte, where `count` takes 0.8
    count = newlines + (ended and bool(payload) and not payload.endswith(b"\n"))
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


def parse_json_utf8(payload: Payload, first: int, field: str) -> Iterator[Parsed]:
    """As :func:`parse_json_lines`, but the texts of a field are UTF-8, as views of memory, wherever a line is plain.

    What seems to be the text of a line is read by compiled code, and the rest is parsed with a mark in its place. Where the mark
    is then the field's value, that was the text; any other line is parsed whole.
    """
    if isinstance(payload, list):
        yield from parse_json_lines(payload, first)
        return
    from suffixindex.kernels.text.json_strings import read_strings

    ends = _line_ends(payload)
    starts = np.array(_text_starts(payload, ends, field), np.int64)
    content = np.empty(len(payload), np.uint8)
    stops, text_ends = np.empty_like(starts), np.empty_like(starts)
    with np.errstate(over="ignore"):  # of unsigned numbers, where nothing is compiled
        read_strings(np.frombuffer(payload, np.uint8), starts, content, stops, text_ends)
    found = starts.tolist(), stops.tolist(), text_ends.tolist()
    texts = memoryview(content)
    begin = text_begin = 0
    for line, (end, start, stop, text_end) in enumerate(zip(ends, *found, strict=True), first + 1):
        record = _marked(payload[begin:start], payload[stop - 1 : end]) if stop >= 0 else None
        if record is not None and record.get(field) == MARK:
            record[field] = texts[text_begin:text_end]
            yield line, record
        else:
            yield from parse_json_lines(payload[begin:end], line - 1)
        begin, text_begin = end + 1, text_end


def _line_ends(payload: bytes) -> list[int]:
    ends = []
    begin = 0
    while begin < len(payload):
        end = payload.find(b"\n", begin)
        ends.append(end if end >= 0 else len(payload))
        begin = ends[-1] + 1
    return ends


def _text_starts(payload: bytes, ends: list[int], field: str) -> list[int]:
    """For each line where the first string after the field's name begins, or the end of the line."""
    name = f'"{field}":'.encode(errors="replace")
    starts = []
    begin = 0
    for end in ends:
        place = payload.find(name, begin, end)
        quote = payload.find(b'"', place + len(name), place + len(name) + 2) if place >= 0 else -1
        starts.append(quote + 1 if quote >= 0 else end)
        begin = end + 1
    return starts


def _marked(before: bytes, after: bytes) -> dict[str, Any] | None:
    """The record between whose parts there is a mark; None if it is none."""
    content = before + MARK.encode() + after
    try:
        record = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    if type(record) is not dict:
        return None
    return ExactRecord(record, content) if has_float(record.values()) else record


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
