"""Sources -> documents, in two steps: read raw pieces in order (one thread), parse pieces into documents (any thread)."""

import gzip
import json
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

import orjson
import zstandard

from suffixindex.corpus.sources import HUGGING_FACE, STDIN, TOKEN_FORMATS, Source
from suffixindex.corpus.token_files import RAW, read_megatron, read_raw
from suffixindex.errors import CorpusError, MissingDependencyError

READ_BYTES = 1 << 20
COMPRESSED_BYTES = 1 << 17
UNPACKED_BYTES = 1 << 19  # unpacked at once: after each block the reader waits for the interpreter
PARQUET_ROWS = 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Piece(NamedTuple):
    """Raw records ``first .. first + num_records`` of a source; ``consumed`` bytes of its file are read at the piece's end."""

    source: int
    first: int
    num_records: int
    payload: Any
    num_bytes: int
    consumed: int


@dataclass(frozen=True)
class RecordOptions:
    """How records become documents: ``on_error`` is raise | skip."""

    text_field: str = "text"
    keep_metadata: bool = True
    on_error: str = "raise"


@dataclass
class Documents:
    """Parsed documents: texts or ids, a line of metadata for each if kept, and what was skipped for which reason."""

    texts: list[Any] = field(default_factory=list)
    metadata: list[bytes] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


# ---- reading -----------------------------------------------------------------------------------------------------


def read_pieces(sources: Sequence[Source], start: tuple[int, int] = (0, 0)) -> Iterator[Piece]:
    """Pieces of about a megabyte in order, from record ``start[1]`` of source ``start[0]`` on.

    Raises
    ------
    CorpusError
        A source cannot be opened, or its compressed stream is damaged.
    """
    for number in range(start[0], len(sources)):
        source = sources[number]
        if source.bytes == 0:
            continue
        try:
            yield from _READERS[source.kind](number, source, start[1] if number == start[0] else 0)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CorpusError(f"{source.path}: the compressed file is cut short or damaged ({error}); fetch it again") from error
        except OSError as error:
            raise CorpusError(f"{source.path} cannot be read: {error.strerror or error}") from error


def _read_lines(number: int, source: Source, start: int) -> Iterator[Piece]:
    """Blocks of whole lines; the first ``start`` lines are passed over without being parsed."""
    line = 0
    rest: list[bytes] = []
    with _open(source) as (stream, raw):
        while True:
            block = stream.read(READ_BYTES)
            cut = block.rfind(b"\n") + 1
            if block and not cut:
                rest.append(block)
                continue
            payload = b"".join([*rest, memoryview(block)[:cut]])
            rest = [block[cut:]] if block[cut:] else []
            count = payload.count(b"\n") + (not block and bool(payload))
            first = line
            line += count
            if first < start < line:
                payload = payload.split(b"\n", start - first)[-1]
                first = start
            if line > first and line > start:
                yield Piece(number, first, line - first, payload, len(payload), raw.tell() if raw else 0)
            if not block:
                return


def _read_whole(number: int, source: Source, start: int) -> Iterator[Piece]:
    if start:
        return
    with _open(source) as (stream, _):
        payload = stream.read()
    if payload:
        yield Piece(number, 0, 1, payload, len(payload), source.bytes or len(payload))


