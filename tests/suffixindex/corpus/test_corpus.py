"""Which files a corpus is, what a built index keeps of them, and what is said of bad input."""

import gzip
import json
import logging
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import zstandard

import suffixindex as si
from suffixindex.corpus import columnar
from suffixindex.corpus.readers import RecordOptions, parse, read_records
from suffixindex.corpus.sources import Source, resolve
from tests.helpers.reading import RECORDS, Row, as_rows, jsonl, pack, read, rows_of

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


# ---- naming inputs -----------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    for name in ("b.txt", "a/z.jsonl", "a/b.py", "a-c.txt", ".hidden/x.txt", "__pycache__/y.py", "a/.secret.txt", "c/d/e.md"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jsonl([{"text": name}]) if path.suffix == ".jsonl" else name.encode())
    (folder / "records.json.gz").write_bytes(gzip.compress(jsonl([{"text": "records.json.gz"}])))
    for name in ("weights.bin", "config.json", "a/image.png"):
        (folder / name).write_bytes(b"\xff\x00")
    return folder


IN_ORDER = ["a/b.py", "a/z.jsonl", "a-c.txt", "b.txt", "c/d/e.md", "records.json.gz"]


def test_a_folder_is_walked_in_sorted_order(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "suffixindex"):
        sources = resolve([tree])
    assert [source.path for source in sources] == [str(tree / name) for name in IN_ORDER]
    assert [record.message for record in caplog.records] == [
        f"{tree}: passed over 3 files whose names say neither text nor records (1 .bin, 1 .json, 1 .png); name them to index them"
    ]
    assert read(tree).texts == IN_ORDER


def test_the_order_is_that_of_the_inputs(tree: Path) -> None:
    named = [tree / "c", tree / "a" / "z.jsonl", tree / "b.txt"]
    assert [source.path for source in resolve(named)] == [str(tree / name) for name in ("c/d/e.md", "a/z.jsonl", "b.txt")]


def test_globs_are_sorted_and_recursive(tree: Path) -> None:
    assert [source.path for source in resolve([f"{tree}/*.txt"])] == [str(tree / "a-c.txt"), str(tree / "b.txt")]
    assert [source.path for source in resolve([f"{tree}/**/*.md"])] == [str(tree / "c" / "d" / "e.md")]
    assert Counter(read(f"{tree}/[ab]*").texts) == Counter(["a/b.py", "a/z.jsonl", "a-c.txt", "b.txt"])


def test_a_name_with_brackets_is_a_file_before_it_is_a_glob(tmp_path: Path) -> None:
    path = tmp_path / "a[1].txt"
    path.write_text("brackets")
    (tmp_path / "a1.txt").write_text("other")
    assert read(path).texts == ["brackets"]


def test_sources_carry_size_and_time(tree: Path) -> None:
    (source,) = resolve([tree / "b.txt"])
    status = (tree / "b.txt").stat()
    assert source == Source(str(tree / "b.txt"), "text", status.st_size, status.st_mtime_ns)


def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")
    try:
        Path(path).write_text("au lait")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    assert as_rows(read(path)) == [Row("au lait", path, 1, {})]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[jsonl(RECORDS)], daemon=True)
    writer.start()
    assert read(path, "jsonl").texts == [record["text"] for record in RECORDS]
    writer.join()


def run_build(arguments: list[str], stdin: bytes, folder: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "suffixindex", "build", *arguments, "-o", str(folder), "--tokenizer", "bytes"]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


def test_standard_input_is_json_lines_or_text(tmp_path: Path) -> None:
    process = run_build(["-"], jsonl(RECORDS), tmp_path / "index")
    assert process.returncode == 0, process.stderr
    index = si.open(tmp_path / "index")
    documents = [index.document(i) for i in range(index.num_documents)]
    assert [index.decode(document.token_ids) for document in documents] == [record["text"] for record in RECORDS]
    assert [(document.path, document.line) for document in documents] == [("-", i + 1) for i in range(len(RECORDS))]
    assert documents[0].metadata == {"id": 1}

    process = run_build(["-", "--input-format", "lines"], b"one\n\ntwo", tmp_path / "lines")
    assert process.returncode == 0, process.stderr
    assert si.open(tmp_path / "lines").num_documents == 2
    process = run_build(["-", "--input-format", "text"], b"one\n\ntwo", tmp_path / "text")
    assert process.returncode == 0, process.stderr
    assert si.open(tmp_path / "text").count("one\n\ntwo") == 1


