"""Kinds of files: known by content, read by every framing, refused by name, with advice that then works."""

import bz2
import csv
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.corpus import delimited, json_values
from suffixindex.corpus.readers import RecordOptions, parse, read_records
from suffixindex.corpus.sources import resolve
from tests.helpers.reading import as_rows, jsonl, read

RECORDS = [{"text": "the cat", "n": 1}, {"text": "a dog; \n it's", "n": 2}, {"text": "", "n": 3}, {"text": "último ∞", "n": 4}]
TEXTS = [record["text"] for record in RECORDS]
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor().compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


# ---- known by their content --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.ndjson.xz"])
def test_what_is_compressed_is_unpacked_whatever_its_name(tmp_path: Path, kind: str, name: str) -> None:
    content = jsonl(RECORDS)
    path = tmp_path / name
    path.write_bytes(PACKERS[kind](content[:40]) + PACKERS[kind](content[40:]))
    assert read(path).texts == TEXTS
    path.write_bytes(gzip.compress(PACKERS[kind](content)))
    assert read(path).texts == TEXTS
    path.write_bytes(content)
    assert read(path).texts == TEXTS


@pytest.mark.parametrize("kind", PACKERS)
def test_a_stream_that_is_cut_short_or_damaged_is_refused(tmp_path: Path, kind: str) -> None:
    whole = PACKERS[kind](jsonl([{"text": np.random.default_rng(0).bytes(300).hex()}] * 300))
    path = tmp_path / "a.jsonl"
    damaged = [whole[:-9], whole[: len(whole) // 2]]
    for content in damaged if kind == "zst" else [*damaged, whole[:60] + bytes(20) + whole[80:]]:  # it had no checksum
        path.write_bytes(content)
        with pytest.raises(si.CorpusError, match=r"a\.jsonl: the compressed file is cut short or damaged"):
            read(path)


def saved(write: Callable[[Any], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


CONTAINERS = {
    "7z": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(40),
    "RAR": b"Rar!\x1a\x07\x01\0" + bytes(40),
    "lz4": b"\x04\x22\x4d\x18\x64" + bytes(40),
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "SQLite": b"",
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(40),
    "npz": saved(lambda file: np.savez(file, a=np.arange(3))),
    "pickle": pickle.dumps({"text": ["a"]}),
    "ELF": b"\x7fELF\x02\x01\x01" + bytes(40),
    "PNG": b"\x89PNG\r\n\x1a\n" + bytes(40),
    "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "GIF": b"GIF89a\x01\0\x01\0",
    "office": zipped({"[Content_Types].xml": b"<a/>", "word/document.xml": b"<a/>"}),
    "Avro": b"Obj\x01\x04\x16avro.schema\xff\0",
    "ORC": b"ORC\x11\0\0\xff" + bytes(20),
}


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.npy", "a.zip", "a"])
def test_other_containers_are_refused_by_name(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(CONTAINERS[kind])
    if kind == "SQLite":
        path.unlink()
        with sqlite3.connect(path) as database:
            database.execute("create table a (text)")
    with pytest.raises(si.CorpusError, match=rf"{name} is an? .*, and no corpus: \w+|is lz4, and no corpus: unpack") as caught:
        read(path)
    assert kind in str(caught.value)
    with pytest.raises(si.CorpusError, match="and no corpus"):
        read(path, "text")


def test_text_that_begins_like_a_container_is_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for content in ("ORCHARDS are fine", "PACKING list", "GIF89a is a format", "LZIP", "BZh is bzip2", "MZ", "ustar", "070701"):
        path.write_text(content)
        assert read(path).texts == [content]


def test_parquet_and_arrow_whatever_their_names(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.feather
    import pyarrow.parquet

    table = pa.table({"text": TEXTS, "n": [1, 2, 3, 4]})
    pyarrow.parquet.write_table(table, tmp_path / "a.jsonl")
    pyarrow.feather.write_feather(table, tmp_path / "b.txt")
    with pa.OSFile(str(tmp_path / "c.data"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    for name in ("a.jsonl", "b.txt", "c.data"):
        assert [(row.text, row.line, row.metadata) for row in as_rows(read(tmp_path / name))] == [
            (record["text"], line, {"n": line}) for line, record in enumerate(RECORDS, 1)
        ]
    with pytest.raises(si.CorpusError, match=r"is Parquet, expected JSON lines: leave out --input-format"):
        read(tmp_path / "a.jsonl", "jsonl")


@pytest.mark.parametrize("pack", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst"])
def test_members_of_archives_are_read(tmp_path: Path, pack: str, caplog: pytest.LogCaptureFixture) -> None:
    members = {
        "b/a.jsonl": jsonl(RECORDS),
        "a.txt": b"plain\r\ntext",
        "b/.hidden.txt": b"hidden",
        "c.csv": b"text,n\nrow,1\n",
        "d.jsonl.gz": gzip.compress(jsonl(RECORDS[:1])),
        "image.png": CONTAINERS["PNG"],
    }
    content = zipped(members) if pack == "zip" else tarred(members)
    path = tmp_path / f"x.{pack}"
    path.write_bytes(PACKERS[pack[4:]](content) if pack[4:] else content)
    found = as_rows(read(path))
    assert [row.text for row in found] == [*TEXTS, "plain\r\ntext", "row", TEXTS[0]]
    assert [(row.path, row.line) for row in found[3:]] == [
        (f"{path}/b/a.jsonl", 4),
        (f"{path}/a.txt", 1),
        (f"{path}/c.csv", 2),
        (f"{path}/d.jsonl.gz", 1),
    ]
    assert "passed over 2 members of no known kind" in caplog.text
    sources = resolve([path])
    everything = list(read_records(sources))
    for start in range(7):
        rest = parse(list(read_records(sources, (0, start))), sources, RecordOptions())
        assert rest.texts == [row.text for row in found][start if start < 5 else start - (start > 5) :] or start >= 4
    assert sum(piece.num_records for piece in everything) == 7
    report = si.build(path, tmp_path / "index", tokenizer="bytes", progress=False)
    assert report.num_documents == 7


def test_archives_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a.bin": b"\0"}))
    with pytest.raises(si.CorpusError, match=r"holds no member of a known kind \(1 \.bin\): name what its members are"):
        read(path)
    assert read(path, "text").texts == ["\0"]
    path.write_bytes(zipped({"a.txt": b"text" * 100})[:-30])
    with pytest.raises(si.CorpusError, match="damaged zip file"):
        read(path)
    path.write_bytes(tarred({"a.txt": b"text" * 1000})[:1500])
    with pytest.raises(si.CorpusError, match=r"damaged tar file|cut short"):
        read(path)


# ---- unknown kinds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["strange.bin", "data", "part-00001", "a.dat", "a.log.1"])
def test_an_unknown_ending_is_refused_until_its_kind_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(jsonl(RECORDS))
    with pytest.raises(si.CorpusError, match=rf"{name}: .* does not say what it is: name it with --input-format"):
        si.build(path, tmp_path / "index", tokenizer="bytes", progress=False)
    assert read(path, "jsonl").texts == TEXTS
    assert len(read(path, "lines").texts) == 4 and len(read(path, "text").texts) == 1
    assert si.build(path, tmp_path / "index", tokenizer="bytes", input_format="jsonl", progress=False).num_documents == 4


def test_a_file_with_nuls_is_no_text_until_it_is_named_so(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("text".encode("utf-16-le"))
    with pytest.raises(si.CorpusError, match=r"a\.txt is no text: it has a NUL at byte 1; if it is UTF-16 .* --input-format"):
        read(path)
    assert read(path, "text").texts == ["t\0e\0x\0t\0"]


def write_csv(rows: list[dict[str, str]], delimiter: str = ",", end: str = "\r\n", quoting: Any = csv.QUOTE_MINIMAL) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


cells = st.text(st.sampled_from('a,;\t"\n é'), max_size=8)


@given(
    rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=6),
    kind=st.sampled_from([(".csv", ","), (".csv", ";"), (".tsv", "\t")]),
    end=st.sampled_from(["\n", "\r\n"]),
    block=st.integers(1, 30),
    mark=st.booleans(),
)
def test_csv_and_tsv_say_what_pythons_own_reader_says(
    new_folder: Callable[[], Path], rows: list[tuple[str, str]], kind: tuple[str, str], end: str, block: int, mark: bool
) -> None:
    ending, delimiter = kind
    records = [{"id": a, "text": b} for a, b in rows]
    folder = new_folder()
    folder.mkdir()
    path = folder / f"a{ending}"
    path.write_bytes(
        b"\xef\xbb\xbf" * mark + write_csv(records, delimiter, end, csv.QUOTE_ALL if rows[0][0] == "a" else csv.QUOTE_MINIMAL)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "READ_BYTES", block)
        patch.setattr(delimited, "CHUNK_ROWS", 2)
        found = as_rows(read(path))
        sources = resolve([path])
        for start in range(len(rows) + 1):
            assert parse(list(read_records(sources, (0, start))), sources, RecordOptions()).texts == [b for _, b in rows[start:]]
    assert [(row.metadata["id"], row.text) for row in found] == rows


def test_a_csv_is_no_document_and_its_columns_are_fields(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'id,body\n1,"the cat, ""he"" sat\non it"\n\n2,b\n')
    assert [tuple(row) for row in as_rows(read(path, text_field="body"))] == [
        ('the cat, "he" sat\non it', str(path), 2, {"id": "1"}),
        ("b", str(path), 5, {"id": "2"}),
    ]
    with pytest.raises(si.CorpusError, match=r"t\.csv, line 2: no field 'text': the record has id, body \(--text-field"):
        read(path)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b'3,"not closed', "a quote that is not closed"),
        (b"3", "another number of fields"),
        (b"3,a,b", "another number of fields"),
        (b'3,"a" b', "malformed row"),
        (b"3,caf\xe9", "not UTF-8"),
    ],
)
def test_a_bad_row_is_named_and_takes_no_other_with_it(tmp_path: Path, row: bytes, reason: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"id,text\n1,one\n" + row + b"\n4,four\n5,five\n")
    with pytest.raises(si.CorpusError, match=rf"t\.csv, line 3: {reason}: .*; mend it, or pass over"):
        read(path)
    documents = read(path, on_error="skip")
    assert (documents.texts, dict(documents.skipped)) == (["one", "four", "five"], {reason: 1})


def test_a_bad_header_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"text,a,a\n1,2,3\n")
    with pytest.raises(si.CorpusError, match=r"t\.csv, line 1: the header: the column 'a' is named twice"):
        read(path)


def test_tsv_without_quoting(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_bytes(b'id\ttext\n1\t"Hello" he said\n2\t5" wide\n3\t"\n4\tlast\n')
    assert read(path).texts == ['"Hello" he said', '5" wide', '"', "last"]


# ---- framings of JSON --------------------------------------------------------------------------------------------

FRAMINGS: dict[str, Callable[[list[Any]], str]] = {
    "an array": json.dumps,
    "a pretty array": lambda records: json.dumps(records, indent=2),
    "an array with an element a line": lambda records: "[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n",
    "pretty records": lambda records: "\n".join(json.dumps(record, indent=1) for record in records),
    "records one after the other": lambda records: "".join(json.dumps(record, ensure_ascii=False) for record in records),
    "records with spaces between": lambda records: " ".join(map(json.dumps, records)),
    "a text sequence": lambda records: "".join(f"\x1e{json.dumps(record)}\n" for record in records),
    "arrays one after the other": lambda records: "\n".join(json.dumps([record]) for record in records),
}
texts = st.text(st.sampled_from('a"\\[]{}, \n:é'), max_size=8)


nested = st.recursive(texts, lambda inner: st.lists(inner, max_size=2))


@given(
    framing=st.sampled_from(sorted(FRAMINGS)),
    records=st.lists(st.fixed_dictionaries({"text": texts, "m": nested}), min_size=1, max_size=4),
    block=st.integers(1, 40),
    name=st.sampled_from(["a.json", "a.jsonl"]),
)
def test_records_in_every_framing(new_folder: Callable[[], Path], framing: str, records: list[Any], block: int, name: str) -> None:
    folder = new_folder()
    folder.mkdir()
    path = folder / name
    path.write_text("\ufeff" * (block % 2) + FRAMINGS[framing](records), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_values, "READ_BYTES", block)
        patch.setattr(json_values, "CHUNK_VALUES", 2)
        found = as_rows(read(path))
    assert [{"text": row.text, **row.metadata} for row in found] == records


def test_lines_of_framed_records_are_where_they_begin(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n  {\n    "text": "one"\n  },\n\n  {"text": "two"}, {\n "text": "three"}\n]')
    assert [(row.text, row.line) for row in as_rows(read(path))] == [("one", 2), ("two", 6), ("three", 6)]


def test_skip_loses_nothing_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n{"text": "one"},\n{"text": two},\n"three", 4,\n{"text": "five"},\n{"text": "six}\n,{"text": "seven"}]')
    documents = read(path, on_error="skip")
    assert documents.texts[:2] == ["one", "five"]
    path.write_text('{"text": "one"} {"text": "two"}\n{"text": "three"\n{"text": "four"}\n')
    documents = read(path, on_error="skip")
    assert (documents.texts, dict(documents.skipped)) == (["one", "two", "four"], {"malformed JSON": 1})


def test_an_array_that_is_not_closed_is_an_error_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"text": "one"},\n{"text": "two"}')
    with pytest.raises(si.CorpusError, match=r"line 2: an array that is not closed: it begins on line 1; fetch the file again"):
        read(path)
    assert read(path, on_error="skip").texts == ["one", "two"]


def test_records_inside_a_field_are_named_and_the_advice_works(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"version": 1, "data": RECORDS}))
    with pytest.raises(si.CorpusError, match=r"field 'data' holds 4 records: write those one a line, as jq -c '\.data\[\]' does"):
        read(path)
    (tmp_path / "b.jsonl").write_bytes(jsonl(json.loads(path.read_text())["data"]))
    assert read(tmp_path / "b.jsonl").texts == TEXTS


def test_a_pipe_is_known_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (json.dumps(RECORDS).encode(), gzip.compress(jsonl(RECORDS)), jsonl(RECORDS).decode().encode("utf-16")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert read("-").texts == TEXTS
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\x93NUMPY\x01\0")))
    with pytest.raises(si.CorpusError, match="expected JSON lines"):
        read("-")


# ---- fields ------------------------------------------------------------------------------------------------------


def test_a_dotted_text_field(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl([{"meta": {"body": "one", "url": "u"}, "n": 1}, {"meta.body": "two", "meta": {"body": "other"}}]))
    assert [(row.text, row.metadata) for row in as_rows(read(path, text_field="meta.body"))] == [
        ("one", {"meta": {"url": "u"}, "n": 1}),
        ("two", {"meta": {"body": "other"}}),
    ]
    with pytest.raises(si.CorpusError, match=r"field 'meta' is no text: found dict, a record; --text-field names .*: meta\.body"):
        read(path, text_field="meta")


def test_folders_name_fields_as_hive_does(tmp_path: Path) -> None:
    folder = tmp_path / "year=2020" / "lang=pt%20br"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_bytes(jsonl([{"text": "one"}, {"text": "two", "year": 1999}]))
    assert [row.metadata for row in as_rows(read(tmp_path))] == [{"year": 2020, "lang": "pt br"}, {"year": 1999, "lang": "pt br"}]
    si.build(tmp_path, tmp_path / "index", tokenizer="words", progress=False)
    with si.open(tmp_path / "index") as index:
        assert index.count("one", where={"year": 2020}) == 1


def test_parquet_text_of_every_string_type(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    kinds = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.dictionary(pa.int8(), pa.string())]
    kinds += [pa.string_view()] if hasattr(pa, "string_view") else []
    path = tmp_path / "a"
    for kind in kinds:
        table = pa.table({"text": pa.array(["é", "b"]).cast(kind)})
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        assert read(path).texts == ["é", "b"], kind
        pyarrow.parquet.write_table(table, path)
        assert read(path).texts == ["é", "b"], kind


def test_a_dataset_that_save_to_disk_wrote(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_list([{"text": f"document {i}", "n": i} for i in range(5)])
    datasets.disable_progress_bars()
    data.save_to_disk(tmp_path / "one", num_shards=2)
    datasets.DatasetDict({"train": data, "test": data.select([0])}).save_to_disk(tmp_path / "two")
    assert read(tmp_path / "one").texts == [f"document {i}" for i in range(5)]
    assert len(read(tmp_path / "two").texts) == 6
    assert len(read(tmp_path / "two" / "test").texts) == 1


# ---- ids ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<u4", "<i8", "i1", ">i4"])
def test_npy_is_read_and_not_its_header(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "x.npy", np.array([1, 2, 0, 0, 3, 100, 0], dtype))
    for kind in ("auto", "npy", "u16"):
        folder = tmp_path / f"index-{kind}"
        si.build(
            tmp_path / "x.npy", folder, tokenizer="none", input_format=kind, separator=0, memory="1GiB", threads=1, progress=False
        )
        with si.open(folder) as index:
            assert [index.document(i).token_ids.tolist() for i in range(index.num_documents)] == [[1, 2], [], [3, 100]]


def test_npy_that_holds_no_ids_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    for array, message in (
        (np.zeros(3), "an array of float64, expected integers"),
        (np.zeros((2, 3), "u2"), r"of the shape \[2, 3\], expected one dimension"),
        (np.array(["a"]), "expected integers"),
        (np.array([{}]), "expected integers"),
    ):
        np.save(path, array, allow_pickle=True)
        with pytest.raises(si.CorpusError, match=message):
            si.build(path, tmp_path / "index", tokenizer="none", progress=False)
    np.save(path, np.arange(9, dtype="u2"))
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(si.CorpusError, match=r"x\.npy has 16 bytes of ids, expected 18"):
        si.build(path, tmp_path / "index", tokenizer="none", progress=False)
    np.save(path, np.array([1, -2]))
    with pytest.raises(si.CorpusError, match="holds the id -2"):
        si.build(path, tmp_path / "index", tokenizer="none", progress=False)


def test_a_wrong_width_names_size_multiple_and_the_likely_one(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(np.array([1, 2, 3], "<u2").tobytes())
    with pytest.raises(si.CorpusError, match=r"6 bytes, expected a multiple of 4 \(u32\): .* as u16 \(--input-format u16\)"):
        si.build(path, tmp_path / "index", tokenizer="none", input_format="u32", progress=False)
    assert si.build(path, tmp_path / "index", tokenizer="none", input_format="u16", memory="1GiB", progress=False).num_tokens == 3
    path.write_bytes(b"abc")
    with pytest.raises(si.CorpusError, match=r"3 bytes, expected a multiple of 2 \(u16\): .* as u8"):
        resolve([path], "u16")


@pytest.mark.parametrize("kind", ["gz", "zst", "xz", "bz2"])
def test_ids_that_are_compressed_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.u16"
    path.write_bytes(PACKERS[kind](np.arange(2000, dtype="<u2").tobytes()))
    with pytest.raises(si.CorpusError, match=r"is compressed \(\w+\), which is not read of u16: unpack it first"):
        resolve([path], "u16")


def test_ids_may_begin_with_anything(tmp_path: Path) -> None:
    path = tmp_path / "x.u8"
    for begin in (b"\x1f\x8b\x08", b"\xff\xd8\xff", b"\x80\x04", b"BZh91AY&SY", b"{", b"MZ\x90\0", b"\x28\xb5\x2f\xfd"):
        path.write_bytes(begin + bytes(range(200)))
        assert [len(ids) for ids in read(path, "u8").texts] == [len(begin) + 200]


# ---- damage found by mutating files ------------------------------------------------------------------------------


def test_arrays_of_an_arrow_file_that_point_beyond_their_buffers(tmp_path: Path) -> None:
    """pyarrow itself believes the offsets: one raised SystemError, others read other memory."""
    pa = pytest.importorskip("pyarrow")
    column = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 900, 3], "<i4").tobytes()), pa.py_buffer(b"abc")]
    )
    table = pa.table({"text": column})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(si.CorpusError, match=r"a\.arrow is no readable Arrow file"):
        read(tmp_path / "a.arrow")
    column = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 2, 3], "<i4").tobytes()), pa.py_buffer(b"ab\xff")]
    )
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(pa.table({"text": column}))
    assert read(tmp_path / "a.arrow", on_error="skip").texts == ["ab"]


def test_an_array_of_ids_with_a_damaged_header(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(3))
    whole = (tmp_path / "x.npy").read_bytes()
    for at in (12, 30, 60):
        (tmp_path / "x.npy").write_bytes(whole[:at] + b"(\0[" + whole[at + 3 :])
        with pytest.raises(si.CorpusError, match=r"x\.npy is a damaged \.npy file"):
            si.build(tmp_path / "x.npy", tmp_path / "index", tokenizer="none", progress=False)


def test_a_carriage_return_alone_in_a_row(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(b"id\ttext\n1\ta\rb\n")
    assert read(tmp_path / "t.tsv").texts == ["a\rb"]
    (tmp_path / "t.csv").write_bytes(b"id,text\n1,a\rb\n2,two\n")
    assert read(tmp_path / "t.csv", on_error="skip").texts == ["two"]
