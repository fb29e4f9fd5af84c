"""Fields of the metadata by column: a shard's lines are read once, and leave a number for each document and field.

Which fields have a column, and the bytes of the files, follow from the lines alone.
"""

import json
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from suffixindex.storage.fields.columns import PATH, field_values
from suffixindex.storage.files import map_array, write_blocks, write_bytes
from suffixindex.storage.format import FIELD_CODES, FIELD_VALUES, FIELDS, METADATA, METADATA_OFFSETS, FileEntry
from suffixindex.storage.identity import IndexFiles
from suffixindex.storage.metadata import MetadataLines, Record, our_record
from suffixindex.system import exact_json

FEWEST_DOCUMENTS = 1 << 10  # of a shard that is worth columns: the lines of fewer are read in a millisecond
MOST_VALUES = 1 << 16  # of a field with a column; ids and addresses have more, and a dictionary would be as large as the text
FEW_VALUES, SHARE = 1 << 8, 4  # or more than these, and than one for so many documents
MOST_FIELDS = 1 << 8  # that are listed
MOST_NAME = 1 << 10  # characters of a name that is listed
DICTIONARY_BYTES = 1 << 26  # of the values of all fields, as Python keeps them: the largest dictionary is given up beyond
VALUE_BYTES = 150  # of a value in a dictionary, beside its text
SPILLED = 1 << 14  # documents whose numbers are kept in memory


def write_columns(folder: Path) -> dict[str, FileEntry]:
    """Write the columns of the shard in ``folder``, of which the metadata are there; no files where documents are few.

    A microsecond a document of five fields. Memory: at most 150 MiB, whatever the documents have.
    """
    offsets = map_array(folder / METADATA_OFFSETS, "<u8")
    if len(offsets) - 1 < FEWEST_DOCUMENTS:
        return {}
    size = int(offsets[-1])
    lines = MetadataLines(folder / METADATA, offsets[:-1], size, IndexFiles(), our_record, "start anew with --restart")
    spill = folder / "field_codes.tmp"
    try:
        with open(spill, "w+b") as file:
            columns = ColumnBuilder(file)
            for records in lines.records():
                columns.add(records)
            return columns.write(folder)
    finally:
        with suppress(OSError):  # the first error is the one to tell
            spill.unlink(missing_ok=True)


class _Field:
    """The values of a field so far, and the numbers of the last documents; none of either where it has no column."""

    def __init__(self, before: int, spilled: int) -> None:
        self.numbers: dict[Any, int] | None = {None: 0} if before + spilled else {}
        self.codes = array("H", bytes(2 * before))
        self.num_bytes = 0

    def give_up(self) -> None:
        self.numbers, self.codes, self.num_bytes = None, array("H"), 0

    def lack(self, count: int) -> None:
        """The next documents do not have the field."""
        if self.numbers is not None:
            self.codes.extend(array("H", [self._number(self.numbers, None)]) * count)

    def append(self, values: Sequence[Any]) -> None:
        """Number the values of the next documents."""
        numbers = self.numbers
        if numbers is None:
            return
        try:
            codes = [*map(numbers.get, values)]
            if None in codes:
                new = zip(values, codes, strict=True)
                codes = [self._number(numbers, value) if code is None else code for value, code in new]
            self.codes.extend(array("H", codes))  # type: ignore[arg-type]
        except (TypeError, OverflowError):  # a list or a record; more numbers than there are
            self.give_up()

    def _number(self, numbers: dict[Any, int], value: Any) -> int:
        if value not in numbers:
            self.num_bytes += VALUE_BYTES + (len(value) if isinstance(value, str) else 0)
            numbers[value] = len(numbers)
        return numbers[value]


