"""What each kind of file holds, in which order, however it is cut."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.corpus import columnar, streams
from suffixindex.corpus import lines as lines_module
from suffixindex.corpus.readers import read_records
from suffixindex.corpus.sources import Source, resolve
from tests.helpers.reading import RECORDS, Row, as_rows, jsonl, pack, read, rows_of

# ---- what a file holds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json", "a.jsonl.gz", "a.jsonl.zst", "a.json.gz", "A.JSONL"])
@pytest.mark.parametrize("block", [1 << 20, 64, 7, 1])
def test_records_of_a_file_are_its_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, block: int) -> None:
    monkeypatch.setattr(lines_module, "READ_BYTES", block)
    monkeypatch.setattr(streams, "COMPRESSED_BYTES", block)
    path = tmp_path / name
    path.write_bytes(pack(jsonl(RECORDS if block > 1 else RECORDS[:4]), name))
    assert as_rows(read(path)) == rows_of(path)


@pytest.mark.parametrize("block", [1 << 20, 5])
def test_line_ends_blank_lines_and_a_byte_order_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(lines_module, "READ_BYTES", block)
    path = tmp_path / "a.jsonl"
    content = b'{"text": "one"}\r\n\r\n  \t\n{"text": "two"}\n\n\n{"text": "three \\r"}\r\n{"text": "no newline"}'
    path.write_bytes(b"\xef\xbb\xbf" + content)
    found = as_rows(read(path))
    assert [(row.line, row.text) for row in found] == [(1, "one"), (4, "two"), (7, "three \r"), (8, "no newline")]


def test_a_line_longer_than_a_block_is_one_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "READ_BYTES", 100)
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl([{"text": "x" * 1001}, {"text": "y"}, {"text": "z" * 99_999}]))
    assert [len(text) for text in read(path).texts] == [1001, 1, 99_999]


def test_lines_format_makes_every_line_a_document(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufefferste\r\n\nzweite { no json\n dritte ".encode())
    found = as_rows(read(path, "lines"))
    assert [(row.line, row.text, row.metadata) for row in found] == [
        (1, "erste", {}),
        (3, "zweite { no json", {}),
        (4, " dritte ", {}),
    ]


@pytest.mark.parametrize("name", ["a.txt", "a.py", "a.md", "a.txt.gz", "a.py.zst", "README"])
def test_a_file_of_text_is_one_document(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(pack("def f():\r\n    return '∞'\n\n".encode(), name))
    assert as_rows(read(path)) == [Row("def f():\r\n    return '∞'\n\n", str(path), 1, {})]


def test_text_format_makes_a_file_of_records_one_document(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(RECORDS[:2]))
    assert read(path, "text").texts == [jsonl(RECORDS[:2]).decode()]


def test_jsonl_format_reads_records_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "shard-00001"
    path.write_bytes(jsonl(RECORDS))
    assert as_rows(read(path, "jsonl")) == [Row(**row._asdict()) for row in rows_of(path)]


@pytest.mark.parametrize("rows", [1024, 2, 1])
def test_parquet_rows_with_their_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    monkeypatch.setattr(columnar, "ROWS", rows)
    path = tmp_path / "a.parquet"
    noon = datetime.datetime(2024, 2, 29, 12, 0, 0, 123456)
    columns = {
        "url": ["u0", None, "u2", "u3", "u4"],
        "content": ["null", "", "zwei ∞", "drei", "vier"],
        "when": [noon, None, noon, noon, noon],
        "aware": pa.array([noon.replace(tzinfo=datetime.UTC)] * 5),
        "day": [noon.date()] * 5,
        "tags": [["a"], [], None, ["b", "c"], []],
        "meta": [{"k": 1, "v": 0.5}] * 5,
        "big": [2**63 - 1] * 5,
    }
    pq.write_table(pa.table(columns), path, row_group_size=3)
    found = as_rows(read(path, text_field="content"))
    assert [row.text for row in found] == columns["content"]
    assert [row.line for row in found] == [1, 2, 3, 4, 5]
    assert found[0].metadata == {
        "url": "u0",
        "when": "2024-02-29T12:00:00.123456",
        "aware": "2024-02-29T12:00:00.123456+00:00",
        "day": "2024-02-29",
        "tags": ["a"],
        "meta": {"k": 1, "v": 0.5},
        "big": 2**63 - 1,
    }
    assert found[1].metadata["when"] is None
    expected = rows_of(path, "content")
    plain = [(row.metadata["url"], row.metadata["tags"], row.metadata["meta"]) for row in expected]
    assert [(row.metadata["url"], row.metadata["tags"], row.metadata["meta"]) for row in found] == plain


def test_parquet_text_of_other_string_types(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    for kind in (pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        path = tmp_path / f"{kind.id}.parquet"
        pq.write_table(pa.table({"text": pa.array(["a", "b", "a"]).cast(kind)}), path)
        assert read(path).texts == ["a", "b", "a"]


def test_a_frame_with_a_long_window_is_unpacked(tmp_path: Path) -> None:
    content = jsonl(RECORDS[:3])
    window_log = 30  # zstd --ultra --long=30; a decoder takes 27 unless told
    header = b"\x28\xb5\x2f\xfd" + bytes([0, (window_log - 10) << 3])
    block = (len(content) << 3 | 1).to_bytes(3, "little")
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(header + block + content)
    with pytest.raises(zstandard.ZstdError):
        zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    assert read(path).texts == [record["text"] for record in RECORDS[:3]]


def test_skippable_frames_are_passed_over(tmp_path: Path) -> None:
    skippable = (0x184D2A50).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"index"
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(skippable + pack(jsonl(RECORDS), "a.zst") + skippable)
    assert read(path).texts == [record["text"] for record in RECORDS]


def test_fields_beside_the_text_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"raw": "words", "text": "other", "n": NaN, "least": -9223372036854775808, "most": 18446744073709551615}\n')
    (row,) = as_rows(read(path, text_field="raw"))
    assert row.text == "words"
    assert row.metadata == {"text": "other", "n": None, "least": -(2**63), "most": 2**64 - 1}


def test_deep_nesting_is_kept_or_refused_but_never_fatal(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a", "deep": ' + b"[" * 300 + b"]" * 300 + b"}\n")  # orjson writes 254 levels
    (row,) = as_rows(read(path))
    assert json.dumps(row.metadata["deep"]) == "[" * 300 + "]" * 300


@pytest.mark.parametrize("depth", [501, 900, 990, 1010, 5000, 100_000])  # orjson parses up to 1,024, Python about 990
@pytest.mark.parametrize("inner", [b"", b"1", b"1.5", b'{"a": 1.5}'])
def test_records_that_are_nested_too_deeply_are_bad_ones(tmp_path: Path, depth: int, inner: bytes) -> None:
    path = tmp_path / "a.jsonl"
    deep = b"[" * depth + inner + b"]" * depth
    record = b'{"text": "a", "deep": ' + deep + b"}"
    for content in (record, b"[\n" + record + b"]", b"1 " + deep):
        path.write_bytes(content + b'\n{"text": "b"}\n')
        with pytest.raises(si.CorpusError, match=r"line \d: (nested too deeply|malformed JSON|not an object)"):
            read(path)
        skipped = read(path, on_error="skip")
        assert skipped.texts == ["b"] and skipped.skipped.total() >= 1


def test_metadata_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(RECORDS))
    documents = read(path, keep_metadata=False)
    assert documents.texts == [record["text"] for record in RECORDS]
    assert documents.metadata == []


# ---- any cut -----------------------------------------------------------------------------------------------------


texts = st.text(st.sampled_from('ab é\n\r"\\𝄞\u2028\x00'), max_size=12)
lines = st.one_of(
    st.builds(lambda text, field: json.dumps({"text": text, "f": field}, ensure_ascii=False), texts, st.integers()),
    st.builds(lambda text: json.dumps({"text": text}), texts),
    st.sampled_from(["", " ", "\t"]),
)


@given(
    content=st.lists(lines, max_size=12),
    ends=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    name=st.sampled_from(["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"]),
    block=st.integers(1, 60),
)
def test_any_cut_of_a_file_gives_the_same_documents(
    new_folder: Callable[[], Path], content: list[str], ends: str, last: bool, name: str, block: int
) -> None:
    folder = new_folder()
    folder.mkdir()
    path = folder / name
    path.write_bytes(pack((ends.join(content) + (ends if last else "")).encode(), name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "READ_BYTES", block)
        patch.setattr(streams, "COMPRESSED_BYTES", block)
        found = as_rows(read(path))
    assert [(row.text, row.line) for row in found] == [(row.text, row.line) for row in rows_of(path)]


def numbered_pieces(sources: list[Source], start: tuple[int, int]) -> list[tuple[int, int, Any]]:
    """(source, record, content) of everything from a cursor on, blank lines too; every piece agrees with its own count."""
    found: list[tuple[int, int, Any]] = []
    for piece in read_records(sources, start):
        assert piece.num_records > 0
        if sources[piece.source].format == "text":
            parts = [piece.payload]
        elif sources[piece.source].format == "parquet":
            parts = [orjson.dumps(row) for row in piece.payload.to_pylist()]
        else:
            parts = piece.payload.removesuffix(b"\n").split(b"\n")
        assert len(parts) == piece.num_records
        found += [(piece.source, piece.first + i, part) for i, part in enumerate(parts)]
    return found


@given(st.data())
def test_reading_from_any_cursor_gives_exactly_the_rest(new_folder: Callable[[], Path], data: st.DataObject) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    folder = new_folder()
    folder.mkdir()
    paths = []
    for number, kind in enumerate(data.draw(st.lists(st.sampled_from("jzgptl"), min_size=1, max_size=4))):
        content = data.draw(st.lists(st.sampled_from(["", "x", "yy zz", "a long line of text"]), max_size=9))
        if kind == "p":
            path = folder / f"{number}.parquet"
            pq.write_table(pa.table({"text": pa.array(content, pa.string())}), path, row_group_size=4)
        else:
            path = folder / (str(number) + {"j": ".jsonl", "z": ".jsonl.zst", "g": ".json.gz", "t": ".txt", "l": ".ndjson"}[kind])
            path.write_bytes(pack(("\n".join(content) + "\n" * data.draw(st.integers(0, 2))).encode(), path.name))
        paths.append(path)
    sources = resolve(paths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "READ_BYTES", data.draw(st.integers(1, 40)))
        patch.setattr(streams, "COMPRESSED_BYTES", data.draw(st.integers(1, 40)))
        patch.setattr(columnar, "ROWS", data.draw(st.integers(1, 5)))
        everything = numbered_pieces(sources, (0, 0))
        cursor = data.draw(st.tuples(st.integers(0, len(sources) - 1), st.integers(0, 12)))
        patch.setattr(lines_module, "READ_BYTES", data.draw(st.integers(1, 40)))  # the cuts need not be those of the first time
        patch.setattr(columnar, "ROWS", data.draw(st.integers(1, 5)))
        rest = numbered_pieces(sources, cursor)
    assert rest == [part for part in everything if part[:2] >= cursor]


def test_pieces_say_how_far_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "READ_BYTES", 50)
    monkeypatch.setattr(streams, "COMPRESSED_BYTES", 50)
    for name in ("a.jsonl", "a.jsonl.gz", "a.jsonl.zst"):
        path = tmp_path / name
        path.write_bytes(pack(jsonl(RECORDS), name))
        consumed = [piece.consumed for piece in read_records(resolve([path]))]
        assert consumed == sorted(consumed)
        assert consumed[-1] == path.stat().st_size
