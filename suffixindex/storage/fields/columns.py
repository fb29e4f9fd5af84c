"""Fields of the documents' metadata: what a name means, and the columns that a shard of many documents keeps of them.

A column has a number for each document and a value for each number, where equal values of Python are one value, as its first
document writes it. ``fields.json`` lists the names of all fields that the shard's documents have, in the order of their first
documents: with the type of its column's numbers, how many values there are and in how many bytes, or without a type where
there is no column. ``field_values.jsonl`` has a line for each column, the list of its values; ``field_codes.u8`` and ``.u16``
have the columns of their type one after the other, an entry for each document. Null is the value of documents without the field.
A field has no column where a document has a list or a record in it, or where it has too many values for a dictionary to be
worth it: then the lines of metadata answer. ``complete`` says whether all names are listed.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import FormatError
from suffixindex.storage import schema
from suffixindex.storage.checks import REMEDY
from suffixindex.storage.format import FIELD_CODES, FIELD_VALUES, FIELDS, TOKEN_TYPES, FileEntry
from suffixindex.storage.identity import IndexFiles
from suffixindex.storage.metadata import Record
from suffixindex.storage.schema import SchemaError, number, strict_json, text
from suffixindex.system import exact_json

PATH = "path"
"""The field that is the file a document came from, whatever its metadata hold under that name."""


def field_value(record: Record, field: str) -> Any:
    """What a document has in a field: see :meth:`suffixindex.SuffixIndex.counts_by` for what a field is."""
    return record["path"] if field == PATH else _at(record["metadata"], field)


def _at(metadata: Mapping[str, Any], field: str) -> Any:
    """The value at a key or, where there is no such key, at a dotted path; None if there is neither."""
    if field in metadata:
        return metadata[field]
    cut = field.rfind(".")
    while cut >= 0:
        inner = metadata.get(field[:cut])
        if isinstance(inner, dict) and (value := _at(inner, field[cut + 1 :])) is not None:
            return value
        cut = field.rfind(".", 0, cut)
    return None


def field_values(record: Record) -> dict[str, Any]:
    """Every field of a document with :func:`field_value`, those that hold records among them."""
    path, metadata = record[PATH], record["metadata"]
    values = {PATH: path, **metadata}
    values[PATH] = path
    inner = [(key, value) for key, value in metadata.items() if type(value) is dict]
    if not inner:
        return values
    several = set()
    for prefix, part in inner:  # which grows meanwhile
        for key, value in part.items():
            name = f"{prefix}.{key}"
            if name in values:
                several.add(name)
            values[name] = value
            if type(value) is dict:
                inner.append((name, value))
    if not several:
        return values
    return values | {name: _at(metadata, name) for name in several}


class Column(NamedTuple):
    """A field of all documents of a shard."""

    codes: NDArray[np.unsignedinteger[Any]]
    """``values[codes[document]]`` is the document's value."""
    values: list[Any]
    """No two of them equal."""


class _Listed(NamedTuple):
    """What ``fields.json`` says of a field that has a column, and where that lies."""

    code_type: str
    place: int
    """Among the columns of its type."""
    num_values: int
    start: int
    """Of its values' line."""
    stop: int


