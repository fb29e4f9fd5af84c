"""Documents written and read without the package, for what the package reads to be compared with."""

import gzip
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

from suffixindex.corpus.readers import Documents, RecordOptions, parse, read_records
from suffixindex.corpus.sources import resolve


class Row(NamedTuple):
    """A document as an independent reading finds it."""

    text: str
    path: str
    line: int
    metadata: dict[str, Any]


def pack(content: bytes, name: str) -> bytes:
    """Compress as the name says; .zst in several frames with an empty one among them, .gz in two members."""
    half = len(content) // 2
    if name.endswith(".gz"):
        return gzip.compress(content[:half]) + gzip.compress(content[half:])
    if name.endswith(".zst"):
        parts = [content[:half], b"", content[half : half + 7], content[half + 7 :]]
        return b"".join(zstandard.ZstdCompressor().compress(part) for part in parts)
    return content


def unpack(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(path.read_bytes()), read_across_frames=True) as stream:
            return stream.read()
    return path.read_bytes()


def rows_of(path: Path, text_field: str = "text") -> list[Row]:
    """Read a file of records the slow way."""
    if path.suffix == ".parquet":
        import pyarrow.parquet

        records = pyarrow.parquet.read_table(path).to_pylist()
        numbered = list(enumerate(records, 1))
    else:
        lines = unpack(path).decode("utf-8-sig").split("\n")
        numbered = [(number, json.loads(line)) for number, line in enumerate(lines, 1) if line.strip()]
    return [Row(record.pop(text_field), str(path), number, record) for number, record in numbered]


def read(inputs: Any, input_format: str = "auto", **options: Any) -> Documents:
    """Read with the package, without building."""
    sources = resolve([inputs] if isinstance(inputs, (str, Path)) else inputs, input_format)
    return parse(list(read_records(sources)), sources, RecordOptions(**options))


def as_rows(documents: Documents) -> list[Row]:
    kept = [json.loads(line) for line in documents.metadata]
    return [
        Row(text, record["path"], record["line"], record["metadata"]) for text, record in zip(documents.texts, kept, strict=True)
    ]


def jsonl(records: list[Any]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


RECORDS: list[Any] = [
    {"text": "The quick brown fox", "id": 1},
    {"text": "", "id": "an empty document"},
    {"text": "Zwölf Boxkämpfer 𝄞 \u2028 in one line", "nested": {"a": [1, 2, None]}},
    {"text": 'escapes \n \t " \\ \x00', "flag": True, "score": 0.25},
    {"text": "long " * 5000},
    {"text": "last"},
]
