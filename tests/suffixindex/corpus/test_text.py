"""Encodings, byte order marks and lines, alike at every door; and numbers that keep their digits."""

import datetime
import decimal
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.corpus import json_values, lines
from suffixindex.corpus.text import text_lines
from suffixindex.system import exact_json
from tests.helpers.reading import as_rows, jsonl, read
from tests.helpers.shell import rows, run, sentence

CODECS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le with a mark", "utf-16-be with a mark", "utf-32-be with a mark"]


def encoded(text: str, codec: str) -> bytes:
    name, _, mark = codec.partition(" ")
    return (("\ufeff" if mark else "") + text).encode(name)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("block", [1 << 20, 5])
def test_an_encoding_that_a_mark_names_is_read_at_every_door(
    tmp_path: Path, codec: str, end: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "READ_BYTES", block)
    monkeypatch.setattr(json_values, "READ_BYTES", block)
    texts = ["the cat", "é∞𝄞", "last"]
    asked = f"{texts[0]}{end}{end} \t{end}{texts[1]}{end}{texts[2]}"
    records = end.join(json.dumps({"text": text}, ensure_ascii=False) for text in texts)
    for name, content in (
        ("a.jsonl", records),
        ("a.json", json.dumps([{"text": text} for text in texts], indent=1, ensure_ascii=False).replace("\n", end)),
        ("a.csv", end.join(["text", *texts, ""])),
        ("a.tsv", end.join(["text", *texts])),
    ):
        (tmp_path / name).write_bytes(encoded(content, codec))
        assert read(tmp_path / name).texts == texts, name
    (tmp_path / "a.txt").write_bytes(encoded(asked, codec))
    assert read(tmp_path / "a.txt", "lines").texts == texts
    assert read(tmp_path / "a.txt").texts == [asked]
    assert [line for _, line in text_lines(io.BytesIO(encoded(asked, codec)), "asked")] == texts
    assert [number for number, _ in text_lines(io.BytesIO(encoded(asked, codec)), "asked")] == [1, 4, 5]


@pytest.mark.parametrize("codec", CODECS)
def test_queries_of_every_encoding(tmp_path: Path, words: str, codec: str) -> None:
    found = run("count", words, "-", stdin=encoded("to be\r\n\r\nthe question\r\n", codec)).stdout
    assert [json.loads(line)["count"] for line in found.splitlines()] == [5, 2]
    path = tmp_path / "queries.jsonl"
    path.write_bytes(encoded('"to be"\r\n\r\n"the question"', codec))
    assert [row["count"] for row in rows("count", words, "-f", str(path))] == [5, 2]


