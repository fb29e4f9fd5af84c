"""What reading costs and where it ends: bombs, long lines, many tiny records, files that change, indexes in a corpus."""

import gzip
import json
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

import suffixindex as si
from suffixindex.corpus import lines, streams
from suffixindex.corpus.readers import RecordOptions, parse, read_records
from suffixindex.corpus.records import Source
from suffixindex.corpus.sources import resolve
from tests.helpers.reading import as_rows, jsonl, read

LIMIT = 1 << 16


def texts_within(path: Path, input_format: str = "auto", on_error: str = "skip") -> tuple[list[Any], dict[str, int]]:
    sources = resolve([path], input_format)
    documents = parse(list(read_records(sources, limit=LIMIT)), sources, RecordOptions(on_error=on_error, record_bytes=LIMIT))
    return documents.texts, dict(documents.skipped)


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# ---- memory ------------------------------------------------------------------------------------------------------


def test_a_record_costs_some_hundred_bytes_and_not_orjsons_buffer(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": ""}\n' * 20_000)
    sources = resolve([path])
    pieces = list(read_records(sources))
    kept: list[Any] = []
    assert peak_of(lambda: kept.append(parse(pieces, sources, RecordOptions()))) < 20_000 * 600
    assert len(kept[0].metadata) == 20_000


def test_many_tiny_records_are_parsed_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINES", 100)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "e"}\n\n' * 500)
    pieces = list(read_records(resolve([path])))
    assert [piece.num_records for piece in pieces] == [100] * 10
    assert [row.line for row in as_rows(read(path))] == list(range(1, 1000, 2))


@pytest.mark.parametrize("kind", ["gz", "zst", "zst of one frame"])
@pytest.mark.parametrize("content", ["one line", "a text", pytest.param("many lines", marks=pytest.mark.long)])
def test_a_bomb_is_unpacked_in_steps(tmp_path: Path, kind: str, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 64 << 20
    unit = b'{"text": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}\n' if content == "many lines" else b"a" * 64
    whole = unit * (size // 64)
    packed = gzip.compress(whole) if kind == "gz" else zstandard.ZstdCompressor().compress(whole)
    path = tmp_path / ("a.txt" if content == "a text" else "a.jsonl")
    path.write_bytes(packed)
    del whole
    assert len(packed) < size // 100
    sources = resolve([path])
    found = 0

    def count() -> None:
        nonlocal found
        for piece in read_records(sources, limit=LIMIT):
            found += len(parse([piece], sources, RecordOptions(on_error="skip", record_bytes=LIMIT)).texts)

    assert peak_of(count) < 20 << 20
    assert found == (size // 64 if content == "many lines" else 0)


@pytest.mark.parametrize(
    ("name", "before", "huge", "after"),
    [
        ("a.jsonl", b'{"text": "one"}\n', b'{"text": "%s"}\n', b'{"text": "two"}\n'),
        ("a.json", b'[{"text": "one"},', b'{"text": "%s"}', b',{"text": "two"}]'),
        ("b.json", b'[\n{"text": "one"},\n', b'{"text":\n "%s"}', b',\n{"text": "two"}]'),
        ("c.json", b'[{"text": "one"},', b'{"text": "x", "a": [%s]}', b',{"text": "two"}]'),
        ("a.csv", b"id,text\n1,one\n", b'2,"%s"\n', b"3,two\n"),
        ("a.tsv", b"id\ttext\n1\tone\n", b"2\t%s\n", b"3\ttwo\n"),
    ],
)
@pytest.mark.parametrize("size", [2 * LIMIT, 5 << 20])
def test_a_record_larger_than_the_limit_is_an_error_of_its_own(
    tmp_path: Path, name: str, before: bytes, huge: bytes, after: bytes, size: int
) -> None:
    path = tmp_path / name
    filler = b"1," * (size // 2) + b"1" if b"[%s]" in huge else b"x" * size
    path.write_bytes(before + huge % filler + after)
    assert texts_within(path) == (["one", "two"], {"too large": 1})
    sentence = r"line \d: too large: .* bytes and more, expected at most 65,536 \(--memory raises it\)"
    with pytest.raises(si.CorpusError, match=sentence):
        texts_within(path, on_error="raise")


def test_rows_and_ids_larger_than_the_limit(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.table({"text": ["one", "x" * 2 * LIMIT, "two"]}), tmp_path / "a.parquet")
    assert texts_within(tmp_path / "a.parquet") == (["one", "two"], {"too large": 1})
    np.array([1, 0, *[2] * LIMIT, 0, 3, 0], "<u2").tofile(tmp_path / "a.u16")
    sources = resolve([tmp_path / "a.u16"], "u16", separator=0)
    documents = parse(list(read_records(sources, limit=LIMIT)), sources, RecordOptions(on_error="skip"))
    assert [ids.tolist() for ids in documents.texts] == [[1], [3]] and documents.skipped == {"too large": 1}


def test_a_document_longer_than_a_shard_is_passed_over_as_advised(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl([{"text": "one"}, {"text": "x" * 50}, {"text": "two"}]))
    with pytest.raises(si.BuildError, match="or pass over it with --on-error skip"):
        si.build(path, tmp_path / "index", tokenizer="bytes", shard_tokens=20, progress=False)
    report = si.build(path, tmp_path / "index", tokenizer="bytes", shard_tokens=20, on_error="skip", restart=True, progress=False)
    assert (report.num_documents, report.skipped) == (2, {"longer than a shard": 1})
    with si.open(tmp_path / "index") as index:
        assert [(index.document(i).line, index.document(i).token_ids.tobytes()) for i in (0, 1)] == [(1, b"one"), (3, b"two")]


def test_frames_of_every_kind_of_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw, repeated and compressed blocks, checksums, several frames, cut anywhere by reading."""
    random = np.random.default_rng(0).bytes(300_000).hex().encode()
    whole = random + b"a" * 400_000 + b"the cat " * 50_000 + random[:10]
    for level, checksum, size in ((1, True, True), (19, False, False), (3, True, False)):
        packer = zstandard.ZstdCompressor(level, write_checksum=checksum, write_content_size=size)
        packed = packer.compress(whole) + packer.compress(b"") + packer.compress(whole[:70])
        for block in (1, 7, 1000, 1 << 17):
            monkeypatch.setattr(streams, "COMPRESSED_BYTES", block if block > 7 else 7 * block)
            (tmp_path / "a.zst").write_bytes(packed)
            with open(tmp_path / "a.zst", "rb") as file:
                assert streams.ZstandardStream(file).read() == whole + whole[:70]


# ---- a source that changes ---------------------------------------------------------------------------------------


def _replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    os.replace(other, path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "cut short": lambda path: os.truncate(path, path.stat().st_size // 2),
    "grown": lambda path: path.open("ab").write(b'{"text": "more"}\n'),
    "rewritten": lambda path: path.write_bytes(path.read_bytes()),
    "replaced": _replaced,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.csv", "a.zip", "a.txt"])
def test_a_source_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, change: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import zipfile

    records = [{"text": f"{i} {os.urandom(20).hex()}"} for i in range(200)]
    content = jsonl(records)
    if name == "a.csv":
        content = b"text\n" + b"".join(record["text"].encode() + b"\n" for record in records)
    if name == "a.json":
        content = json.dumps(records, indent=1).encode()
    if name == "a.zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.jsonl", content)
        content = file.getvalue()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    os.utime(path, ns=(1, 1))
    monkeypatch.setattr(lines, "READ_BYTES", 500)
    sources = resolve([path])
    if name == "a.zip" and change in ("cut short", "grown"):
        pytest.skip("its directory at its end is gone")
    pieces = read_records(sources)
    next(pieces, None)
    if change == "replaced" and name in ("a.zip", "a.csv", "a.json", "a.txt"):
        pieces = read_records(sources)  # it is read at once: replaced before, with another time
        os.utime(path, ns=(2, 2))
    CHANGES[change](path)
    with pytest.raises(si.CorpusError, match=rf"{name}( changed while it was read|: the compressed file is cut short)"):
        for _ in pieces:
            pass


def test_parquet_and_ids_that_change(tmp_path: Path) -> None:
    path = tmp_path / "a.u16"
    np.arange(2_000_000, dtype="<u2").tofile(path)
    pieces = read_records(resolve([path], "u16", separator=7))
    next(pieces)
    os.truncate(path, 10)
    with pytest.raises(si.CorpusError, match=r"a\.u16 changed while it was read \(4,000,000 bytes then, 10 now\).*--restart"):
        list(pieces)


def test_after_a_change_the_advised_command_ends_in_an_index(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl([{"text": "one"}]))
    stale = Source(str(path), "jsonl", path.stat().st_size, 1)
    with pytest.raises(si.CorpusError, match="run the build again with --restart"):
        list(read_records([stale]))
    assert si.build(path, tmp_path / "index", tokenizer="bytes", restart=True, progress=False).num_documents == 1


# ---- indexes in a corpus -----------------------------------------------------------------------------------------


def test_an_index_is_no_part_of_a_corpus(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"text": "one"}]))
    si.build(tmp_path, tmp_path / "my-index", tokenizer="words", progress=False)
    assert (tmp_path / "my-index" / "vocabulary.txt").exists()
    other = tmp_path / "v4_other"
    other.mkdir()
    for name in ("tokenized.0", "table.0", "offset.0", "note.txt"):
        (other / name).write_bytes(b"text")
    for inputs in ([tmp_path], [f"{tmp_path}/**/*.*"], [tmp_path / "a.jsonl", tmp_path / "my-index" / "sources.jsonl"]):
        caplog.clear()
        assert [Path(source.path).name for source in resolve(inputs)] == ["a.jsonl"]
        (said,) = [record.message for record in caplog.records if "an index is no part of a corpus" in record.message]
        assert f"{tmp_path}/my-index" in said
    with pytest.raises(si.CorpusError, match=rf"{tmp_path}/my-index is an index, name what it was built of"):
        resolve([tmp_path / "my-index"])


@pytest.mark.parametrize("left", ["build.lock", "build.json build.lock", "build.json sources.jsonl vocabulary.txt shards"])
def test_a_build_that_was_killed_is_no_part_of_a_corpus(tmp_path: Path, left: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"text": "one"}]))
    before = resolve([tmp_path])
    (tmp_path / "my-index").mkdir()
    for name in left.split():
        if name == "shards":
            (tmp_path / "my-index" / name / "00000").mkdir(parents=True)
            (tmp_path / "my-index" / name / "00000" / "metadata.jsonl").write_bytes(jsonl([{"text": "no"}]))
        else:
            (tmp_path / "my-index" / name).write_text("{}")
    assert resolve([tmp_path]) == before


@pytest.mark.parametrize("stored", ["dictionary", "prefixes", "nested", "arrow dictionary", "arrow views", "arrow runs"])
def test_a_value_that_is_stored_once_for_many_rows_is_unpacked_for_few_at_a_time(tmp_path: Path, stored: str) -> None:
    """A file of some kB whose rows are GiB, as a repeated text makes one of a Parquet file."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    text, rows = "x" * 20_000, 50
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, "int32"), pa.array([text]))
    path = tmp_path / ("a.arrow" if stored.startswith("arrow") else "a.parquet")
    if stored == "arrow views":
        views = struct.pack("<i4sii", len(text), b"xxxx", 0, 0) * rows
        column = pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(views), pa.py_buffer(text.encode())])
    if stored == "arrow runs":
        column = pa.RunEndEncodedArray.from_arrays(pa.array([rows], "int32"), pa.array([text]))
    table = pa.table({"text": column})
    if stored.startswith("arrow"):
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    elif stored == "prefixes":
        plain = table.cast(pa.schema({"text": pa.string()}))
        pyarrow.parquet.write_table(plain, path, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"})
    elif stored == "nested":
        inner = pa.StructArray.from_arrays([column.cast(pa.string())], ["text"])
        pyarrow.parquet.write_table(pa.table({"text": pa.array(["a"] * rows), "meta": inner}), path)
    else:
        pyarrow.parquet.write_table(table, path, store_schema=False)
    sources = resolve([path])
    pieces = list(read_records(sources, limit=LIMIT))
    assert max(piece.num_records for piece in pieces) * len(text) <= LIMIT
    documents = parse(pieces, sources, RecordOptions(text_field="meta.text" if stored == "nested" else "text"))
    assert documents.texts == [text] * rows


def test_an_archive_s_member_without_a_name(tmp_path: Path) -> None:
    """Python writes none, and fails on one."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", '{"text": "a"}\n')
    content = bytearray(path.read_bytes())
    listed = content.index(b"PK\x01\x02")
    content[listed + 28 : listed + 30] = b"\0\0"  # the length of the name, whose byte becomes a comment's
    content[listed + 32 : listed + 34] = b"\1\0"
    path.write_bytes(content)
    with pytest.raises(si.CorpusError, match=r"a\.zip: a member has no name: the archive is damaged"):
        si.build(path, tmp_path / "index", tokenizer="bytes", progress=False)
