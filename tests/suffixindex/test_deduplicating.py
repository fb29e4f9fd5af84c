"""What is written of a corpus is what its definition leaves, looked for quadratically; and an index of that repeats nothing."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.deduplicating import later
from suffixindex.deduplicating import passages as rounds
from suffixindex.queries import duplicates
from suffixindex.tokenizers.base import open_tokenizer
from tests.helpers.building import write_jsonl, write_tokenizer
from tests.helpers.killing import killed_at
from tests.helpers.shell import rows, run, sentence

Folder = Callable[[], Path]


def lines_of(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    if path.name.endswith(".zst"):
        content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content)).read()
    return [json.loads(line) for line in content.splitlines()]


def texts_of(path: Path) -> list[str]:
    return [line["text"] for line in lines_of(path)]


# ---- the oracle ----------------------------------------------------------------------------------------------------


def later_tokens(documents: list[list[Any]], length: int) -> set[tuple[int, int]]:
    """(document, place) of all that lies in a window that occurs earlier, but in its first occurrence. O(windows²)."""
    windows = [(number, start) for number, document in enumerate(documents) for start in range(max(len(document) - length + 1, 0))]
    later = set()
    for place, (number, start) in enumerate(windows):
        window = documents[number][start : start + length]
        for first, at in windows[:place]:
            if documents[first][at : at + length] == window:
                begin = max(start, at + length) if first == number else start
                later |= {(number, token) for token in range(begin, start + length)}
                break
    return later


def without_passages(documents: list[list[Any]], length: int) -> list[list[Any] | None]:
    """What is left of each document, None of those of which nothing is."""
    left: list[list[Any] | None] = list(documents)
    while later := later_tokens([document or [] for document in left], length):
        for number, document in enumerate(left):
            kept = [token for place, token in enumerate(document or []) if (number, place) not in later]
            if kept != document:
                left[number] = kept or None
    return left


def build(folder: Path, texts: list[str], tokenizer: str, shards: int = 1) -> Path:
    corpus = write_jsonl(folder.with_suffix(".jsonl"), texts, number=range(len(texts)))
    size = max(sum(len(text.encode()) + 1 for text in texts) // shards, max(len(text.encode()) for text in texts) + 1)
    si.build(corpus, folder, tokenizer=tokenizer, shard_tokens=size, progress=False)
    return folder


# ---- passages ------------------------------------------------------------------------------------------------------

TEXTS = st.lists(
    st.one_of(
        st.text("ab", max_size=12),
        st.lists(st.sampled_from(["ab", "ba", "abba", "aab", "b"]), max_size=6).map("".join),
    ),
    min_size=1,
    max_size=7,
)


@pytest.mark.usefixtures("no_fsync")
@given(texts=TEXTS, length=st.integers(1, 5), shards=st.sampled_from([1, 3]), fast=st.booleans())
@example(texts=["aaaaaaaa"], length=3, shards=1, fast=True)
@example(texts=["ababababcd", "xbababababa", "abababab"], length=4, shards=1, fast=False)
@example(texts=["abcdefghijklm", "a", "bcdefghijklmno", "xabcdefghijkl"], length=11, shards=1, fast=False)
@example(texts=["bbbb", "aaaa", "abbbba", "aaaab", "abab" * 3], length=2, shards=1, fast=False)
@example(texts=["abcd", "ab", "cd", "abcdabcd"], length=2, shards=1, fast=True)
def test_passages_of_bytes(new_folder: Folder, texts: list[str], length: int, shards: int, fast: bool) -> None:
    """And what is faster for long texts: samples of windows, and searches for those that are new; what large ones take, too."""
    shortest = 2 if fast else 16
    with (
        mock.patch.multiple(later, SAMPLED=shortest, SEARCH=0 if fast else 128, LONG=0 if fast else 1 << 10),
        mock.patch.object(duplicates, "SAMPLED", shortest),
    ):
        passages_of_bytes(new_folder, texts, length, shards)


def passages_of_bytes(new_folder: Folder, texts: list[str], length: int, shards: int) -> None:
    index = build(new_folder(), texts, "bytes", shards)
    output = new_folder().with_suffix(".jsonl")
    report = si.deduplicate(index, output, min_length=length, progress=False)
    left = without_passages([list(text.encode()) for text in texts], length)
    kept = [(number, bytes(document).decode()) for number, document in enumerate(left) if document is not None]
    assert lines_of(output) == [{"text": text, "number": number} for number, text in kept]
    changed = [document for document, text in zip(left, texts, strict=True) if document != list(text.encode())]
    assert report.num_documents == len(kept) and report.num_dropped == len(texts) - len(kept) == changed.count(None)
    assert report.num_cut == len(changed) - changed.count(None)
    assert report.num_tokens == sum(len(text) for text in texts) - sum(len(text) for _, text in kept)
    assert report.text_bytes == sum(len(text) for _, text in kept)
    if kept:
        again = build(new_folder(), [text for _, text in kept], "bytes", shards)
        assert si.open(again).duplicates(length).num_passages == 0
        once_more = si.deduplicate(again, new_folder().with_suffix(".jsonl"), min_length=length, progress=False)
        assert (once_more.num_passages, once_more.rounds) == (0, 1) and texts_of(once_more.path) == [text for _, text in kept]


@pytest.mark.usefixtures("no_fsync")
@given(
    texts=st.lists(st.text("aé€🚣 ", min_size=1, max_size=8), min_size=1, max_size=6),
    length=st.integers(1, 6),
    tokenizer=st.sampled_from(["bytes", "words", "byte-level"]),
    shards=st.sampled_from([1, 2]),
)
@example(texts=["é", "è"], length=1, tokenizer="bytes", shards=1)
@example(texts=["a🚣 a🚤 a🚣", "🚤 a🚣"], length=2, tokenizer="byte-level", shards=1)
def test_characters_stay_whole_and_twice_is_once(
    new_folder: Folder, texts: list[str], length: int, tokenizer: str, shards: int
) -> None:
    if tokenizer == "byte-level":
        folder = new_folder()
        folder.mkdir()
        tokenizer = str(write_tokenizer(folder, "a é €🚣 🚣🚣 é", size=262))
    index = build(new_folder(), texts, tokenizer, shards)
    with si.open(index) as opened:
        written = [opened.text(number) for number in range(len(texts))]
    first = si.deduplicate(index, new_folder().with_suffix(".jsonl"), min_length=length, progress=False)
    left = texts_of(first.path)
    assert "\ufffd" not in "".join(left)
    for line in lines_of(first.path):
        rest = iter(written[line["number"]])
        assert all(character in rest for character in line["text"])  # in this order
    if not left:
        return
    again = build(new_folder(), left, tokenizer, shards)
    second = si.deduplicate(again, new_folder().with_suffix(".jsonl.zst"), min_length=length, progress=False)
    assert texts_of(second.path) == left and second.num_passages == second.num_dropped == second.num_cut == 0


def test_passages_between_shards_and_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    passages = ["".join(generator.choice(list("abcdefgh "), 40)) for _ in range(5)]
    texts = ["".join(generator.choice([*passages, "x", "yz", *"abc"], 6)) for _ in range(40)]
    monkeypatch.setattr(duplicates, "MAX_BYTES", 64)
    monkeypatch.setattr(rounds, "BLOCK_DOCUMENTS", 3)
    found = []
    for shards, threads in ((1, 1), (4, 3)):
        index = build(tmp_path / f"{shards}", texts, "bytes", shards)
        report = si.deduplicate(index, tmp_path / f"{shards}.out.jsonl", min_length=10, threads=threads, progress=False)
        found.append((lines_of(report.path), report[1:]))
    assert found[0] == found[1] and found[0][1][3] > 40
    left = without_passages([list(text.encode()) for text in texts], 10)
    assert texts_of(tmp_path / "1.out.jsonl") == [bytes(document).decode() for document in left if document is not None]


def test_a_damaged_suffix_array_is_a_sentence(tmp_path: Path) -> None:
    index = build(tmp_path / "index", ["abcabc" * 9, "abc"], "bytes")
    path = index / "shards" / "00000" / "suffix_array.u32"
    ranked = np.fromfile(path, "<u4")
    ranked[[3, 7]] = ranked[[7, 3]]
    ranked.tofile(path)
    si.deduplicate(index, tmp_path / "a.jsonl", min_length=5, progress=False)  # in another order, of which verify tells
    ranked[5] = 2**32 - 1
    ranked.tofile(path)
    with pytest.raises(si.FormatError, match=r"suffix_array\.u32: .*4,294,967,295"):
        si.deduplicate(index, tmp_path / "b.jsonl", min_length=5, progress=False)
    assert not (tmp_path / "b.jsonl").exists()


def replayed(texts: list[str], told: list[dict[str, Any]], length: int) -> list[str]:
    """What is left of texts of one byte a character when what a report tells is cut out, round by round."""
    left = list(texts)
    for number in sorted({line["round"] for line in told}):
        before = list(left)
        lines = [line for line in told if line["round"] == number]
        assert lines == sorted(lines, key=lambda line: (line["document"], line["start"]))
        for line in reversed(lines):
            document, start, stop = line["document"], line["start"], line["stop"]
            assert line["text"] == before[document][start:stop]
            first, at = line["first_document"], line["first_start"]
            assert (first, at) < (document, start) and before[first][at] == line["text"][0]
            window = before[document][start : start + length]
            places = [(i, j) for i, text in enumerate(before) for j in range(len(text)) if text[j : j + length] == window]
            if (
                len(window) == length
                and places[0] < (document, start)
                and (places[0][0] < document or places[0][1] + length <= start)
            ):
                assert (first, at) == places[0]
            left[document] = left[document][:start] + left[document][stop:]
    return left


@pytest.mark.usefixtures("no_fsync")
@given(texts=TEXTS, length=st.integers(1, 5), shards=st.sampled_from([1, 3]), documents=st.booleans())
@example(texts=["aaaaaaaa", "aaaa"], length=3, shards=1, documents=False)
def test_a_report_tells_what_went(new_folder: Folder, texts: list[str], length: int, shards: int, documents: bool) -> None:
    index = build(new_folder(), texts, "bytes", shards)
    output, report = new_folder().with_suffix(".jsonl"), new_folder().with_suffix(".jsonl.zst")
    done = si.deduplicate(index, output, min_length=length, documents=documents, report=report, progress=False)
    told = lines_of(report)
    assert len(told) == done.num_passages and sum(line["stop"] - line["start"] for line in told) == done.num_tokens
    if documents:
        assert [(line["document"], line["first_document"]) for line in told] == [
            (number, texts.index(text)) for number, text in enumerate(texts) if texts.index(text) < number
        ]
        assert all((line["start"], line["first_start"], line["round"]) == (0, 0, 1) for line in told)
        assert [line["text"] for line in told] == [texts[line["document"]] for line in told]
        return
    left = replayed(texts, told, length)
    dropped = {number for number, text in enumerate(left) if not text and texts[number]}
    assert [text for number, text in enumerate(left) if number not in dropped] == texts_of(output)


def test_a_report_is_there_with_the_corpus_or_not_at_all(tmp_path: Path, letters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(said: str, output: str, report: str) -> None:
        with pytest.raises(si.BuildError, match=said):
            si.deduplicate(letters, tmp_path / output, report=tmp_path / report, progress=False)

    refused("is to hold the corpus, and the report too: choose another name", "a.jsonl", "a.jsonl")
    refused("no name of a file of JSON lines", "a.jsonl", "a.csv")
    refused("cannot be written: No such file or directory", "a.jsonl", "no/report.jsonl")
    refused("cannot be written: No such file or directory", "no/a.jsonl", "report.jsonl")
    (tmp_path / "there.jsonl").touch()
    refused("is there already", "a.jsonl", "there.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["there.jsonl"]


# ---- documents -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_fsync")
@given(texts=st.lists(st.text("ab", max_size=2), min_size=1, max_size=9), shards=st.sampled_from([1, 3]))
def test_equal_documents(new_folder: Folder, texts: list[str], shards: int) -> None:
    index = build(new_folder(), texts, "bytes", shards)
    report = si.deduplicate(index, new_folder().with_suffix(".jsonl"), documents=True, progress=False)
    assert texts_of(report.path) == list(dict.fromkeys(texts))
    assert [line["number"] for line in lines_of(report.path)] == [texts.index(text) for text in dict.fromkeys(texts)]
    assert (report.num_documents, report.num_dropped) == (len(set(texts)), len(texts) - len(set(texts)))
    assert report.num_tokens == sum(map(len, texts)) - sum(map(len, set(texts))) and report.num_cut == 0


# ---- what is written -----------------------------------------------------------------------------------------------


def test_metadata_are_kept_to_the_digit(tmp_path: Path) -> None:
    records = [
        '{"body": "one two", "id": 123456789012345678901234567890, "p": 0.30000000000000000001, "a": {"b": [1, null]}}',
        '{"body": "one two", "id": 2}',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(records))
    si.build(tmp_path / "a.jsonl", tmp_path / "index", tokenizer="bytes", text_field="body", progress=False)
    report = si.deduplicate(tmp_path / "index", tmp_path / "out.jsonl.zst", documents=True, progress=False)
    content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(report.path.read_bytes())).read().decode()
    assert content == records[0].replace('{"body"', '{"body"') + "\n"
    plain = si.deduplicate(tmp_path / "index", tmp_path / "out.jsonl", text_field="t", progress=False)
    assert [set(line) for line in lines_of(plain.path)] == [{"t", "id", "p", "a"}, {"t", "id"}]
    with pytest.raises(si.BuildError, match=r"the metadata of a document have a field 'id', .* name another, --text-field"):
        si.deduplicate(tmp_path / "index", tmp_path / "other.jsonl", text_field="id", progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "index", "out.jsonl", "out.jsonl.zst"]


def test_an_index_without_metadata(tmp_path: Path) -> None:
    corpus = write_jsonl(tmp_path / "a.jsonl", ["a", "b", "a"], number=range(3))
    si.build(corpus, tmp_path / "index", tokenizer="bytes", metadata=False, progress=False)
    report = si.deduplicate(tmp_path / "index", tmp_path / "out.jsonl", documents=True, progress=False)
    assert lines_of(report.path) == [{"text": "a"}, {"text": "b"}]


def test_what_cannot_be_done_is_a_sentence(tmp_path: Path, letters: str) -> None:
    def refused(said: str, **options: Any) -> None:
        asked = {"index": letters, "output": tmp_path / "a.jsonl", "progress": False, **options}
        with pytest.raises(si.SuffixIndexError, match=said):
            si.deduplicate(**asked)

    refused("no name of a file of JSON lines: expected one that ends with .jsonl.zst or .jsonl", output=tmp_path / "a.parquet")
    refused("min_length is 0: expected 1 or more", min_length=0)
    (tmp_path / "there.jsonl").touch()
    refused("is there already: choose another name, or remove it", output=tmp_path / "there.jsonl")
    refused("cannot be written: No such file or directory; nothing of it is left", output=tmp_path / "no" / "a.jsonl")
    np.array([1, 2, 2**16 - 1], "<u2").tofile(tmp_path / "ids.u16")
    si.build(tmp_path / "ids.u16", tmp_path / "ids", tokenizer="none", input_format="u16", separator=2**16 - 1, progress=False)
    refused("made of ids without a tokenizer, which have no text to write", index=tmp_path / "ids")
    si.export(letters, tmp_path / "v4_x", format="infini-gram")
    refused("is an index of infini-gram 4: only ours are deduplicated", index=tmp_path / "v4_x")


def test_from_the_shell(tmp_path: Path) -> None:
    build(tmp_path / "index", ["a b a b", "c", "a b a b"], "bytes")
    report = rows("deduplicate", str(tmp_path / "index"), "-o", str(tmp_path / "a.jsonl.zst"), "--min-length", "3")[0]
    assert report == {
        "path": str(tmp_path / "a.jsonl.zst"),
        "num_documents": 2,
        "num_dropped": 1,
        "num_cut": 1,
        "num_passages": 2,
        "num_tokens": 10,
        "text_bytes": 5,
        "rounds": 2,
    }
    assert texts_of(tmp_path / "a.jsonl.zst") == ["a b ", "c"]
    run("deduplicate", str(tmp_path / "index"), "-o", str(tmp_path / "b.jsonl"), "--documents")
    assert texts_of(tmp_path / "b.jsonl") == ["a b a b", "c"]
    run(
        "deduplicate",
        str(tmp_path / "index"),
        "-o",
        str(tmp_path / "d.jsonl"),
        "--documents",
        "--report",
        str(tmp_path / "r.jsonl"),
    )
    gone = {"document": 2, "round": 1, "start": 0, "stop": 7, "first_document": 0, "first_start": 0, "text": "a b a b"}
    assert lines_of(tmp_path / "r.jsonl") == [gone]
    said = sentence("deduplicate", str(tmp_path / "index"), "-o", "c.jsonl", "--documents", "--min-length", "3", code=2)
    assert "--documents compares whole documents: leave out --min-length" in said


def test_killed_at_any_moment_there_is_no_file(tmp_path: Path, letters: str) -> None:
    step = 0
    while killed_at(step, lambda: si.deduplicate(letters, tmp_path / "a.jsonl", progress=False)):
        assert not (tmp_path / "a.jsonl").exists()
        step += 1
    assert step and lines_of(tmp_path / "a.jsonl")


# ---- decoding ------------------------------------------------------------------------------------------------------


@given(rows=st.lists(st.lists(st.integers(0, 261), max_size=9), max_size=4))
def test_many_rows_are_decoded_as_each(new_folder: Folder, rows: list[list[int]]) -> None:
    folder = new_folder()
    folder.mkdir()
    write_tokenizer(folder, "a é €🚣 🚣🚣 é", size=262)
    opened = [open_tokenizer({"kind": "huggingface"}, folder), open_tokenizer({"kind": "bytes"}, folder)]
    for tokenizer in opened:
        arrays = [np.array([token % tokenizer.vocabulary_size for token in row], np.uint32) for row in rows]
        assert tokenizer.decode_batch(arrays) == [tokenizer.decode(row) for row in arrays]


def test_many_rows_of_words_are_decoded_as_each(words: str) -> None:
    tokenizer = open_tokenizer({"kind": "words"}, Path(words))
    ids = np.arange(1, tokenizer.vocabulary_size)
    for some in ([], [ids[:0]], [ids[:0], ids, ids[:0], ids[::-1], ids[:1]], [np.append(ids[:2], 0), ids[:3]]):
        assert tokenizer.decode_batch(some) == [tokenizer.decode(row) for row in some]
    assert not tokenizer.begins_inside().any()