def test_half_a_character_is_named(tmp_path: Path, words: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("one\ntwo".encode("utf-16")[:-1])
    with pytest.raises(si.CorpusError, match=r"a\.txt, line 2: not UTF-8"):
        read(path, "lines")
    assert read(path, "lines", on_error="skip").texts == ["one"]
    path.write_bytes(b"\xff\xfe" + "one\n\ud800 two\nthree".encode("utf-16-le", "surrogatepass"))
    assert read(path, "lines", on_error="skip").texts == ["one", "three"]
    assert "standard input, line 1: not UTF-8" in sentence("count", words, "-", stdin=b"\xff\xfe\x00\xd8")


# ---- numbers -----------------------------------------------------------------------------------------------------

NUMBERS = [
    "123456789012345678901234567890",
    "123456789012345678901234567891",
    "-9223372036854775809",
    "18446744073709551616",
    "0.30000000000000000001",
    "0.3",
    "1e400",
    "-1E+400",
    "1e-400",
    "5e-324",
    "1.7976931348623157e308",
    "0.1234567890123456789",
    "9007199254740993.0",
    "1234567890123456789e3",
    "1" * 5000,
]


@pytest.mark.parametrize("text", ["t", "x" * 100, "é" * 100, 'with "score": 0.3 in it ' * 5])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_numbers_are_kept_as_written(tmp_path: Path, text: str, ascii_only: bool) -> None:
    path = tmp_path / "a.jsonl"
    written = json.dumps(text, ensure_ascii=ascii_only)
    path.write_text("".join(f'{{"text": {written}, "n": {n}, "in": {{"a": [0.5, {n}]}}}}\n' for n in NUMBERS), encoding="utf-8")
    documents = read(path)
    assert documents.texts == [text] * len(NUMBERS)
    kept = [exact_json.loads(line)["metadata"] for line in documents.metadata]
    expected = [decimal.Decimal(n) for n in NUMBERS]
    found = [(record["n"], record["in"]["a"][1]) for record in kept]
    assert [tuple(decimal.Decimal(repr(n) if isinstance(n, float) else n) for n in pair) for pair in found] == [
        (n, n) for n in expected
    ]


def test_groups_tell_numbers_apart_that_a_double_does_not(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"text": "the cat", "id": {n}}}\n' for n in NUMBERS[:-1]))
    si.build(path, tmp_path / "index", tokenizer="words", progress=False)
    folder = str(tmp_path / "index")
    found = rows("count", folder, "the cat", "--by", "id")
    assert len(found) == len(NUMBERS) - 1 and all(row["count"] == 1 for row in found)
    output = run("count", folder, "the cat", "--by", "id").stdout
    for number in NUMBERS[:6]:
        assert f'"value": {number},' in output
    for number in NUMBERS[:-1]:
        assert [row["count"] for row in rows("count", folder, "the cat", "--where", f"id={number}")] == [1], number
    with si.open(folder) as index:
        assert index.count("the cat", where={"id": 123456789012345678901234567891}) == 1
        assert index.document(0).metadata == {"id": 123456789012345678901234567890}
    assert f'"id": {NUMBERS[4]}' in run("docs", folder, "the cat", "--limit", "99").stdout
    run("export", folder, str(tmp_path / "other"), "--format", "infini-gram")
    assert f'"id": {NUMBERS[4]}}}' in (tmp_path / "other" / "metadata.0").read_text()


def in_decimals(value: Any) -> Any:
    if isinstance(value, list):
        return [in_decimals(inner) for inner in value]
    return decimal.Decimal(repr(value)) if isinstance(value, float) else value


finite = {"allow_nan": False, "allow_infinity": False}
scalars = st.one_of(st.integers(), st.floats(**finite), st.decimals(**finite), st.text(max_size=3))


@given(st.recursive(scalars, lambda inner: st.lists(inner, max_size=3)))
def test_exact_json_goes_round(value: Any) -> None:
    again = exact_json.loads(exact_json.dumps(value))
    assert in_decimals(again) == in_decimals(value)


def test_what_json_does_not_have_is_null(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "n": NaN, "i": -Infinity, "big": 123456789012345678901}\n')
    (row,) = as_rows(read(path))
    assert row.metadata == {"n": None, "i": None, "big": 123456789012345678901}


