"""Task files and data sets of the Hugging Face hub -> records, each with its place for messages."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import zstandard

from analysis.errors import MissingDependencyError, TaskError

TEXT, TABLES = (".jsonl", ".json", ".csv"), (".parquet",)
PACKED = (".gz", ".zst")
FIRST_NAMED = 8


class Record(NamedTuple):
    """One record of a source: its fields, and where it stands."""

    fields: Mapping[str, Any]
    place: str
    """For messages: ``test.jsonl, record 3``, from 1."""
    stem: str
    """The file's name without its endings; the configuration of a hub's data set."""
    number: int
    """From 0 in its file."""

    def get(self, *names: str) -> Any:
        """The value of the first of several names that the record has.

        Raises
        ------
        TaskError
            It has none of them, or null there.
        """
        for name in names:
            if self.fields.get(name) is not None:
                return self.fields[name]
        raise TaskError(f"{self.place} has no field {' or '.join(map(repr, names))}; it has {', '.join(map(repr, self.fields))}")

    def text(self, *names: str) -> str:
        """As :meth:`get`, a text that is not empty, without white space around it."""
        value = self.get(*names)
        if not isinstance(value, str) or not value.strip():
            raise TaskError(f"{self.place}: {names[0]!r} is {value!r}: expected a text that is not empty")
        return value.strip()

    def texts(self, *names: str) -> list[str]:
        """As :meth:`get`, a list of texts."""
        value = self.get(*names)
        if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(part, str) for part in value):
            raise TaskError(f"{self.place}: {names[0]!r} is {value!r}: expected a list of texts")
        return list(value)


def read_records(
    source: Sequence[str | Path], split: str | None, columns: Sequence[str] = (), configurations: Sequence[str] = ()
) -> Iterator[Record]:
    """Records of files, folders and data sets of the hub, in order.

    Parameters
    ----------
    source
        Files (``.jsonl``, ``.json``, ``.csv``, each also ``.gz`` or ``.zst``; ``.parquet``), folders of such, or names of the
        hub, with a configuration after a colon where there are several: ``openai/gsm8k:main``.
    split
        Of a folder, the files whose name ends with it; of the hub, the split. A file that is named is read whatever it is called.
    columns
        What the fields of a ``.csv`` without a header are.
    configurations
        Of a name of the hub without one, those to read, one after the other.

    Raises
    ------
    TaskError
        Nothing there, no such split, or what is no record.
    """
    if not source:
        raise TaskError("a task needs a source: files, folders or names of the Hugging Face hub")
    for one in source:
        path = Path(one)
        if path.is_dir():
            for file in files_of(path, split):
                yield from _read_file(file, columns)
        elif path.exists():
            yield from _read_file(path, columns)
        elif _is_hub_name(str(one)):
            yield from _read_hub(str(one), split, configurations)
        else:
            raise TaskError(f"{one} does not exist: expected a file, a folder or a name of the Hugging Face hub (owner/name)")


def files_of(folder: Path, split: str | None) -> list[Path]:
    """The files of a folder that can be read, those of one split, by name.

    Raises
    ------
    TaskError
        There are none, or several splits and none is chosen.
    """
    files = sorted(file for file in folder.iterdir() if file.is_file() and _kind(file) in TEXT + TABLES)
    if not files:
        raise TaskError(f"{folder} holds no file that ends in {', '.join(TEXT + TABLES)}")
    splits = sorted({split_of(file) for file in files})
    if split is None:
        if len(splits) > 1:
            raise TaskError(f"{folder} holds the splits {', '.join(splits[:FIRST_NAMED])}: choose one of them")
        return files
    chosen = [file for file in files if split_of(file) == split]
    if not chosen:
        raise TaskError(f"{folder} holds no split {split!r}; it holds {', '.join(splits[:FIRST_NAMED])}")
    return chosen


def split_of(file: Path) -> str:
    """What a file's name says of its split: its last part after ``_`` or ``-``; ``train-00000-of-00004`` is of train."""
    stem = file.name.partition(".")[0]
    parts = [part for part in stem.replace("-", "_").split("_") if part and not part.isdigit() and part != "of"]
    return parts[-1] if parts else stem