class FieldColumns:
    """The columns of one shard, mapped and checked when first asked for; none where none are listed.

    Parameters
    ----------
    folder, listed
        The shard's, and its files.
    num_documents
        Of the shard.
    files
        That the files must be of.
    """

    def __init__(self, folder: Path, listed: Mapping[str, FileEntry], num_documents: int, files: IndexFiles) -> None:
        self._folder, self._listed, self._num_documents, self._files = folder, listed, num_documents, files

    @property
    def names(self) -> list[str]:
        """The fields that have a column, in the order of their first documents."""
        return [name for name, entry in self._fields.items() if entry is not None]

    def column(self, field: str) -> Column | None:
        """The column of a field, of nulls if no document has it; None where only the lines of metadata say.

        Raises
        ------
        FormatError
            The files are damaged.
        """
        if field not in self._fields:
            return Column(np.zeros(self._num_documents, np.uint8), [None]) if self._complete else None
        entry = self._fields[field]
        if entry is None:
            return None
        path = self._folder / FIELD_CODES[entry.code_type]
        start = entry.place * self._num_documents
        codes = self._files.map(path, TOKEN_TYPES[entry.code_type])[start : start + self._num_documents]
        values = self._values(entry)
        if int(codes.max()) >= len(values):
            raise FormatError(f"{path}: the field {field!r} has {len(values):,} values, and a number beyond them; {REMEDY}")
        return Column(codes, values)

    def check(self, first: int, records: Sequence[Record]) -> None:
        """Documents from ``first`` on have in every column what their records say.

        Raises
        ------
        FormatError
        """
        rows = [field_values(record) for record in records] if FIELDS in self._listed else []
        for name in {name for row in rows for name in row} - self._checked.keys():
            self._checked[name] = self.column(name)
        for name, column in self._checked.items():
            if column is None:
                continue
            here = column.codes[first : first + len(rows)].tolist()
            if [column.values[code] for code in here] != [row.get(name) for row in rows]:
                raise FormatError(f"{self._folder / FIELDS}: the column of {name!r} does not fit the metadata; {REMEDY}")

    @cached_property
    def _checked(self) -> dict[str, Column | None]:
        return {name: self.column(name) for name in self.names}

    @property
    def _complete(self) -> bool:
        """Whether all names are listed."""
        return self._read[0]

    @property
    def _fields(self) -> dict[str, _Listed | None]:
        return self._read[1]

    def _values(self, entry: _Listed) -> list[Any]:
        path = self._folder / FIELD_VALUES
        with self._files.open(path) as file:
            file.seek(entry.start)
            line = file.read(entry.stop - entry.start)
        try:
            values = exact_json.loads(line)
            if isinstance(values, list) and len(set(values)) == len(values) == entry.num_values:
                return values
        except (ValueError, TypeError, RecursionError):  # no JSON, or a list or a record in it
            pass
        raise FormatError(f"{path}, byte {entry.start:,}: expected a list of {entry.num_values:,} distinct values; {REMEDY}")

    @cached_property
    def _read(self) -> tuple[bool, dict[str, _Listed | None]]:
        if FIELDS not in self._listed:
            return False, {}
        path = self._folder / FIELDS
        with self._files.open(path) as file:
            content = file.read()
        try:
            return self._parse(strict_json(content))
        except ValueError as error:
            raise FormatError(f"{path} does not describe the columns beside it ({error}); {REMEDY}") from error

    def _parse(self, content: Any) -> tuple[bool, dict[str, _Listed | None]]:
        fields: dict[str, _Listed | None] = {}
        places = dict.fromkeys(FIELD_CODES, 0)
        start = 0
        for entry in schema.records(content, "fields"):
            name = text(entry, "name")
            if name in fields:
                raise SchemaError(f"{name!r} is there twice")
            fields[name] = None
            if entry.get("type") is None:
                continue
            code_type = text(entry, "type")
            if code_type not in places:
                raise SchemaError(f"type is {code_type!r}, expected {' or '.join(places)}")
            stop = start + number(entry, "bytes", 1)
            fields[name] = _Listed(code_type, places[code_type], number(entry, "values", 1), start, stop)
            places[code_type] += 1
            start = stop
        sizes = {FIELD_VALUES: start}
        for code_type, columns in places.items():
            sizes[FIELD_CODES[code_type]] = columns * self._num_documents * int(code_type[1:]) // 8
        for file, size in sizes.items():
            there = self._listed[file].bytes if file in self._listed else 0
            if there != size:
                raise SchemaError(f"{file} has {there:,} bytes, expected {size:,}")
        if not isinstance(content.get("complete"), bool):
            raise SchemaError("complete is neither true nor false")
        return content["complete"], fields
