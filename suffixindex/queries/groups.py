"""Groups of documents: those that have the same value in a field of their metadata, and which groups a question is about."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.storage.fields.columns import field_value, field_values
from suffixindex.storage.shard import Shard
from suffixindex.system.threads import ForkLock

Value = str | int | float | Decimal | bool | None
"""What a field may hold, a decimal where a float would round it; None where a document lacks it."""

Condition = Value | range | Callable[[Any], object] | Iterable[Value | range]
"""A value, a range of integers, a function of the value, or a collection of which any member holds."""

Where = Mapping[str, Condition] | NDArray[np.bool_]
"""A condition for each of several fields, which must all hold; or a boolean for each document."""

INDEX = "index"
"""The field that says which of several indexes a document is of."""
FIRST = 10
"""Documents whose fields are looked at for their names."""


class Groups(NamedTuple):
    """The documents by their value in one field: 1 to 4 bytes a document, and the values."""

    codes: NDArray[np.integer[Any]]
    """``values[codes[document]]`` is the document's value. Of the narrowest of three types: what is looked up at random is near."""
    values: list[Value]
    """Distinct values in the order of their first documents."""

    def by_count(self, counts: NDArray[np.int64]) -> Counter[Value]:
        """Value -> count where it is not 0, by count descending; equal ones numbers first, then text, then None."""
        found = [(self.values[code], int(counts[code])) for code in np.flatnonzero(counts).tolist()]
        return Counter(dict(sorted(found, key=lambda entry: (-entry[1], *_order(entry[0])))))


class DocumentGroups:
    """The groups of an index's documents by any field, read when first asked for and then kept. Safe to share."""

    def __init__(self, shards: Sequence[Shard], names: Sequence[str] = ()) -> None:
        self._shards, self._names = shards, names
        self._read: dict[str, Groups] = {}
        self._lock = ForkLock()

    def by(self, field: str) -> Groups:
        """See :meth:`SuffixIndex.counts_by` for what a field is."""
        with self._lock:
            if field not in self._read:
                named = field == INDEX and self._names
                self._read[field] = named_groups(self._shards, self._names) if named else read_groups(self._shards, field)
            return self._read[field]

    def sizes(self, field: str) -> Counter[Value]:
        """How many documents have each value of a field."""
        groups = self.by(field)
        return groups.by_count(np.bincount(groups.codes))

    def mask(self, where: Where) -> NDArray[np.bool_]:
        """The documents that meet all conditions: ``bool[num_documents]``, read-only."""
        size = sum(shard.num_documents for shard in self._shards)
        if isinstance(where, np.ndarray):
            if where.dtype != bool or where.shape != (size,):
                raise QueryError(f"where is an array {where.dtype} {list(where.shape)}: expected bool [{size}], one a document")
            mask = np.ascontiguousarray(where).view()
        elif isinstance(where, Mapping):
            mask = np.ones(size, bool)
            for field, condition in where.items():
                holds = _test(field, condition)
                groups = self.by(field)
                mask &= np.array([bool(holds(value)) for value in groups.values])[groups.codes]
        else:
            raise QueryError(f"where is {type(where).__name__}: expected a condition for each field, as {{'year': 1999}}")
        mask.flags.writeable = False
        return mask


def named_groups(shards: Sequence[Shard], names: Sequence[str]) -> Groups:
    """The documents by their shard's name; reads nothing."""
    numbers: dict[Value, int] = {}
    of_shards = [numbers.setdefault(name, len(numbers)) for name in names]
    return _groups(np.repeat(np.array(of_shards, np.int32), [shard.num_documents for shard in shards]), list(numbers))


def _groups(codes: NDArray[np.int32], values: list[Value]) -> Groups:
    narrow: NDArray[np.integer[Any]] = codes
    if len(values) <= 1 << 16:
        narrow = codes.astype(np.uint8 if len(values) <= 1 << 8 else np.uint16)
    narrow.flags.writeable = False
    return Groups(narrow, values)