def _kind(file: Path) -> str:
    suffixes = file.suffixes[:-1] if file.suffix in PACKED else file.suffixes
    return suffixes[-1].lower() if suffixes else ""


def _is_hub_name(name: str) -> bool:
    return not name.startswith((".", "/", "~")) and name.count("/") <= 1 and _kind(Path(name)) not in TEXT + TABLES


def open_text(file: Path) -> IO[str]:
    """A text file, packed or not, as UTF-8 with line ends as they are."""
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    if file.suffix == ".zst":
        return io.TextIOWrapper(io.BytesIO(_unpacked(file.read_bytes())), encoding="utf-8-sig", newline="")
    return open(file, encoding="utf-8-sig", newline="")


def _unpacked(packed: bytes) -> bytes:
    """The frames of a zstd file; the library's own reader takes a file that was cut for a shorter one."""
    parts = []
    while packed:
        frame = zstandard.ZstdDecompressor().decompressobj()
        parts.append(frame.decompress(packed))
        if not frame.eof:
            raise EOFError("it ends inside a frame, so it was cut: fetch it again")
        packed = frame.unused_data
    return b"".join(parts)


def _read_file(file: Path, columns: Sequence[str]) -> Iterator[Record]:
    kind, stem = _kind(file), file.name.partition(".")[0]
    if kind == ".parquet":
        import pyarrow.parquet as pq

        rows: Iterator[Any] = (row for batch in pq.ParquetFile(file).iter_batches() for row in batch.to_pylist())
    elif kind in TEXT:
        rows = _rows(file, kind, columns)
    else:
        raise TaskError(f"{file} is of no kind that is read: expected {', '.join(TEXT + TABLES)}")
    try:
        for number, row in enumerate(rows):
            place = f"{file.name}, record {number + 1}"
            if not isinstance(row, dict):
                raise TaskError(f"{place} is {type(row).__name__}: expected an object with fields")
            yield Record(row, place, stem, number)
    except (UnicodeDecodeError, EOFError, OSError, zlib.error, zstandard.ZstdError, csv.Error) as error:
        raise TaskError(f"{file} cannot be read: {error}") from error


def _rows(file: Path, kind: str, columns: Sequence[str]) -> Iterator[Any]:
    with open_text(file) as lines:
        if kind == ".csv":
            yield from _csv_rows(file, lines, columns)
        elif kind == ".json":
            try:
                content = json.load(lines)
            except json.JSONDecodeError as error:
                raise TaskError(f"{file} is not JSON: {error}") from None
            yield from content.get("Data", [content]) if isinstance(content, dict) else content
        else:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as error:
                    raise TaskError(f"{file.name}, line {number} is not JSON: {error}") from None


def _csv_rows(file: Path, lines: IO[str], columns: Sequence[str]) -> Iterator[dict[str, str]]:
    rows = csv.reader(lines)
    header = list(columns) or next(rows, [])
    for row in rows:
        if len(row) != len(header):
            raise TaskError(
                f"{file.name}, line {rows.line_num} has {len(row)} columns; expected the {len(header)} columns {', '.join(header)}"
            )
        yield dict(zip(header, row, strict=True))


def _read_hub(name: str, split: str | None, configurations: Sequence[str]) -> Iterator[Record]:
    try:
        import datasets
    except ImportError as error:
        raise MissingDependencyError(f"{name} is on the Hugging Face hub: pip install 'suffixindex[hf]' to read it") from error
    path, _, configuration = name.partition(":")
    named: list[str | None] = [configuration] if configuration else [*configurations] or [None]
    for one in named:
        try:
            rows = datasets.load_dataset(path, one, split=split or "test")
        except Exception as error:  # the library raises many kinds: no network, no such set, configuration or split
            raise TaskError(f"{path} cannot be loaded from the Hugging Face hub: {error}") from error
        for number, row in enumerate(rows):
            yield Record(row, f"{name}{'' if configuration or not one else ':' + one}, record {number + 1}", one or "", number)
