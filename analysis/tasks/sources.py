"""A task's source -> records: files, folders of files, and data sets of the Hugging Face hub."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.errors import MissingDependencyError, TaskError
from analysis.tasks.records import Record, RecordError, shown
from analysis.tasks.text_files import PACKED, lines_of, read_text

TEXT, TABLES = (".jsonl", ".json", ".csv", ".tsv"), (".parquet",)
SPLITS = frozenset({"train", "test", "dev", "val", "valid", "validation", "trial", "auxiliary_train"})
"""Names of splits that a file or a folder may have."""
FIRST_NAMED = 8

Entry = Record | RecordError
"""A record, or why there is none at this place: the reader decides whether that ends the task."""


def read_records(
    source: Sequence[str | Path],
    split: str | None,
    columns: Sequence[str] = (),
    configurations: Sequence[str] = (),
    hub_split: str = "test",
) -> Iterator[Entry]:
    """Records of files, folders and data sets of the hub, in order.

    Parameters
    ----------
    source
        Files (``.jsonl``, ``.json``, ``.csv``, ``.tsv``, each also packed; ``.parquet``), folders of such, or names of the hub,
        with a configuration after a colon where there are several: ``openai/gsm8k:main``.
    split
        Of a folder, the files of that split, see :func:`split_of`; of the hub, the split. A file that is named is read
        whatever it is called.
    columns
        What the fields of a ``.csv`` without a header are.
    configurations
        Of a name of the hub without one, those to read, one after the other.
    hub_split
        Of the hub, where no split is named: one that has answers.

    Raises
    ------
    TaskError
        Nothing there, no such split, or a file that cannot be read.
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
            yield from _read_hub(str(one), split or hub_split, configurations)
        else:
            raise TaskError(f"{one} does not exist: expected a file, a folder or a name of the Hugging Face hub (owner/name)")


def files_of(folder: Path, split: str | None) -> list[Path]:
    """The files of a folder that can be read, those of one split, by name; of a folder of folders, those in these.

    Raises
    ------
    TaskError
        There are none, or several splits and none is chosen, or several folders have files of the split.
    """
    files = _readable(folder.iterdir()) or _readable(folder.rglob("*"))
    if not files:
        raise TaskError(f"{folder} holds no file that ends in {', '.join(TEXT + TABLES)}")
    splits = sorted({split_of(file, folder) for file in files})
    if split is None and len(splits) > 1:
        raise TaskError(f"{folder} holds the splits {', '.join(splits[:FIRST_NAMED])}: choose one of them")
    chosen = [file for file in files if split is None or split_of(file, folder) == split]
    if not chosen:
        raise TaskError(f"{folder} holds no split {split!r}; it holds {', '.join(splits[:FIRST_NAMED])}")
    folders = sorted({str(file.parent.relative_to(folder)) for file in chosen})
    if len(folders) > 1:
        raise TaskError(f"{folder} has files of one split in {', '.join(folders[:FIRST_NAMED])}: name one of these folders")
    return chosen


def split_of(file: Path, folder: Path) -> str:
    """The split of a file of a folder: the last part of its name after ``_`` or ``-``, if that is the name of a split.

    ``train-00000-of-00004`` is of train. Else the folder that it lies in may be named as a split; else the last part is it.
    """
    stem = file.name.partition(".")[0]
    parts = [part for part in stem.replace("-", "_").split("_") if part and not part.isdigit() and part != "of"]
    last = parts[-1] if parts else stem
    if last in SPLITS:
        return last
    return next((name for name in reversed(file.relative_to(folder).parts[:-1]) if name in SPLITS), last)


def _readable(paths: Iterator[Path]) -> list[Path]:
    return sorted(file for file in paths if file.is_file() and not file.name.startswith(".") and kind_of(file) in TEXT + TABLES)


def kind_of(file: Path) -> str:
    """A file's ending, without that of its packing."""
    suffixes = file.suffixes[:-1] if file.suffix in PACKED else file.suffixes
    return suffixes[-1].lower() if suffixes else ""


def _is_hub_name(name: str) -> bool:
    return not name.startswith((".", "/", "~")) and name.count("/") <= 1 and kind_of(Path(name)) not in TEXT + TABLES


def _read_file(file: Path, columns: Sequence[str]) -> Iterator[Entry]:
    kind, stem = kind_of(file), file.name.partition(".")[0]
    if kind == ".parquet":
        rows = _parquet_rows(file)
    elif kind in (".csv", ".tsv"):
        rows = _csv_rows(file, "," if kind == ".csv" else "\t", columns)
    elif kind == ".json":
        rows = iter(_json_rows(file))
    elif kind == ".jsonl":
        rows = _jsonl_rows(file)
    else:
        raise TaskError(f"{file} is of no kind that is read: expected {', '.join(TEXT + TABLES)}")
    for number, row in enumerate(rows):
        place = f"{file.name}, record {number + 1}"
        if isinstance(row, RecordError):
            yield row
        elif not isinstance(row, Mapping):
            what = "null" if row is None else "list" if isinstance(row, list) else f"{type(row).__name__} {shown(row)}"
            yield RecordError(f"{place} is {what}: expected an object with fields")
        else:
            yield Record(row, place, stem, number)


def _parquet_rows(file: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(file).iter_batches():
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise TaskError(f"{file} cannot be read as Parquet: {error}") from error


def _jsonl_rows(file: Path) -> Iterator[Any]:
    for number, line in enumerate(lines_of(read_text(file)), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                yield RecordError(f"{file.name}, line {number} is not JSON: {error}")


def _json_rows(file: Path) -> Sequence[Any]:
    """An array of records, TriviaQA's object with an array ``Data``, or one record."""
    text = read_text(file)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{file} is not JSON: {error}; a file of one record a line is called .jsonl") from None
    rows = content.get("Data", [content]) if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise TaskError(f"{file} holds {type(rows).__name__} ({shown(rows)}): expected an array of records")
    return rows


def _csv_rows(file: Path, delimiter: str, columns: Sequence[str]) -> Iterator[dict[str, str] | RecordError]:
    """The rows that are not blank. A first row that repeats the names of ``columns`` is a header."""
    rows = csv.reader(io.StringIO(read_text(file), newline=""), delimiter=delimiter)  # line ends may belong to a cell
    header = list(columns)
    first = True
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if first and (not header or [cell.strip().lower() for cell in row] == [name.lower() for name in header]):
                header, first = header or row, False
                continue
            first = False
            if len(row) != len(header):
                yield RecordError(
                    f"{file.name}, line {rows.line_num} has {len(row)} columns; expected the {len(header)} columns "
                    f"{', '.join(header)}"
                )
            else:
                yield dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise TaskError(f"{file} cannot be read: line {rows.line_num}: {error}") from error


def _read_hub(name: str, split: str, configurations: Sequence[str]) -> Iterator[Entry]:
    try:
        import datasets
    except ImportError as error:
        raise MissingDependencyError(f"{name} is on the Hugging Face hub: pip install 'suffixindex[hf]' to read it") from error
    path, _, configuration = name.partition(":")
    named: list[str | None] = [configuration] if configuration else [*configurations] or [None]
    for one in named:
        try:
            rows = datasets.load_dataset(path, one, split=split)
        except Exception as error:  # the library raises many kinds: no network, no such set, configuration or split
            what = f"{path}, split {split}, cannot be loaded from the Hugging Face hub: {error}"
            raise TaskError(f"{what}; its files, once fetched, can be named instead") from error
        for number, row in enumerate(rows):
            yield Record(row, f"{name}{'' if configuration or not one else ':' + one}, record {number + 1}", one or "", number)
