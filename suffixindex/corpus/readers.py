"""Sources -> documents, in two steps: read raw records in order (one thread), parse them into documents (any thread)."""

from collections.abc import Iterator, Sequence
from typing import IO, Any

from suffixindex.corpus.archives import Member, read_archive
from suffixindex.corpus.formats import ARCHIVES, FORMATS, Format, UnknownKindError, ending_of, format_of, in_folders
from suffixindex.corpus.records import (
    RECORD_BYTES,
    BadRecordError,
    Chunk,
    Documents,
    Origin,
    Parsed,
    RawRecords,
    RecordOptions,
    Source,
    exact_fields,
    hive_fields,
    metadata_line,
    take_text,
    too_large,
)
from suffixindex.corpus.streams import Beginnings, check_unchanged, open_stream, plain_errors, unpacked
from suffixindex.errors import CorpusError

__all__ = ["Documents", "RawRecords", "RecordOptions", "Source", "metadata_line", "parse", "read_records"]

LONG_RECORD = 1 << 10
"""Bytes of a record, on average, of which Python's strings cost more than calls of functions do."""


def read_records(sources: Sequence[Source], start: tuple[int, int] = (0, 0), limit: int = RECORD_BYTES) -> Iterator[RawRecords]:
    """Raw records of about a megabyte in order, from record ``start[1]`` of source ``start[0]`` on.

    One that is larger than ``limit`` bytes is passed over, and an error stands in its place.

    Raises
    ------
    CorpusError
        A source cannot be opened, is damaged, or is another one at its end than it was.
    """
    with Beginnings(sources, _is_stream) as beginnings:
        for number in range(start[0], len(sources)):
            source = sources[number]
            if source.bytes == 0:
                continue
            with plain_errors(source.path):
                try:
                    file = beginnings.take(number)
                    yield from _read_source(number, source, start[1] if number == start[0] else 0, limit, file)
                except CorpusError:
                    if source.url is not None:  # of two files that follow each other at a URL the middle is no record
                        check_unchanged(source)
                    raise


def _is_stream(source: Source) -> bool:
    return FORMATS[source.kind].read_stream is not None


def _read_source(number: int, source: Source, start: int, limit: int, file: IO[bytes] | None) -> Iterator[RawRecords]:
    form = FORMATS[source.kind]
    if form.read_file is not None:
        for chunk in form.read_file(source, start, limit):
            yield RawRecords(number, start, chunk.num_records, chunk.payload, chunk.num_bytes, chunk.consumed or 0, chunk.origin)
            start += chunk.num_records
        if source.kind != "huggingface":
            check_unchanged(source)
        return
    first = 0
    for chunk, consumed in _archive(source, limit) if source.kind in ARCHIVES else _stream(source, form, limit, file):
        drop = start - first
        first += chunk.num_records
        if drop < chunk.num_records:
            rest = _without(chunk, drop) if drop > 0 else chunk
            yield RawRecords(
                number, first - rest.num_records, rest.num_records, rest.payload, rest.num_bytes, consumed, rest.origin
            )


def _stream(source: Source, form: Format, limit: int, file: IO[bytes] | None) -> Iterator[tuple[Chunk, int]]:
    with open_stream(source, file=file) as opened:
        origin = None
        if opened.raw is None:  # its content is known only now
            kind = format_of(source.path, opened.head, form.name)
            if FORMATS[kind].read_stream is None:
                raise CorpusError(f"{source.path} is {FORMATS[kind].what}, which is read of files alone: write it to one first")
            if kind != form.name:
                form, origin = FORMATS[kind], Origin("", kind, 0)
        assert form.read_stream is not None
        for chunk in _named(source.path, form.read_stream(opened.stream, limit)):
            yield chunk._replace(origin=origin), _told(opened.raw)
            if origin is not None:
                origin = origin._replace(first=origin.first + chunk.num_records)
        if opened.raw is not None:
            check_unchanged(source, opened.raw)