def read_groups(shards: Sequence[Shard], field: str) -> Groups:
    """Read a field of all documents: 2 ns each where the shard has a column of it, about 1 µs each where its lines are read.

    Raises
    ------
    QueryError
        No metadata, no document with such a field, or one that holds a list or a record there.
    """
    if any(shard.metadata_path is None for shard in shards):
        raise QueryError("the index keeps no metadata, so its documents have no fields: build it without --no-metadata")
    codes = np.empty(sum(shard.num_documents for shard in shards), np.int32)
    numbers: dict[Value, int] = {}
    first = 0
    for shard in shards:
        here = codes[first : first + shard.num_documents]
        column = shard.fields.column(field)
        if column is None:
            _read_lines(shard, field, first, numbers, here)
        else:
            renumbered = [numbers.setdefault(value, len(numbers)) for value in column.values]
            np.take(np.array(renumbered, np.int32), column.codes, out=here, mode="clip")
        first += shard.num_documents
    if set(numbers) <= {None}:
        raise QueryError(f"no document has a value in the field {field!r}; documents have {', '.join(field_names(shards))}")
    return _groups(codes, list(numbers))


def _read_lines(shard: Shard, field: str, first: int, numbers: dict[Value, int], codes: NDArray[np.int32]) -> None:
    """Number a field's values as the lines of metadata have them; the shard's documents count from ``first``."""
    document = 0
    for records in shard.metadata_lines.records():
        values = [field_value(record, field) for record in records]
        try:
            codes[document : document + len(values)] = [numbers.setdefault(value, len(numbers)) for value in values]
        except TypeError:
            raise _no_scalar(records, values, field, first + document) from None
        document += len(values)


def _no_scalar(records: Sequence[Mapping[str, Any]], values: Sequence[Any], field: str, first: int) -> QueryError:
    place = next(i for i, value in enumerate(values) if isinstance(value, (list, dict)))
    where = f"document {first + place} ({records[place]['path']}, line {records[place]['line']})"
    if isinstance(values[place], dict):
        names = ", ".join(f"{field}.{name}" for name in values[place])
        return QueryError(f"the field {field!r} holds a record in {where}, expected one value: ask for one of its fields: {names}")
    return QueryError(f"the field {field!r} holds a list in {where}, expected one value: text, a number, true, false or null")


def field_names(shards: Sequence[Shard]) -> list[str]:
    """Fields that hold one value: those of the first documents, and all that shards keep by column.

    Raises
    ------
    FormatError
        The metadata are damaged.
    """
    names: dict[str, None] = {}
    if shards[0].metadata_path is not None:
        for record in shards[0].metadata_lines.records_of(np.arange(min(FIRST, shards[0].num_documents))):
            names |= {name: None for name, value in field_values(record).items() if not isinstance(value, (list, dict))}
    for shard in shards:
        names |= dict.fromkeys(shard.fields.names)
    return list(names)


def _order(value: Value) -> tuple[int, Any]:
    if value is None:
        return 2, 0
    return (1, value) if isinstance(value, str) else (0, value)


def _test(field: str, condition: Any) -> Callable[[Any], object]:
    """A condition as a function of the value."""
    if isinstance(condition, range):
        return lambda value: isinstance(value, (int, float)) and value % 1 == 0 and int(value) in condition
    if condition is None or isinstance(condition, (str, int, float, Decimal, np.generic)):
        return lambda value: value == condition
    if callable(condition):
        return condition  # type: ignore[no-any-return]
    if isinstance(condition, Iterable) and not isinstance(condition, (bytes, Mapping)):
        wanted = list(condition)
        tests = [_test(field, member) for member in wanted if isinstance(member, range)]
        try:
            members = {member for member in wanted if not isinstance(member, range)}
        except TypeError:
            raise QueryError(f"the collection for the field {field!r} holds a list or a record: expected values") from None
        return lambda value: value in members or any(test(value) for test in tests)
    raise QueryError(
        f"the condition for the field {field!r} is {type(condition).__name__}: expected a value, a collection of values, "
        "a range or a function"
    )