def _read_parquet(number: int, source: Source, start: int) -> Iterator[Piece]:
    try:
        import pyarrow.parquet
        from pyarrow import ArrowException
    except ImportError as error:
        raise MissingDependencyError("reading .parquet needs pyarrow: pip install 'suffixindex[parquet]'") from error
    row = 0
    try:
        with pyarrow.parquet.ParquetFile(source.path) as file:
            total = max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(PARQUET_ROWS):
                skip = min(max(start - row, 0), len(batch))
                row += len(batch)
                if skip < len(batch):
                    part = batch.slice(skip)
                    yield Piece(number, row - len(part), len(part), part, part.nbytes, (source.bytes or 0) * row // total)
    except ArrowException as error:
        raise CorpusError(f"{source.path} is no readable Parquet file: {error}") from error


def _read_hugging_face(number: int, source: Source, start: int) -> Iterator[Piece]:
    try:
        import datasets
    except ImportError as error:
        raise MissingDependencyError("reading a Hugging Face dataset needs datasets: pip install 'suffixindex[hf]'") from error
    url = urlsplit(source.path.removeprefix(HUGGING_FACE))
    options = {key: values[-1] for key, values in parse_qs(url.query).items()}
    unknown = options.keys() - {"name", "split", "revision"}
    if unknown:
        raise CorpusError(f"{source.path}: unknown option {min(unknown)!r}; expected name, split, revision")
    options.setdefault("split", "train")
    try:
        rows = datasets.load_dataset(url.path, streaming=True, **options).skip(start)
        for first, batch in enumerate(rows.iter(PARQUET_ROWS)):
            records = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
            size = sum(len(value) for record in records for value in record.values() if isinstance(value, str))
            yield Piece(number, start + first * PARQUET_ROWS, len(records), records, size, 0)
    except CorpusError:
        raise
    except Exception as error:  # whatever the library raises: no such dataset, no network, a gated one
        raise CorpusError(f"{source.path} cannot be loaded: {type(error).__name__}: {error}") from error


def _read_tokens(number: int, source: Source, start: int) -> Iterator[Piece]:
    if source.kind == "megatron":
        pieces = read_megatron(source.path, start, source.number)
    else:
        pieces = read_raw(source.path, start, RAW[source.kind], source.number)
    for first, records, num_bytes, consumed in pieces:
        yield Piece(number, first, len(records), records, num_bytes, consumed)


_READERS = {
    **dict.fromkeys(TOKEN_FORMATS, _read_tokens),
    "jsonl": _read_lines,
    "lines": _read_lines,
    "text": _read_whole,
    "parquet": _read_parquet,
    "huggingface": _read_hugging_face,
}


class _Stream(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@contextmanager
def _open(source: Source) -> Iterator[tuple[_Stream, IO[bytes] | None]]:
    """The decompressed stream, and the file whose ``tell`` says how far reading is (None where that has no meaning: a pipe)."""
    if source.path == STDIN:
        if sys.stdin is None:
            raise CorpusError("standard input is closed: there is nothing to read from -")
        yield sys.stdin.buffer, None
        return
    with open(source.path, "rb") as raw:
        if source.path.endswith(".gz"):
            stream: _Stream = gzip.GzipFile(fileobj=raw)
        elif source.path.endswith(".zst"):
            stream = _ZstandardStream(raw)
        else:
            stream = raw
        yield stream, None if source.bytes is None else raw


class _ZstandardStream:
    """Every frame of a .zst file, long windows included. Unlike the library's own reader it notices a cut-off frame."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.raw = raw
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=2**31)
        self.frame: zstandard.ZstdDecompressionObj | None = None

    def read(self, size: int = -1, /) -> bytes:
        """At least ``size`` bytes unless the stream ends before, at most the content of one more block."""
        blocks: list[bytes] = []
        length = 0
        while size < 0 or length < size:
            compressed = self.raw.read(COMPRESSED_BYTES)
            if not compressed:
                if self.frame is not None:
                    raise EOFError("the last frame is incomplete")
                break
            while compressed:
                self.frame = self.frame or self.decompressor.decompressobj(write_size=UNPACKED_BYTES)
                try:
                    blocks.append(self.frame.decompress(compressed))
                except zstandard.ZstdError as error:
                    raise EOFError(str(error)) from error
                length += len(blocks[-1])
                compressed = self.frame.unused_data
                if self.frame.eof:
                    self.frame = None
        return b"".join(blocks)


# ---- parsing -----------------------------------------------------------------------------------------------------


def parse(pieces: Sequence[Piece], sources: Sequence[Source], options: RecordOptions) -> Documents:
    """The documents of the pieces, in order.

    Raises
    ------
    CorpusError
        A record is malformed or lacks its text and ``options.on_error`` is ``raise``; names the file and the line.
    """
    documents = Documents()
    for piece in pieces:
        source = sources[piece.source]
        for line, record in _records(piece, source.kind):
            try:
                text, fields = _text_of(record, source.kind, options.text_field)
                if options.keep_metadata:
                    documents.metadata.append(metadata_line(source.path, line, fields))
            except _BadRecordError as error:
                if options.on_error == "skip":
                    documents.skipped[error.reason] += 1
                    continue
                raise CorpusError(
                    f"{source.path}, line {line}: {error}; mend it, or pass over such records with --on-error skip"
                ) from error
            documents.texts.append(text)
    return documents


class _BadRecordError(Exception):
    """A record that is no document; ``reason`` is what a count of skipped records says."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}{': ' if detail else ''}{detail}")
        self.reason = reason


def _records(piece: Piece, source_format: str) -> Iterator[tuple[int, Any]]:
    """(1-based line or row, record); a blank line is none."""
    if source_format == "text":
        yield 1, piece.payload
    elif source_format in ("jsonl", "lines"):
        for line, content in enumerate(piece.payload.split(b"\n"), piece.first + 1):
            if content and not content.isspace():
                yield line, content.removesuffix(b"\r")
    else:
        rows = piece.payload if isinstance(piece.payload, list) else _rows(piece.payload)
        yield from enumerate(rows, piece.first + 1)


def _rows(batch: Any) -> list[Any]:
    """The rows of an Arrow batch as dictionaries; in the place of one that Python cannot hold, the error."""
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError) as error:  # text that is not UTF-8, a time beyond Python's
        return [error] if len(batch) == 1 else [row for i in range(len(batch)) for row in _rows(batch.slice(i, 1))]