def _named(path: str, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The chunks of a file; what is wrong with it as a whole names it."""
    try:
        yield from chunks
    except BadRecordError as error:
        raise CorpusError(f"{path}, line 1: {error}") from error


def _told(raw: IO[bytes] | None) -> int:
    return raw.tell() if raw is not None else 0


def _archive(source: Source, limit: int) -> Iterator[tuple[Chunk, int]]:
    for chunk in read_archive(source, limit, _read_member):
        yield chunk, chunk.consumed or 0
    check_unchanged(source)


def _read_member(source: Source, member: Member, limit: int) -> Iterator[Chunk] | None:
    given = source.format.partition(":")[2] or "auto"
    if given == "auto" and not (in_folders(member.name) or ending_of(member.name) in (".csv", ".tsv")):
        return None
    opened = unpacked(member.file, None)
    path = f"{source.path}/{member.name}"
    try:
        kind = format_of(member.name, opened.head, given) if opened.head else "text"
    except UnknownKindError:
        return None
    read = FORMATS[kind].read_stream
    if read is None:
        raise CorpusError(f"{path} is {FORMATS[kind].what}, which is read of files alone: unpack {source.path} first")

    def chunks() -> Iterator[Chunk]:
        first = 0
        for chunk in _named(path, read(opened.stream, limit)):
            yield chunk._replace(origin=Origin(f"/{member.name}", kind, first), consumed=member.consumed)
            first += chunk.num_records

    return chunks()


def _without(chunk: Chunk, drop: int) -> Chunk:
    """The records of a chunk after the first ``drop``."""
    payload: Any = chunk.payload
    if isinstance(payload, bytes):
        payload = payload.split(b"\n", drop)[-1]
    else:
        payload = payload.drop(drop) if hasattr(payload, "drop") else payload[drop:]
    size = len(payload) if isinstance(payload, bytes) else chunk.num_bytes * (chunk.num_records - drop) // chunk.num_records
    origin = chunk.origin._replace(first=chunk.origin.first + drop) if chunk.origin is not None else None
    return Chunk(chunk.num_records - drop, payload, size, chunk.consumed, origin)


def parse(pieces: Sequence[RawRecords], sources: Sequence[Source], options: RecordOptions) -> Documents:
    """The documents of raw records, in order.

    Raises
    ------
    CorpusError
        A record is malformed or lacks its text and ``options.on_error`` is ``raise``; names the file and the line.
    """
    documents = Documents()
    for piece in pieces:
        source = sources[piece.source]
        member, kind, first = piece.origin or ("", source.kind, piece.first)
        path = source.path + member
        above = hive_fields(path)
        for line, record in _records(piece, FORMATS[kind], first, options):
            try:
                text, fields = _document(record, options)
                if options.keep_metadata:
                    documents.metadata.append(metadata_line(path, line, {**above, **fields} if above else fields))
            except BadRecordError as error:
                if options.on_error == "skip":
                    documents.skipped[error.reason] += 1
                    continue
                raise CorpusError(
                    f"{path}, line {line}: {error}; mend it, or pass over such records with --on-error skip"
                ) from error
            documents.texts.append(text)
    return documents


def _records(piece: RawRecords, form: Format, first: int, options: RecordOptions) -> Iterator[Parsed]:
    if options.utf8 and form.parse_utf8 is not None and piece.num_bytes >= LONG_RECORD * piece.num_records:
        return form.parse_utf8(piece.payload, first, options.text_field)
    assert form.parse is not None
    return form.parse(piece.payload, first)


def examine(piece: RawRecords, source: Source, options: RecordOptions) -> Iterator[tuple[str, int, Any, dict[str, Any]]]:
    """(path, line, document or what is wrong with it, the fields beside its text) of every record."""
    member, kind, first = piece.origin or ("", source.kind, piece.first)
    path = source.path + member
    parse_payload = FORMATS[kind].parse
    assert parse_payload is not None
    for line, record in parse_payload(piece.payload, first):
        try:
            document, fields = _document(record, options)
            metadata_line(path, line, fields)
        except BadRecordError as error:
            yield path, line, error, {}
            continue
        yield path, line, document, {**hive_fields(path), **fields}


def _document(record: Any, options: RecordOptions) -> tuple[Any, dict[str, Any]]:
    """(text or ids, the fields beside it)."""
    if isinstance(record, dict):
        text = take_text(record, options.text_field)
        if len(text) > options.record_bytes:
            raise too_large(len(text), options.record_bytes)
        return text, exact_fields(record, options.text_field, text) if options.keep_metadata else record
    if isinstance(record, BadRecordError):
        raise record
    if isinstance(record, tuple):
        return record
    raise BadRecordError("not an object", f"expected {{{options.text_field!r}: …}}, found {type(record).__name__}")
