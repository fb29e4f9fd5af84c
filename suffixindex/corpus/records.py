"""What passes between reading and encoding: sources, raw records, the documents that they become, and what is kept of each."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from suffixindex.corpus.text import BYTE_ORDER_MARK, undecodable
from suffixindex.remote.urls import is_url
from suffixindex.system import exact_json

STDIN = "-"
HUGGING_FACE = "hf:"
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
RECORD_BYTES = 1 << 30
"""A record that is larger is an error, unless a budget says otherwise."""
DEEPEST = 500
"""Levels of a record's fields that are kept; Python's parser and its recursion limit end at about twice as many."""
DEEPEST_SAID = f"expected at most {DEEPEST} levels"


@dataclass(frozen=True)
class Source:
    """One input. ``format`` is a name of :data:`suffixindex.corpus.formats.FORMATS`; sizes are unknown for what is no file.

    Then perhaps a colon and, of ids, a number, the sequences of a step or the id that ends documents; of an archive, the format
    of its members.
    """

    path: str
    format: str
    bytes: int | None = None
    mtime_ns: int | None = None
    etag: str | None = None
    """Of a URL: the tag or checksum that its server tells, another one for another content."""
    url: str | None = field(default=None, repr=False)
    """What is asked for where ``path`` is a URL: with what gives access, which ``path`` is without; never shown or kept."""
    ranges: bool = field(default=True, repr=False)
    """Whether the server of a URL gives any part of it, or the whole alone."""

    def kept(self) -> dict[str, Any]:
        """What an index keeps of it."""
        kept = {"path": self.path, "format": self.format, "bytes": self.bytes, "mtime_ns": self.mtime_ns}
        return kept if self.etag is None else {**kept, "etag": self.etag}

    @property
    def kind(self) -> str:
        """The format without what follows a colon."""
        return self.format.partition(":")[0]

    @property
    def number(self) -> int | None:
        """The number of the format."""
        number = self.format.partition(":")[2]
        return int(number) if number.isdecimal() else None


class Origin(NamedTuple):
    """Where raw records come from if not from the source as it is: a member of an archive, or a pipe known by its content."""

    member: str
    """What follows the source's path: a slash and the member's name, or nothing."""
    format: str
    first: int
    """Number of the first record in it."""


class RawRecords(NamedTuple):
    """Raw records ``first .. first + num_records`` of a source; ``consumed`` bytes of its file are read at their end."""

    source: int
    first: int
    num_records: int
    payload: Any
    num_bytes: int
    consumed: int
    origin: Origin | None = None


class Chunk(NamedTuple):
    """The next raw records of a file, as a format's reader yields them."""

    num_records: int
    payload: Any
    """Lines as one ``bytes``, or a sequence that slices: of pairs (line, content), rows, pairs (ids, fields)."""
    num_bytes: int
    consumed: int | None = None
    """Bytes of the file that are read at their end; None: as many as its ``tell`` says."""
    origin: Origin | None = None


Parsed = tuple[int, Any]
"""(1-based line or row, record): a dictionary, a pair (text or ids, fields), or what is wrong with it."""