def test_parquet_numbers_and_times_keep_every_digit(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    noon = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
    columns = {
        "text": ["a"],
        "decimal": pa.array([decimal.Decimal("12345678901234567890.123456789")], pa.decimal128(38, 9)),
        "unsigned": pa.array([2**64 - 1], pa.uint64()),
        "zoned": pa.array([noon], pa.timestamp("us", "Europe/Paris")),
        "nanoseconds": pa.array([1_709_208_000_123_456_789], pa.timestamp("ns")),
        "nanoseconds_utc": pa.array([1_709_208_000_123_456_789], pa.timestamp("ns", "UTC")),
        "nested": pa.array([[{"at": 1_709_208_000_123_456_789}]], pa.list_(pa.struct([("at", pa.timestamp("ns"))]))),
        "far": pa.array([568_971_820_800_000_000], pa.timestamp("us")),
        "time": pa.array([1_000_000_001], pa.time64("ns")),
        "nan": [float("nan")],
    }
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    (row,) = as_rows(read(tmp_path / "a.parquet"))
    far = row.metadata.pop("far")
    assert far.startswith("20000-")
    assert row.metadata == {
        "decimal": "12345678901234567890.123456789",
        "unsigned": 2**64 - 1,
        "zoned": row.metadata["zoned"],
        "nanoseconds": "2024-02-29 12:00:00.123456789",
        "nanoseconds_utc": "2024-02-29 12:00:00.123456789Z",
        "nested": [{"at": "2024-02-29 12:00:00.123456789"}],
        "time": "00:00:01.000000001",
        "nan": None,
    }
    assert "13:00:00" in row.metadata["zoned"] or "12:00:00" in row.metadata["zoned"]


# ---- the doctor --------------------------------------------------------------------------------------------------


def test_check_says_what_a_corpus_is(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(
        jsonl([{"text": "one", "n": 1, "m": {"s": "x"}}, {"text": ""}, {"text": "one"}, {"id": 3}, {"text": 5}]) + b"{broken\n" * 6
    )
    (folder / "b.txt").write_bytes("two\r\n".encode("utf-16"))
    report = si.check_corpus(folder)
    assert report.files == {"jsonl (UTF-8)": 1, "text (UTF-16)": 1}
    assert (report.documents, report.empty, report.duplicates, report.enormous, report.records) == (4, 1, 1, 0, 12)
    assert report.fields == {("n", "int"): 1, ("m", "record"): 1, ("m.s", "text"): 1}
    assert report.skipped == {"no field 'text'": 1, "field 'text' is no text": 1, "malformed JSON": 6}
    assert [(problem.path, problem.line) for problem in report.problems] == [(str(folder / "a.jsonl"), n) for n in (4, 5, 6, 7, 8)]
    assert report.longest[0][:1] == (5,) and report.num_problems == 8

    found = run("check", str(folder), code=1)
    assert [json.loads(line)["what"] for line in found.stdout.splitlines()][:2] == ["files", "files"]
    assert "8 problems: a build stops at the first, or passes over bad records with --on-error skip" in found.stderr
    assert "jsonl (UTF-8)" in run("check", str(folder), "--table", code=1).stdout
    assert si.build(folder, tmp_path / "index", tokenizer="bytes", on_error="skip", progress=False).skipped == report.skipped
    assert run("check", str(folder / "b.txt")).stderr == ""


def test_check_goes_on_after_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name, content in (("a.pdf", b"%PDF-1.4\0"), ("b.jsonl.gz", b"\x1f\x8b\x08junk"), ("c.bin", b"x"), ("d.txt", b"text")):
        (tmp_path / name).write_bytes(content)
    report = si.check_corpus(sorted(tmp_path.iterdir()))
    assert report.documents == 1 and report.num_problems == 3
    assert [Path(problem.path).name for problem in report.problems] == ["a.pdf", "b.jsonl.gz", "c.bin"]


def test_equal_documents_are_counted_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from suffixindex.corpus import doctor

    for limit, estimated in ((1 << 20, False), (500, True)):
        monkeypatch.setattr(doctor, "HASHES", limit)
        distinct = doctor.Distinct()
        for number in range(4000):
            distinct.add(str(number % 2000).encode())
        assert distinct.is_estimate == estimated
        assert distinct.repeated == 2000 or (estimated and 1000 < distinct.repeated < 3000)


def test_a_dry_run_says_the_essentials(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"text": "one two"}, {"text": ""}, {"id": 1}]))
    (tmp_path / "b.txt").write_text("three")
    estimate = si.estimate_build(tmp_path, tokenizer="bytes", on_error="skip", threads=1)
    assert estimate.formats == {"jsonl": 1, "text": 1}
    assert (estimate.sampled_documents, estimate.sampled_empty_documents) == (3, 1)
    assert estimate.sampled_skipped == {"no field 'text'": 1}


def test_the_shell_offers_the_formats_that_there_are() -> None:
    from suffixindex.cli import check
    from suffixindex.corpus.formats import INPUT_FORMATS

    assert sorted(check.INPUT_FORMATS) == sorted(INPUT_FORMATS)