class ColumnBuilder:
    """Columns of documents that come in order; ``spill`` is an empty file for their numbers."""

    def __init__(self, spill: IO[bytes]) -> None:
        self._spill = spill
        self._fields: dict[str, _Field] = {}
        self._complete = True
        self._held = 0  # documents whose numbers are in memory
        self._blocks: list[tuple[int, dict[str, int]]] = []
        """Documents that are spilled, and where the numbers of each field lie."""

    def add(self, records: Sequence[Record]) -> None:
        """Take the next documents."""
        by_field = _flat(records)
        if by_field is None:
            rows = [field_values(record) for record in records]
            by_field = _columns(rows) or self._gather(rows)
        for name in by_field:
            if name not in self._fields:
                self._list(name)
        for name, field in self._fields.items():
            if name in by_field:
                field.append(by_field[name])
            else:
                field.lack(len(records))
        self._held += len(records)
        self._bound()
        if self._held >= SPILLED:
            self._flush()

    def _gather(self, rows: Sequence[dict[str, Any]]) -> dict[str, Sequence[Any]]:
        """The values of each field in rows that have not the same ones."""
        by_field: dict[str, list[Any]] = defaultdict(lambda: [None] * len(rows))
        for place, row in enumerate(rows):
            for name, value in row.items():
                by_field[name][place] = value
        return dict(by_field)

    def _list(self, name: str) -> None:
        if len(self._fields) >= MOST_FIELDS or len(name) > MOST_NAME:
            self._complete = False
        else:
            self._fields[name] = _Field(self._held, len(self._blocks))

    def _bound(self) -> None:
        """Give up the fields whose values are too many, and the largest dictionaries if all together are too large."""
        for field in self._fields.values():
            if field.numbers is not None and len(field.numbers) > MOST_VALUES:
                field.give_up()
        while sum(field.num_bytes for field in self._fields.values()) > DICTIONARY_BYTES:
            max(self._fields.values(), key=lambda field: field.num_bytes).give_up()

    def _flush(self) -> None:
        starts = {}
        for name, field in self._fields.items():
            if field.numbers is not None:
                starts[name] = self._spill.tell()
                field.codes.tofile(self._spill)
                field.codes = array("H")
        self._blocks.append((self._held, starts))
        self._held = 0

    def write(self, folder: Path) -> dict[str, FileEntry]:
        """Write the files of all columns."""
        self._flush()
        self._spill.flush()
        most = max(FEW_VALUES, sum(size for size, _ in self._blocks) // SHARE)
        kept = {name: field.numbers for name, field in self._fields.items() if field.numbers is not None}
        kept = {name: numbers for name, numbers in kept.items() if len(numbers) <= most}
        types = {name: "u8" if len(numbers) <= 1 << 8 else "u16" for name, numbers in kept.items()}
        lines = {name: _line(list(numbers)) for name, numbers in kept.items()}
        listed = [
            {"name": name, "type": types[name], "values": len(kept[name]), "bytes": len(lines[name])}
            if name in kept
            else {"name": name, "type": None}
            for name in self._fields
        ]
        content = json.dumps({"complete": self._complete, "fields": listed}, indent=1).encode() + b"\n"
        files = {FIELDS: write_bytes(folder / FIELDS, content)}
        files[FIELD_VALUES] = write_blocks(folder / FIELD_VALUES, iter(lines.values()))
        for code_type, file in FIELD_CODES.items():
            if names := [name for name in kept if types[name] == code_type]:
                codes = (block.astype(f"<{code_type[0]}{int(code_type[1:]) // 8}") for name in names for block in self._codes(name))
                files[file] = write_blocks(folder / file, (block.tobytes() for block in codes))
        return {name: FileEntry(*entry) for name, entry in files.items()}

    def _codes(self, name: str) -> Iterator[NDArray[np.uint16]]:
        """The numbers of all documents, in blocks; null's is 0 where documents came before the field's first."""
        for size, starts in self._blocks:
            if name not in starts:
                yield np.zeros(size, np.uint16)
                continue
            self._spill.seek(starts[name])
            yield np.frombuffer(self._spill.read(2 * size), np.uint16)


def _flat(records: Sequence[Record]) -> dict[str, Sequence[Any]] | None:
    """The values of each field, in the order of :func:`field_values`, in documents that have the same fields; None of others."""
    columns = _columns([record["metadata"] for record in records])
    if columns is None or PATH in columns:
        return None
    columns = {PATH: [record[PATH] for record in records], **columns}
    inner = list(columns)
    for name in inner:  # which grows meanwhile
        kinds = set(map(type, columns[name]))
        if dict not in kinds:
            continue
        parts = _columns(columns[name]) if kinds == {dict} else None
        if parts is None or any(f"{name}.{key}" in columns for key in parts):
            return None
        columns |= {f"{name}.{key}": column for key, column in parts.items()}
        inner += [f"{name}.{key}" for key in parts]
    return columns


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, Sequence[Any]] | None:
    """The values of each field in rows that have the same ones; None of others."""
    if len(set(map(tuple, rows))) > 1:
        return None
    return dict(zip(rows[0], zip(*map(dict.values, rows), strict=True), strict=True))


def _line(values: list[Any]) -> bytes:
    """A list of values on one line."""
    try:
        return orjson.dumps(values) + b"\n"
    except TypeError:  # an integer of more than 64 bits, a decimal, half a surrogate pair
        # each for itself, since text may look as a number is marked
        return ("[" + ", ".join(map(exact_json.dumps, values)) + "]\n").encode()