class BadRecordError(Exception):
    """A record that is no document; ``reason`` is what a count of skipped records says."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}{': ' if detail else ''}{detail}")
        self.reason = reason
        self._detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, self._detail)


class ExactRecord(dict[str, Any]):
    """A record whose numbers a double may round; ``raw`` is what it was parsed from, where its text may be another."""

    def __init__(self, record: dict[str, Any], raw: bytes) -> None:
        super().__init__(record)
        self.raw = raw


def too_large(size: int, limit: int) -> BadRecordError:
    """What is wrong with a record that would not fit the budget."""
    return BadRecordError("too large", f"{size:,} bytes and more, expected at most {limit:,} (--memory raises it)")


@dataclass(frozen=True)
class RecordOptions:
    """How records become documents: ``on_error`` is raise | skip; a record has at most ``record_bytes``."""

    text_field: str = "text"
    keep_metadata: bool = True
    on_error: str = "raise"
    record_bytes: int = RECORD_BYTES
    utf8: bool = False
    """Texts may be views of memory that holds them in UTF-8, where that takes less time; compiled code makes these."""


@dataclass
class Documents:
    """Parsed documents: texts or ids, a line of metadata for each if kept, and what was skipped for which reason."""

    texts: list[Any] = field(default_factory=list)
    metadata: list[bytes] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


# ---- a record's text ---------------------------------------------------------------------------------------------


def take_text(record: dict[str, Any], name: str) -> Any:
    """Take a record's text out of it: a key or, where there is no such key, a dotted path.

    Raises
    ------
    BadRecordError
        There is none, or it is no text.
    """
    holder, key = _holder(record, name)
    if holder is None:
        raise BadRecordError(f"no field {name!r}", _what_there_is(record))
    text = holder.pop(key)
    if isinstance(text, bytes):
        return decode(text)
    if not isinstance(text, (str, memoryview)):
        raise BadRecordError(f"field {name!r} is no text", f"found {_kind(text)}{_inside(text, name)}")
    return text


def _holder(record: dict[str, Any], name: str) -> tuple[dict[str, Any] | None, str]:
    """The record in the record that has the last part of a path, and that part."""
    if name in record:
        return record, name
    cut = name.rfind(".")
    while cut >= 0:
        inner = record.get(name[:cut])
        if isinstance(inner, dict):
            found = _holder(inner, name[cut + 1 :])
            if found[0] is not None:
                return found
        cut = name.rfind(".", 0, cut)
    return None, name


def _what_there_is(record: dict[str, Any]) -> str:
    keys = ", ".join(map(str, record)) or "no fields"
    nested = [key for key, value in record.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if nested:
        return (
            f"the record has {keys}, and its field {nested[0]!r} holds {len(record[nested[0]]):,} records: "
            f"write those one a line, as jq -c '.{nested[0]}[]' does"
        )
    return f"the record has {keys} (--text-field names the text)"


def _kind(value: Any) -> str:
    return "number" if isinstance(value, orjson.Fragment) else type(value).__name__


def _inside(value: Any, name: str) -> str:
    if not isinstance(value, dict):
        return ""
    texts = [f"{name}.{key}" for key, inner in value.items() if isinstance(inner, (str, dict))]
    return f", a record; --text-field names one of its fields: {', '.join(texts[:10])}" if texts else ""


def decode(content: bytes) -> str:
    """
    Raises
    ------
    BadRecordError
        The bytes are not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BadRecordError("not UTF-8", undecodable(error)) from error


# ---- what is kept of a record ------------------------------------------------------------------------------------


def exact_fields(record: dict[str, Any], name: str, text: str | memoryview) -> dict[str, Any]:
    """The fields beside the text, with every digit of their numbers as the record was written."""
    if not isinstance(record, ExactRecord):
        return record
    raw = record.raw
    if isinstance(text, str) and len(text) > 64:  # without its text a record is parsed in no time
        written = orjson.dumps(text)
        before, found, after = raw.partition(written)
        if found:
            try:
                fields = exact_json.loads_as_written(before + b'""' + after)
                if take_text(fields, name) == "" and fields.keys() == record.keys():
                    return dict(fields)
            except (ValueError, RecursionError, BadRecordError):
                pass
    try:
        fields = exact_json.loads_as_written(raw)
    except RecursionError as error:
        raise BadRecordError("nested too deeply", DEEPEST_SAID) from error
    take_text(fields, name)
    return dict(fields)


@lru_cache(maxsize=256)
def hive_fields(path: str) -> dict[str, Any]:
    """The fields that the folders right above a file name, as ``year=2020/lang=en/a.parquet``; whole numbers as such.

    >>> hive_fields("corpus/year=2020/lang=en/a.parquet")
    {'year': 2020, 'lang': 'en'}
    """
    fields: list[tuple[str, Any]] = []
    at_url = is_url(path)
    for part in reversed(PurePath(path).parts[:-1]):
        name, equals, value = (unquote(part) if at_url else part).partition("=")
        if not name or not equals or (at_url and "?" in name):
            break
        text = unquote(value)
        number = int(text) if text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 19 else None
        whole = number if number is not None and str(number) == text else text
        fields.append((unquote(name), None if text == HIVE_NULL else whole))
    return dict(reversed(fields))


