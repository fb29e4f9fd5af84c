"""The metadata of a shard's documents: a line of JSON for each, read when it is asked for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from suffixindex.errors import FormatError
from suffixindex.storage.identity import IndexFiles
from suffixindex.system.exact_json import loads, may_round

RECORD_BYTES = 1 << 16  # parsed at a time: more than the processor's cache holds costs twice as much
GAP = 1 << 13  # bytes between two lines that are read rather than passed over: a call of the system costs as much

Record = dict[str, Any]


def our_record(value: Any) -> Record:
    """A line of an index of ours: path, line and metadata.

    Raises
    ------
    ValueError
        It is none.
    """
    try:
        path, line, fields = value["path"], value["line"], value["metadata"]
    except (TypeError, KeyError, IndexError):
        raise ValueError("no record") from None
    if type(fields) is dict and (type(path) is str or path is None) and (type(line) is int or line is None):
        return value  # type: ignore[no-any-return]
    raise ValueError("no record")


class MetadataLines:
    """The lines of one file.

    Parameters
    ----------
    path
        The file.
    starts
        The first byte of each document's line, checked.
    num_bytes
        Of the file.
    files
        That the file must be one of.
    as_record
        What a line says as path, line and metadata; raises ValueError where it says something else.
    remedy
        What to do where a line is damaged.
    """

    def __init__(
        self,
        path: Path,
        starts: NDArray[np.uint64],
        num_bytes: int,
        files: IndexFiles,
        as_record: Callable[[Any], Record],
        remedy: str,
    ) -> None:
        self._path, self._starts, self._num_bytes, self._files = path, starts, num_bytes, files
        self._as_record, self._remedy = as_record, remedy

    def record(self, document: int) -> Record:
        """What is kept of one document.

        Raises
        ------
        FormatError
            Its line is damaged.
        """
        return self.records_of(np.array([document]))[0]

    def records_of(self, documents: NDArray[np.int64]) -> list[Record]:
        """What is kept of some documents, by ascending number: lines near each other are read together.

        Raises
        ------
        FormatError
            A line is damaged.
        """
        if not len(documents):
            return []
        starts, last = self._starts[documents].astype(np.int64), len(self._starts) - 1
        stops = np.where(documents < last, self._starts[np.minimum(documents + 1, last)].astype(np.int64), self._num_bytes)
        far = (starts[1:] - stops[:-1] > GAP) | (np.diff(starts // RECORD_BYTES) > 0)
        records: list[Record] = []
        lines: list[bytes] = []
        num_bytes = 0
        with self._files.open(self._path) as file:
            for first, end in pairwise([0, *(np.flatnonzero(far) + 1).tolist(), len(documents)]):
                begin = int(starts[first])
                file.seek(begin)
                block = file.read(int(stops[end - 1]) - begin)
                bounds = zip((starts[first:end] - begin).tolist(), (stops[first:end] - begin).tolist(), strict=True)
                lines += [block[start:stop] for start, stop in bounds]
                num_bytes += len(block)
                if num_bytes >= RECORD_BYTES or end == len(documents):
                    records += self._records(lines, documents[len(records) : end].tolist())
                    lines, num_bytes = [], 0
        return records

    def records(self) -> Iterator[list[Record]]:
        """What is kept of all documents, in order, some at a time.

        Raises
        ------
        FormatError
            A line is damaged, or there are too many or too few.
        """
        document = 0
        with self._files.open(self._path) as file:
            while lines := file.readlines(RECORD_BYTES):
                document += len(lines)
                if document > len(self._starts):
                    break
                yield self._records(lines, range(document - len(lines), document))
        if document != len(self._starts):
            raise FormatError(f"{self._path} does not have {len(self._starts):,} lines, one a document; {self._remedy}")

    def check_starts(self) -> None:
        """Each line begins where the offsets say.

        Raises
        ------
        FormatError
        """
        start, document = 0, 0
        with self._files.open(self._path) as file:
            for document, line in enumerate(file):
                if document >= len(self._starts) or int(self._starts[document]) != start:
                    break
                start += len(line)
            else:
                return
        raise FormatError(f"{self._path}: line {document + 1:,} begins elsewhere than its offset says; {self._remedy}")

    def _records(self, lines: list[bytes], documents: Sequence[int]) -> list[Record]:
        try:
            return [self._as_record(value) for value in parse_lines(lines)]
        except (ValueError, RecursionError):
            pass
        number = next((number for number, line in enumerate(lines) if not self._is_record(line)), 0)
        raise FormatError(
            f"{self._path}, line {documents[number] + 1:,}: expected a record with the document's path, line and metadata; "
            f"{self._remedy}"
        )

    def _is_record(self, line: bytes) -> bool:
        try:
            self._as_record(*parse_lines([line]))
        except (ValueError, RecursionError):
            return False
        return True


def parse_lines(lines: list[bytes]) -> list[Any]:
    """JSON lines as values, one a line, with every digit of their numbers.

    Raises
    ------
    ValueError, RecursionError
    """
    block = b"[" + b",".join(lines) + b"]"
    if not may_round(block):
        with suppress(orjson.JSONDecodeError):  # a path that is not UTF-8, deep nesting
            values: list[Any] = orjson.loads(block)
            if len(values) != len(lines):
                raise ValueError("a line holds several values")
            return values
    elif len(lines) > 1:
        return [parse_lines([line])[0] for line in lines]
    return [loads(line) for line in lines]
