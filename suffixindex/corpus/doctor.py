"""A corpus examined without an index: what it holds, what a build would pass over and why, and where the first problems are."""

import heapq
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

from suffixindex.corpus.formats import FORMATS
from suffixindex.corpus.readers import examine, read_records
from suffixindex.corpus.records import RECORD_BYTES, BadRecordError, RecordOptions, Source
from suffixindex.corpus.sources import place_of, resolve
from suffixindex.corpus.streams import open_stream
from suffixindex.errors import CorpusError
from suffixindex.remote.urls import visible

PROBLEMS = 5
LONGEST = 3
ENORMOUS_BYTES = 10 << 20
FIELDS = 1000
HASHES = 1 << 20

_ENCODINGS = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8 with a byte order mark", "utf-16": "UTF-16", "utf-32": "UTF-32"}
_TYPES = {"NoneType": "null", "str": "text", "dict": "record", "Fragment": "number"}


class Problem(NamedTuple):
    """What a build would stop at; line 0 where it is the file as a whole."""

    path: str
    line: int
    message: str


class LongDocument(NamedTuple):
    """A document and its size: bytes of its text in UTF-8, or ids."""

    size: int
    path: str
    line: int


class Distinct:
    """Counts repeated texts by their hashes, all of them or, past ``HASHES`` of them, a sample of the hashes: 64 MB at most."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._below = 1 << 64
        self._repeated = 0

    def add(self, content: bytes) -> None:
        number = int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
        if number >= self._below:
            return
        if number in self._seen:
            self._repeated += 1
        self._seen.add(number)
        if len(self._seen) > HASHES:
            self._below //= 2
            self._seen = {number for number in self._seen if number < self._below}
            self._repeated //= 2

    @property
    def is_estimate(self) -> bool:
        return self._below < 1 << 64

    @property
    def repeated(self) -> int:
        """Texts that are equal to an earlier one."""
        return round(self._repeated * (1 << 64) / self._below)


@dataclass
class CorpusReport:
    """What :func:`check_corpus` found."""

    files: Counter[str] = field(default_factory=Counter)
    """By format, compression and encoding."""
    file_bytes: Counter[str] = field(default_factory=Counter)
    records: int = 0
    documents: int = 0
    empty: int = 0
    duplicates: int = 0
    duplicates_are_estimated: bool = False
    enormous: int = 0
    """Documents of more than 10 MiB."""
    text_bytes: int = 0
    fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(name, type) -> records that have it; names in records with dots."""
    skipped: Counter[str] = field(default_factory=Counter)
    """What ``on_error="skip"`` passes over, by reason."""
    problems: list[Problem] = field(default_factory=list)
    """The first five."""
    num_problems: int = 0
    longest: list[LongDocument] = field(default_factory=list)

    def problem(self, path: str, line: int, message: str) -> None:
        self.num_problems += 1
        if len(self.problems) < PROBLEMS:
            self.problems.append(Problem(path, line, message))

    def rows(self) -> list[dict[str, Any]]:
        """The report as lines: what, of which name, how many, how many bytes, and where."""
        rows = [_row("files", name, count, self.file_bytes[name]) for name, count in self.files.most_common()]
        rows.append(_row("records", "", self.records))
        rows.append(_row("documents", "", self.documents, self.text_bytes))
        rows.append(_row("documents", "empty", self.empty))
        estimated = " (estimated)" if self.duplicates_are_estimated else ""
        rows.append(_row("documents", f"equal to an earlier one{estimated}", self.duplicates))
        rows.append(_row("documents", f"of more than {ENORMOUS_BYTES >> 20} MiB", self.enormous))
        rows += [_row("longest", "", 1, size, f"{path}, line {line}") for size, path, line in self.longest]
        rows += [_row("field", f"{name}: {kind}", count) for (name, kind), count in self.fields.most_common()]
        rows += [_row("skipped", reason, count) for reason, count in self.skipped.most_common()]
        rows += [_row("problem", message, 1, 0, f"{path}, line {line}" if line else path) for path, line, message in self.problems]
        return rows