@pytest.fixture(scope="module")
def offline() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_DATASETS_OFFLINE", "1")
        datasets = pytest.importorskip("datasets")
        datasets.disable_progress_bars()
        patch.setattr("datasets.config.HF_HUB_OFFLINE", True, raising=False)
        yield datasets


def test_a_hugging_face_dataset(tmp_path: Path, offline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "dataset"
    folder.mkdir()
    records = [{"text": f"document {i} ∞", "n": i, "tags": ["a"] * (i % 3)} for i in range(23)]
    (folder / "train.jsonl").write_bytes(jsonl(records))
    (folder / "test.jsonl").write_bytes(jsonl(records[:2]))
    monkeypatch.setattr(columnar, "ROWS", 10)
    name = f"hf:{folder}"
    assert as_rows(read(name)) == [
        Row(record["text"], name, i + 1, {"n": i, "tags": record["tags"]}) for i, record in enumerate(records)
    ]
    assert read(f"{name}?split=test").texts == [record["text"] for record in records[:2]]
    sources = resolve([name])
    rest = list(read_records(sources, (0, 13)))
    assert [piece.first for piece in rest] == [13]
    assert parse(rest, sources, RecordOptions()).texts == [record["text"] for record in records[13:]]

    report = si.build(name, tmp_path / "index", tokenizer="bytes", text_field="text", progress=False)
    assert report.num_documents == 23
    (match,) = si.open(tmp_path / "index").documents("document 22")
    assert (match.path, match.line, match.metadata) == (name, 23, {"n": 22, "tags": ["a"]})


def test_a_hugging_face_dataset_that_cannot_be_loaded(tmp_path: Path, offline: Any) -> None:
    with pytest.raises(si.CorpusError, match=r"hf:.*nowhere.* cannot be loaded: \w+"):
        read(f"hf:{tmp_path}/nowhere")
    with pytest.raises(si.CorpusError, match="unknown option 'splits'; expected name, split, revision"):
        read(f"hf:{tmp_path}?splits=train")


# ---- documents of a built index ----------------------------------------------------------------------------------


def test_an_index_gives_back_every_document_with_its_origin(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + jsonl(RECORDS).replace(b"\n", b"\r\n\n", 1))
    (folder / "b.jsonl.gz").write_bytes(pack(jsonl(RECORDS), "b.gz"))
    (folder / "c.jsonl.zst").write_bytes(pack(jsonl(RECORDS[::-1]), "c.zst"))
    pq.write_table(pa.table({"text": ["parquet ∞"], "year": [1999]}), folder / "d.parquet")
    (folder / "e.txt").write_text("plain\ntext", encoding="utf-8")
    expected = [row for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl.zst", "d.parquet") for row in rows_of(folder / name)]
    expected.append(Row("plain\ntext", str(folder / "e.txt"), 1, {}))

    report = si.build(folder, tmp_path / "index", tokenizer="bytes", progress=False, shard_tokens=40_000)
    assert report.num_documents == len(expected)
    assert report.num_shards > 1
    with si.open(tmp_path / "index") as index:
        found = [index.document(i) for i in range(index.num_documents)]
        assert [Row(index.decode(d.token_ids), d.path or "", d.line or 0, d.metadata) for d in found] == expected
        matches = index.documents("Zwölf", limit=None)
        assert [(m.path, m.line, m.metadata) for m in matches] == [row[1:] for row in expected if "Zwölf" in row.text]
        assert len(matches) == 3
    sources = [json.loads(line) for line in (tmp_path / "index" / "sources.jsonl").read_text().splitlines()]
    assert [source["path"] for source in sources] == [str(path) for path in sorted(folder.iterdir())]
    assert all(source["bytes"] == Path(source["path"]).stat().st_size for source in sources)


# ---- bad input ---------------------------------------------------------------------------------------------------


BAD_LINES = {
    "malformed JSON": (b'{"text": "a"', r"malformed JSON: .*"),
    "two values": (b'{"text": "a"} {"text": }', r"malformed JSON: .*"),
    "no field": (b'{"content": "a", "id": 1}', r"no field 'text': the record has content, id \(--text-field names the text\)"),
    "an empty object": (b"{}", r"no field 'text': the record has no fields .*"),
    "null text": (b'{"text": null}', r"field 'text' is no text: found NoneType"),
    "number text": (b'{"text": 5}', r"field 'text' is no text: found int"),
    "list text": (b'{"text": ["a"]}', r"field 'text' is no text: found list"),
    "an array": (b'["a"]', r"not an object: expected \{'text': …\}, found list"),
    "a string": (b'"a"', r"not an object: expected \{'text': …\}, found str"),
    "not UTF-8": (b'{"text": "caf\xe9"}', r"not UTF-8: byte 0xe9 at offset 13"),
    "a lone surrogate": (b'{"text": "\\ud83d!"}', r"lone surrogate: a .ud800-.udfff escape that is no character"),
    "a lone surrogate beside the text": (b'{"text": "a", "b": ["\\udc00"]}', r"lone surrogate: .*"),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_bad_line_is_named(tmp_path: Path, kind: str) -> None:
    content, sentence = BAD_LINES[kind]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "good"}\n\n' + content + b'\n{"text": "good too"}\n')
    end = r"; mend it, or pass over such records with --on-error skip"
    with pytest.raises(si.CorpusError, match=rf"^{path}, line 3: {sentence}{end}$"):
        read(path)
    with pytest.raises(si.CorpusError, match="line 3"):
        si.build(path, tmp_path / "index", tokenizer="bytes", progress=False)
    with pytest.raises(si.UnfinishedIndexError):
        si.open(tmp_path / "index")
    skipped = read(path, on_error="skip")
    assert skipped.texts == ["good", "good too"]
    (reason,) = skipped.skipped
    assert sentence.startswith(reason[:10])
    assert skipped.skipped[reason] == 1
    assert len(skipped.metadata) == 2


def test_surrogate_pairs_are_characters(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "\\ud83d\\ude00"}\n')
    assert read(path).texts == ["😀"]


@pytest.mark.parametrize("input_format", ["text", "lines"])
def test_text_that_is_no_utf8(tmp_path: Path, input_format: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"caf\xe9 au lait")
    with pytest.raises(si.CorpusError, match=rf"^{path}, line 1: not UTF-8: byte 0xe9 at offset 3; mend it"):
        read(path, input_format)
    assert read(path, input_format, on_error="skip").skipped == {"not UTF-8": 1}


def test_parquet_rows_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    data, offsets = b"ok\xffend", [0, 2, 3, 6]
    column = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(b"".join(i.to_bytes(4, "little") for i in offsets)), pa.py_buffer(data)]
    )
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": column}), path)
    with pytest.raises(si.CorpusError, match=rf"^{path}, line 2: unreadable row: .*0xff"):
        read(path)
    documents = read(path, on_error="skip")
    assert documents.texts == ["ok", "end"]
    assert documents.skipped == {"unreadable row": 1}