def metadata_line(path: str, line: int, fields: dict[str, Any]) -> bytes:
    """What is kept of a document, with a line's end.

    Raises
    ------
    BadRecordError
        It is nested too deeply.
    """
    record = {"path": path, "line": line, "metadata": fields}
    try:
        # copied, since orjson returns a piece of a buffer of 4 KiB, which would stay as long as the line does
        return memoryview(orjson.dumps(record, str, orjson.OPT_APPEND_NEWLINE)).tobytes()
    except TypeError:  # a path that is not UTF-8, an integer of more than 64 bits, or more than 254 levels
        if _is_deeper(fields, DEEPEST):
            raise BadRecordError("nested too deeply", DEEPEST_SAID) from None
        return json.dumps(record, default=_written).encode() + b"\n"


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether records and lists lie in each other more often than that."""
    inner = [value]
    for _ in range(levels + 1):
        inner = [
            part for one in inner if isinstance(one, (dict, list)) for part in (one.values() if isinstance(one, dict) else one)
        ]
        if not inner:
            return False
    return True


def _written(value: Any) -> Any:
    """A value that JSON has no name for; of a number as it was written the integer, or its digits."""
    if not isinstance(value, orjson.Fragment):
        return str(value)
    literal = orjson.dumps(value).decode()
    return int(literal) if literal.lstrip("-").isdecimal() and len(literal) < 4000 else literal


# ---- JSON --------------------------------------------------------------------------------------------------------


def parse_json(content: bytes) -> Any:
    """One record of a file of records.

    Raises
    ------
    BadRecordError
        It is no JSON.
    """
    try:
        record = orjson.loads(content)
    except orjson.JSONDecodeError:
        return _parse_slowly(content)
    if type(record) is dict and has_float(record.values()):
        return ExactRecord(record, content)
    return record


def has_float(values: Iterable[Any]) -> bool:
    """Whether a number among the values, or in them, was parsed as a double, or lies too deep to be looked for."""
    try:
        return _has_float(values)
    except RecursionError:
        return True


def _has_float(values: Iterable[Any]) -> bool:
    for value in values:
        kind = type(value)
        if kind is float or (kind is dict and _has_float(value.values())) or (kind is list and _has_float(value)):
            return True
    return False


def _parse_slowly(content: bytes) -> Any:
    decoded = decode(content.removeprefix(BYTE_ORDER_MARK))
    try:
        record = exact_json.loads_as_written(decoded)  # takes what orjson does not: NaN, infinite numbers, deep nesting
    except ValueError as error:
        raise BadRecordError("malformed JSON", str(error)) from error
    except RecursionError as error:
        raise BadRecordError("nested too deeply", DEEPEST_SAID) from error
    try:
        json.dumps(record, ensure_ascii=False, default=_written).encode()
    except UnicodeEncodeError as error:
        raise BadRecordError("lone surrogate", "a \\ud800-\\udfff escape that is no character") from error
    except RecursionError as error:
        raise BadRecordError("nested too deeply", DEEPEST_SAID) from error
    return record


def json_values(line: int, content: bytes) -> Iterator[Parsed]:
    """The record of a line, or all of them where several stand one after the other."""
    try:
        yield line, parse_json(content)
    except BadRecordError as error:
        if error.reason != "malformed JSON":
            yield line, error
            return
        try:
            records = _several(content)
        except (ValueError, RecursionError):
            yield line, error
            return
        yield from ((line, record) for record in records)


def _several(content: bytes) -> list[Any]:
    """Values that stand on one line: parsed apart, so that each is a record."""
    text = content.removeprefix(BYTE_ORDER_MARK).decode()
    decoder = json.JSONDecoder()
    records: list[Any] = []
    start, end = 0, len(text)
    while start < end:
        if text[start].isspace() or text[start] in "\x1e,":
            start += 1
            continue
        _, stop = decoder.raw_decode(text, start)
        try:
            records.append(parse_json(text[start:stop].encode()))
        except BadRecordError as error:
            records.append(error)
        start = stop
    return records