def _row(what: str, name: str, count: int, size: int = 0, where: str = "") -> dict[str, Any]:
    return {"what": what, "name": name, "count": count, "bytes": size, "where": where}


def check_corpus(
    corpus: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    text_field: str = "text",
    input_format: str = "auto",
    separator: int | None = None,
    sequences_per_step: int | None = None,
    record_bytes: int = RECORD_BYTES,
) -> CorpusReport:
    """Read a corpus without building an index of it, and say what it is. Goes on after whatever a build would stop at.

    Parameters
    ----------
    corpus, text_field, input_format, separator, sequences_per_step
        As of :func:`suffixindex.build`.
    record_bytes
        The largest record that counts as one.

    Raises
    ------
    CorpusError
        Nothing that is named can be read at all, or the settings are wrong.

    Notes
    -----
    One pass in bounded memory: some records, and at most 64 MB of hashes, by which equal documents are counted.
    """
    report = CorpusReport()
    distinct = Distinct()
    options = RecordOptions(text_field, True, "skip", record_bytes)
    settings: Mapping[str, Any] = {"separator": separator, "sequences_per_step": sequences_per_step}
    for source in _sources(corpus, input_format, settings, report):
        _describe(source, report)
        try:
            for piece in read_records([source], limit=record_bytes):
                report.records += piece.num_records
                for path, line, found, fields in examine(piece, source, options):
                    _count(report, distinct, path, line, found, fields)
        except CorpusError as error:
            report.problem(source.path, 0, str(error))
    report.duplicates, report.duplicates_are_estimated = distinct.repeated, distinct.is_estimate
    report.longest.sort(reverse=True)
    return report


def _sources(corpus: Any, input_format: str, settings: Mapping[str, Any], report: CorpusReport) -> Iterator[Source]:
    inputs = [corpus] if isinstance(corpus, (str, os.PathLike)) else list(corpus)
    seen: set[str] = set()
    for name in inputs:
        try:
            for source in resolve(name, input_format, **settings):
                place = place_of(source)
                if place in seen:
                    report.problem(source.path, 0, "it is named twice: its documents would be counted twice")
                seen.add(place)
                yield source
        except CorpusError as error:
            if len(inputs) == 1:
                raise
            report.problem(visible(os.fspath(name)), 0, str(error))


def _describe(source: Source, report: CorpusReport) -> None:
    name = source.kind
    if FORMATS[name].read_stream is not None and source.bytes:
        try:
            with open_stream(source, text=False) as opened:
                about = [*opened.layers, _ENCODINGS[opened.encoding], *(["CRLF"] if b"\r\n" in opened.head else [])]
            name += f" ({', '.join(about)})"
        except Exception:  # reading it will say so
            name += " (unreadable)"
    report.files[name] += 1
    report.file_bytes[name] += source.bytes or 0


def _count(report: CorpusReport, distinct: Distinct, path: str, line: int, found: Any, fields: Mapping[str, Any]) -> None:
    if isinstance(found, BadRecordError):
        report.skipped[found.reason] += 1
        report.problem(path, line, str(found))
        return
    content = found.encode() if isinstance(found, str) else found.tobytes()
    size = len(content) if isinstance(found, str) else len(found)
    report.documents += 1
    report.text_bytes += len(content)
    report.empty += not size
    report.enormous += size > ENORMOUS_BYTES
    if size:
        distinct.add(content)
    _count_fields(report, fields, "")
    longest = LongDocument(size, path, line)
    if len(report.longest) < LONGEST:
        heapq.heappush(report.longest, longest)
    elif longest > report.longest[0]:
        heapq.heapreplace(report.longest, longest)


def _count_fields(report: CorpusReport, fields: Mapping[str, Any], prefix: str) -> None:
    for name, value in fields.items():
        kind = {"NoneType": "null", "str": "text", "dict": "record", "Fragment": "number"}.get(
            type(value).__name__, type(value).__name__
        )
        key = (prefix + name, kind)
        report.fields[key if key in report.fields or len(report.fields) < FIELDS else ("others", "")] += 1
        if isinstance(value, dict):
            _count_fields(report, value, f"{prefix}{name}.")
