"""Columns as rows: Parquet, Arrow files and streams, folders that Hugging Face's ``save_to_disk`` wrote, and its datasets."""

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from suffixindex.corpus.records import HUGGING_FACE, BadRecordError, Chunk, Parsed, Source, too_large
from suffixindex.corpus.streams import open_file
from suffixindex.errors import CorpusError, MissingDependencyError, SuffixIndexError

ROWS = 1024
BATCH_BYTES = 1 << 23
DICTIONARY_BYTES = 1 << 20
VIEWS = ("string_view", "binary_view")

_SAVED = "dataset_info.json", "state.json"
_SAVED_SPLITS = "dataset_dict.json"


@contextmanager
def _arrow_errors(path: str, kind: str) -> Iterator[Any]:
    """pyarrow, and its errors as ours."""
    try:
        import pyarrow
    except ImportError as error:
        raise MissingDependencyError(f"reading {kind} needs pyarrow: pip install 'suffixindex[parquet]'") from error
    try:
        yield pyarrow
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:  # the last, where a column has a name that is no text
        if isinstance(error, OSError) and error.errno is not None:  # the machine's, not Arrow's
            raise
        raise CorpusError(f"{path} is no readable {kind} file: {error}; fetch it again") from error


def read_parquet(source: Source, start: int, limit: int) -> Iterator[Chunk]:
    """Rows of a Parquet file from row ``start`` on."""
    with _arrow_errors(source.path, "Parquet"):
        import pyarrow.parquet

        with _opened(source) as place, pyarrow.parquet.ParquetFile(place, pre_buffer=False) as file:
            total = max(file.metadata.num_rows, 1)
            _check_columns(file.metadata, source.bytes or 0)
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
            row = 0
            for number, group in enumerate(groups):
                if row + group.num_rows <= start:
                    row += group.num_rows
                    continue
                rows = max(1, min(ROWS, BATCH_BYTES * group.num_rows // max(group.total_byte_size, 1)))
                rows = min(rows, max(1, limit // max(_largest_row(place, file.metadata, number, limit // rows), 1)))
                for batch in file.iter_batches(rows, row_groups=[number]):
                    skip = min(max(start - row, 0), len(batch))
                    row += len(batch)
                    if skip < len(batch):
                        yield from _chunks(batch.slice(skip), limit, (source.bytes or 0) * row // total)


def read_arrow(source: Source, start: int, limit: int) -> Iterator[Chunk]:
    """Rows of an Arrow (Feather) file or stream from row ``start`` on."""
    with _arrow_errors(source.path, "Arrow") as pyarrow, _opened(source) as place, _arrow_file(pyarrow, place) as file:
        row = 0
        for batch in map(_validated, _arrow_batches(pyarrow, file)):
            skip = min(max(start - row, 0), len(batch))
            row += len(batch)
            rows = max(1, min(ROWS, BATCH_BYTES * len(batch) // max(_bytes(batch), 1)))
            rows = min(rows, max(1, limit // max(_shared_bytes(batch), 1)))
            for first in range(skip, len(batch), rows):
                yield from _chunks(batch.slice(first, rows), limit, file.tell())


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    """What pyarrow takes: a path, or the file of a URL."""
    if source.url is None:
        yield source.path
        return
    with open_file(source, anywhere=True) as file:
        yield file


def _arrow_file(pyarrow: Any, place: Any) -> Any:
    return pyarrow.OSFile(place) if isinstance(place, str) else pyarrow.PythonFile(place, "r")


class _ReachedError(Exception):
    """Something asked for a page."""


class _Unreadable(io.RawIOBase):
    """A file of some bytes of which none is read."""

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        raise _ReachedError


def _check_columns(metadata: Any, size: int) -> None:
    """What a Parquet file says of its column chunks can be asked for: pyarrow raises where it reads them, but ends the process
    where it is asked of damaged ones by themselves.

    Raises
    ------
    ArrowException
    OSError
    """
    import pyarrow.parquet

    groups = list(range(metadata.num_row_groups))
    if groups:
        file = pyarrow.parquet.ParquetFile(_Unreadable(size), metadata=metadata, pre_buffer=True)
        with suppress(_ReachedError):
            next(file.iter_batches(1, row_groups=groups), None)


def _largest_row(place: Any, metadata: Any, number: int, harmless: int) -> int:
    """At most how many bytes of text a row of a row group has that several rows may share in the file, unless they are few.

    A value that is stored once, in a column's dictionary or as the beginning of the next, is there in every row when it is read.
    """
    import pyarrow.parquet

    group = metadata.row_group(number)
    columns = [group.column(i) for i in range(group.num_columns)]
    delta = [column.total_uncompressed_size for column in columns if "DELTA_BYTE_ARRAY" in column.encodings]
    shared = [
        column.path_in_schema
        for column in columns
        if column.has_dictionary_page and column.physical_type == "BYTE_ARRAY" and column.total_uncompressed_size > harmless
    ]
    if not shared:
        return sum(delta)
    buffer = 0 if isinstance(place, str) else DICTIONARY_BYTES  # else the column comes whole, over a connection too
    options = {"pre_buffer": False, "read_dictionary": shared, "buffer_size": buffer}
    with pyarrow.parquet.ParquetFile(place, metadata=metadata, **options) as file:
        return int(sum(delta)) + _shared_bytes(next(file.iter_batches(1, row_groups=[number], columns=shared)))


def _shared_bytes(batch: Any) -> int:
    """At most how many bytes of text a row has that lie in the batch once for several rows."""
    return sum(map(_shared, batch.columns))


def _shared(array: Any) -> int:
    import pyarrow

    types, kind, name = pyarrow.types, array.type, str(array.type)
    if types.is_dictionary(kind):
        return _largest(array.dictionary)
    if name.startswith("run_end_encoded"):
        return _largest(array.values)
    if types.is_struct(kind):
        return sum(_shared(array.field(i)) for i in range(kind.num_fields))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _shared(array.values)
    return _largest(array) if name in VIEWS else 0


def _largest(texts: Any) -> int:
    """Bytes of the longest text; 0 of what is none."""
    import pyarrow
    from pyarrow import compute

    if not len(texts):
        return 0
    if str(texts.type) in VIEWS:  # of 16 bytes each, first the length
        return int(np.frombuffer(texts.buffers()[1], "<i4")[::4].max())
    try:
        return int(compute.max(compute.binary_length(texts)).as_py() or 0)
    except pyarrow.ArrowNotImplementedError:
        return 0


def _arrow_batches(pyarrow: Any, file: Any) -> Iterator[Any]:
    if file.read(6) == b"ARROW1":
        with pyarrow.ipc.open_file(file) as reader:
            yield from (reader.get_batch(number) for number in range(reader.num_record_batches))
        return
    file.seek(0)
    with pyarrow.ipc.open_stream(file) as reader:
        yield from reader


def _validated(batch: Any) -> Any:
    """A batch whose offsets lie inside its buffers; Arrow itself believes a file. Text that is no UTF-8 is its row's error.

    Raises
    ------
    ArrowInvalid
    """
    import pyarrow

    try:
        batch.validate(full=True)
    except pyarrow.ArrowInvalid:
        as_bytes = {pyarrow.string(): pyarrow.binary(), pyarrow.large_string(): pyarrow.large_binary()}
        columns = [column.view(as_bytes.get(column.type, column.type)) for column in batch.columns]
        for column in columns:
            column.validate(full=True)
    return batch


def _chunks(batch: Any, limit: int, consumed: int) -> Iterator[Chunk]:
    """A batch; where it is larger than a record may be, row by row, an error in the place of one that is."""
    if (size := _bytes(batch)) <= limit:
        yield Chunk(len(batch), batch, size, consumed)
        return
    for row in range(len(batch)):
        part = batch.slice(row, 1)
        size = _bytes(part)
        yield Chunk(1, part if size <= limit else [too_large(size, limit)], min(size, limit), consumed)


def _bytes(batch: Any) -> int:
    """Bytes that a batch refers to; of views, which older versions of pyarrow do not measure, those that other rows share too."""
    import pyarrow

    try:
        return int(batch.nbytes)
    except pyarrow.ArrowTypeError:
        return int(batch.get_total_buffer_size())


def parse_rows(payload: Any, first: int) -> Iterator[Parsed]:
    """Rows as records."""
    yield from enumerate(payload if isinstance(payload, list) else _rows(_plain(payload)), first + 1)


def _rows(batch: Any) -> list[Any]:
    """The rows of an Arrow batch as dictionaries; in the place of one that Python cannot hold, the error."""
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError) as error:  # text that is not UTF-8, a time beyond Python's
        if len(batch) == 1:
            try:
                return list(_plain(batch, all_times=True).to_pylist())
            except (ValueError, OverflowError):
                return [BadRecordError("unreadable row", str(error))]
        return [row for i in range(len(batch)) for row in _rows(batch.slice(i, 1))]


def _plain(batch: Any, all_times: bool = False) -> Any:
    """A batch in which times that Python would round, or all of them, are texts with every digit."""
    import pyarrow

    fields = list(batch.schema)
    types = [_plain_type(pyarrow.types, field.type, all_times) for field in fields]
    if all(kind == field.type for kind, field in zip(types, fields, strict=True)):
        return batch
    columns = [column if kind == column.type else column.cast(kind) for kind, column in zip(types, batch.columns, strict=True)]
    return pyarrow.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _plain_type(types: Any, kind: Any, all_times: bool) -> Any:
    import pyarrow

    is_time = types.is_timestamp(kind) or types.is_time(kind)
    if (all_times and (is_time or types.is_date(kind))) or (is_time and kind.unit == "ns"):
        return pyarrow.string()
    if types.is_duration(kind) and kind.unit == "ns":
        return pyarrow.int64()
    if types.is_float16(kind):
        return pyarrow.float32()
    if types.is_large_list(kind) or types.is_list(kind):
        inner = _plain_type(types, kind.value_type, all_times)
        return kind if inner == kind.value_type else (pyarrow.large_list if types.is_large_list(kind) else pyarrow.list_)(inner)
    if types.is_struct(kind):
        inner = [field.with_type(_plain_type(types, field.type, all_times)) for field in kind]
        return kind if all(a.type == b.type for a, b in zip(inner, kind, strict=True)) else pyarrow.struct(inner)
    return kind


# ---- Hugging Face ------------------------------------------------------------------------------------------------


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def saved_dataset(
    folder: str, exists: Callable[[str], bool] = os.path.exists, read: Callable[[str], bytes] = _content
) -> list[str] | None:
    """The Arrow files of a folder that ``save_to_disk`` wrote, of all its splits, in their order; None if it is none.

    Raises
    ------
    CorpusError
        A file that it lists is not there.
    """
    splits = os.path.join(folder, _SAVED_SPLITS)
    try:
        if exists(splits):
            names = json.loads(read(splits))["splits"]
            return [path for name in names for path in saved_dataset(os.path.join(folder, name), exists, read) or []]
        if not all(exists(os.path.join(folder, name)) for name in _SAVED):
            return None
        state = json.loads(read(os.path.join(folder, _SAVED[1])))
        paths = [os.path.join(folder, entry["filename"]) for entry in state["_data_files"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorpusError(
            f"{folder} looks like a dataset of save_to_disk, but its JSON files are damaged; save it again"
        ) from error
    missing = [path for path in paths if not exists(path)]
    if missing:
        raise CorpusError(f"{missing[0]} is missing, which {folder}/{_SAVED[1]} lists; save the dataset again")
    return paths


def read_hugging_face(source: Source, start: int, limit: int) -> Iterator[Chunk]:
    """Rows of a dataset, streamed."""
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
        for batch in rows.iter(ROWS):
            records = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
            size = sum(len(value) for record in records for value in record.values() if isinstance(value, str))
            yield Chunk(len(records), records, size, 0)
    except SuffixIndexError:
        raise
    except Exception as error:  # whatever the library raises: no such dataset, no network, a gated one
        raise CorpusError(f"{source.path} cannot be loaded: {type(error).__name__}: {error}") from error