def test_parquet_text_must_be_text(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([5, None])}), path)
    with pytest.raises(si.CorpusError, match=r"line 1: field 'text' is no text: found int"):
        read(path)
    with pytest.raises(si.CorpusError, match=r"line 1: no field 'content': the record has text"):
        read(path, text_field="content")


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.txt.gz", "a.txt.zst"])
@pytest.mark.parametrize("damage", ["cut", "garbage"])
def test_a_damaged_compressed_file(tmp_path: Path, name: str, damage: str) -> None:
    whole = pack(jsonl([{"text": os.urandom(2000).hex()}] * 2), name)
    path = tmp_path / name
    path.write_bytes({"cut": whole[: len(whole) - 5], "garbage": whole + b"garbage"}[damage])
    with pytest.raises(si.CorpusError, match=rf"^{path}: the compressed file is cut short or damaged \(.+\); fetch it again$"):
        read(path)


@pytest.mark.parametrize("damage", ["empty footer", "text", "cut"])
def test_a_damaged_parquet_file(tmp_path: Path, damage: str) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a" * 1000, "b"]}), path)
    whole = path.read_bytes()
    path.write_bytes({"empty footer": whole[:-8] + bytes(8), "text": b"no parquet at all", "cut": whole[: len(whole) // 2]}[damage])
    with pytest.raises(si.CorpusError, match=rf"^{path} is no readable Parquet file: "):
        read(path)


def test_parquet_pages_that_are_damaged(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [os.urandom(500).hex() for _ in range(4)]}), path)
    content = bytearray(path.read_bytes())
    content[4:400] = b"\x99" * 396
    path.write_bytes(content)
    with pytest.raises(si.CorpusError, match=rf"^{path} is no readable Parquet file: "):
        read(path)


def test_parquet_statistics_that_are_damaged(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", "b", None], "tags": [["x"], [], None]}), path, store_schema=False)
    whole, unread = path.read_bytes(), 0
    for offset in range(len(whole) - 8 - int.from_bytes(whole[-8:-4], "little"), len(whole) - 8):
        for value in (0, 0x15, 0x26, 0x50):  # of Thrift's short fields: their ends, numbers, other numbers
            path.write_bytes(whole[:offset] + bytes([value]) + whole[offset + 1 :])
            try:
                read(path, on_error="skip")
            except si.CorpusError as error:
                unread += "histogram size mismatch" in str(error)
    assert unread


def test_a_column_whose_name_is_no_text(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a"], "a name of a column": [1]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"a name of", b"\x8e name of"))
    with pytest.raises(si.CorpusError, match=rf"^{path} is no readable Parquet file: 'utf-8' codec .*; fetch it again$"):
        read(path)
    table = pa.table({"text": ["a"], "a name of a column": [1]})
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    path.write_bytes(path.read_bytes().replace(b"a name of", b"\x8e name of"))
    with pytest.raises(si.CorpusError, match=rf"^{path} is no readable Arrow file: "):
        read(path)


def test_empty_files_contribute_nothing(tmp_path: Path) -> None:
    for name in ("empty.jsonl", "empty.txt"):
        (tmp_path / name).touch()
    (tmp_path / "none.jsonl.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "none.txt.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "none.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(b""))
    (tmp_path / "blank.jsonl").write_bytes(b"\n \r\n\n")
    (tmp_path / "some.jsonl").write_bytes(jsonl([{"text": "some"}]))
    names = ["empty.jsonl", "empty.txt", "none.jsonl.gz", "none.txt.gz", "none.jsonl.zst", "blank.jsonl"]
    paths = [tmp_path / name for name in names]
    assert read([*paths[:2], tmp_path / "some.jsonl", *paths[2:]]).texts == ["some"]
    with pytest.raises(si.CorpusError, match=r"^the corpus is empty: 6 inputs hold no document$"):
        si.build(paths, tmp_path / "index", tokenizer="words", progress=False)
    with pytest.raises(si.SuffixIndexError):
        si.open(tmp_path / "index")


def test_an_empty_parquet_file_contributes_nothing(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").texts == []


def test_an_empty_corpus(tmp_path: Path) -> None:
    with pytest.raises(si.CorpusError, match=r"^the corpus is empty: no input was named or found$"):
        resolve([])
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "weights.bin").touch()
    with pytest.raises(si.CorpusError, match=r"folder holds no file of a known kind \(\.jsonl \.parquet \.txt"):
        resolve([tmp_path / "folder"])


def test_an_input_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(si.CorpusError, match=rf"^{tmp_path}/none\.jsonl does not exist$"):
        resolve([tmp_path / "none.jsonl"])
    with pytest.raises(si.CorpusError, match=r"^some/dataset does not exist; for a Hugging Face dataset write hf:some/dataset$"):
        resolve(["some/dataset"])
    with pytest.raises(si.CorpusError, match=r"none\*\.jsonl does not exist or matches nothing$"):
        resolve([f"{tmp_path}/none*.jsonl"])
    with pytest.raises(
        si.CorpusError, match="unknown input format 'xml': expected one of auto, jsonl, json, lines, text, csv, tsv, parquet"
    ):
        resolve([tmp_path], "xml")


def test_a_link_to_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(si.CorpusError, match=r"a\.txt cannot be read: No such file"):
        resolve([tmp_path])


def test_the_same_file_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, link = tmp_path / "a.txt", tmp_path / "link.txt"
    path.write_text("a")
    link.symlink_to(path)
    monkeypatch.chdir(tmp_path)
    for inputs in ([path, path], [path, f"{tmp_path}/*.txt"], ["a.txt", "./a.txt"], ["a.txt", path], [link, link], ["-", "-"]):
        with pytest.raises(si.CorpusError, match=r"is named twice: its documents would be counted twice$"):
            resolve(inputs)


def test_of_a_file_and_links_to_it_one_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As in folders of libraries, and in the caches of Hugging Face."""
    folder, elsewhere = tmp_path / "corpus", tmp_path / "elsewhere.txt"
    folder.mkdir()
    elsewhere.write_text("other")
    (folder / "m.txt").write_text("text")
    (folder / "a.txt").symlink_to("m.txt")
    (folder / "z.txt").symlink_to(folder / "m.txt")
    for name in ("p.txt", "q.txt"):
        (folder / name).symlink_to(elsewhere)
    for inputs in ([folder], [f"{folder}/*.txt"], sorted(folder.iterdir())):
        caplog.clear()
        assert [Path(source.path).name for source in resolve(inputs)] == ["m.txt", "p.txt"]
        (record,) = caplog.records
        assert record.getMessage().startswith("passed over 3 links to files that are there by another name: ")


@pytest.mark.skipif(AS_ROOT, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a")
    path.chmod(0)
    with pytest.raises(si.CorpusError, match=rf"^{path} cannot be read: Permission denied$"):
        read(path)