def _text_of(record: Any, source_format: str, text_field: str) -> tuple[Any, dict[str, Any]]:
    if source_format in TOKEN_FORMATS:
        ids, fields = record
        return ids, fields
    if source_format in ("text", "lines"):
        return _decode(record.removeprefix(BYTE_ORDER_MARK)), {}
    if source_format == "jsonl":
        record = _parse_json(record)
    if isinstance(record, Exception):
        raise _BadRecordError("unreadable row", str(record)) from record
    if not isinstance(record, dict):
        raise _BadRecordError("not an object", f"expected {{{text_field!r}: …}}, found {type(record).__name__}")
    if text_field not in record:
        keys = ", ".join(map(str, record)) or "no fields"
        raise _BadRecordError(f"no field {text_field!r}", f"the record has {keys} (--text-field names the text)")
    text = record.pop(text_field)
    if not isinstance(text, str):
        raise _BadRecordError(f"field {text_field!r} is no text", f"found {type(text).__name__}")
    return text, record


def metadata_line(path: str, line: int, fields: dict[str, Any]) -> bytes:
    """What is kept of a document, with a line's end."""
    record = {"path": path, "line": line, "metadata": fields}
    try:
        return orjson.dumps(record, str, orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a path that is not UTF-8, or more than 254 levels
        try:
            return json.dumps(record, default=str).encode() + b"\n"
        except RecursionError as error:
            raise _BadRecordError("nested too deeply") from error


def _parse_json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        decoded = _decode(content.removeprefix(BYTE_ORDER_MARK))
        try:
            record = json.loads(decoded)  # takes what orjson does not: NaN, deep nesting
        except ValueError as error:
            raise _BadRecordError("malformed JSON", str(error)) from error
        except RecursionError as error:
            raise _BadRecordError("nested too deeply") from error
        try:
            json.dumps(record, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise _BadRecordError("lone surrogate", "a \\ud800-\\udfff escape that is no character") from error
        return record


def _decode(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _BadRecordError("not UTF-8", f"byte {error.object[error.start]:#04x} at offset {error.start}") from error
