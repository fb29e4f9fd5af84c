"""What a build makes: shards, vocabulary, bytes, numbers; and what it refuses."""

import io
import json
import os
import random
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.building import team
from suffixindex.building.folder import locked
from suffixindex.corpus import lines

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
TYPES = {"u8": np.uint8, "u16": np.uint16, "u32": np.uint32}


def write_corpus(path: Path, texts: Sequence[str], **fields: Sequence[Any]) -> Path:
    records = [{"text": text, **{name: values[i] for name, values in fields.items()}} for i, text in enumerate(texts)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def build(corpus: Any, index: Path, tokenizer: str = "bytes", **options: Any) -> Any:
    return si.build(corpus, index, **{"tokenizer": tokenizer, "progress": False, **options})


def content_of(index: Path) -> dict[str, bytes]:
    """Every file but the one that says how it was made."""
    files = {str(path.relative_to(index)): path.read_bytes() for path in index.rglob("*") if path.is_file()}
    files.pop("provenance.json", None)
    return files


def documents_of(index: Path) -> list[list[list[int]]]:
    """For each shard its documents, read from the raw files and cut at separators and at offsets alike."""
    manifest = json.loads((index / "manifest.json").read_text())
    shards = []
    for folder in sorted((index / "shards").iterdir()):
        tokens = np.fromfile(folder / f"tokens.{manifest['token_type']}", TYPES[manifest["token_type"]]).tolist()
        offsets = np.fromfile(folder / "document_offsets.u64", "<u8").tolist()
        documents = [tokens[start:stop] for start, stop in pairwise(offsets)]
        assert offsets[0] == 0
        assert offsets[-1] == len(tokens)
        assert all(document.index(manifest["separator"]) == len(document) - 1 for document in documents)
        shards.append([document[:-1] for document in documents])
    return shards


def words_of(text: str) -> list[str]:
    """Words by their definition: punctuation and symbols to spaces, lower case, split."""
    return "".join(" " if unicodedata.category(c)[0] in "PS" else c for c in text).lower().split()


def numbered(texts: Sequence[str]) -> tuple[list[list[int]], list[str]]:
    """Documents in numbers of first occurrence from 1 on, and the words in that order after the reserved one."""
    vocabulary: dict[str, int] = {"": 0}
    documents = [[vocabulary.setdefault(word, len(vocabulary)) for word in words_of(text)] for text in texts]
    return documents, list(vocabulary)


def prose(seed: int, documents: int, words: int = 60) -> list[str]:
    """Documents of random words, punctuated, some of them empty, some not in ASCII."""
    chosen = random.Random(seed)
    names = ["the", "The", "of", "naïve", "Ὀδυσσεύς", "ΟΔΟΣ", "İstanbul", "x²", "don't", "a_b", "東京"] + [
        f"w{i}" for i in range(words)
    ]
    marks = [" ", " ", " ", ", ", ". ", "\n", " — ", "\u2028", "\t\t", "…"]
    return [
        "".join(chosen.choice(names) + chosen.choice(marks) for _ in range(chosen.choice([0, 1, 5, 40]))) for _ in range(documents)
    ]


# ---- shards ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", ["bytes", "words"])
def test_shards_hold_whole_documents_in_order(tmp_path: Path, tokenizer: str) -> None:
    texts = [text + " end" for text in prose(1, 60)]
    corpus = write_corpus(tmp_path / "a.jsonl", texts)
    expected = [list(text.encode()) for text in texts] if tokenizer == "bytes" else numbered(texts)[0]
    total = sum(len(document) + 1 for document in expected)
    longest = max(len(document) + 1 for document in expected)
    seen = set()
    for number, capacity in enumerate((total, total - 1, total // 2 + longest, total // 5 + longest, longest)):
        report = build(corpus, tmp_path / str(number), tokenizer, shard_tokens=capacity)
        shards = documents_of(tmp_path / str(number))
        assert [document for shard in shards for document in shard] == expected
        lengths = [sum(len(document) + 1 for document in shard) for shard in shards]
        assert max(lengths) <= capacity
        firsts = [len(shard[0]) + 1 for shard in shards[1:]]
        # filled up: the next document would not have fitted
        assert all(length + first > capacity for length, first in zip(lengths, firsts, strict=False))
        assert report.num_shards == len(shards)
        seen.add(len(shards))
    assert {1, 2} < seen
    assert max(seen) >= 5


@pytest.mark.parametrize("tokenizer", ["bytes", "words"])
def test_answers_do_not_depend_on_the_number_of_shards(tmp_path: Path, tokenizer: str) -> None:
    texts = ["to be or not to be"] * 5 + ["to be as we go now"] * 5
    corpus = write_corpus(tmp_path / "a.jsonl", texts, n=list(range(10)))
    length = 6 + 1 if tokenizer == "words" else 18 + 1
    answers = []
    for shards, documents in ((1, 10), (2, 5), (5, 2)):
        report = build(corpus, tmp_path / str(shards), tokenizer, shard_tokens=documents * length)
        assert report.num_shards == shards
        with si.open(tmp_path / str(shards)) as index:
            found = index.documents("to be", limit=None)
            origins = [(d.document_id, d.line, d.metadata["n"], d.ngram_count, d.offsets.tolist()) for d in found]
            answers.append((index.count("to be"), index.document_count("not"), index.num_tokens, origins))
    assert answers[0][:2] == (15, 5)
    assert [origin[:4] for origin in answers[0][3]] == [(i, i + 1, i, 2 if i < 5 else 1) for i in range(10)]
    assert answers[1:] == answers[:1] * 2


@settings(max_examples=25)
@example(texts=[""], capacity=1)
@example(texts=["a"] * 4, capacity=4)
@given(texts=st.lists(st.text("ab", max_size=6), min_size=1, max_size=12), capacity=st.integers(7, 30))
def test_any_documents_in_shards_of_any_size(new_folder: Callable[[], Path], texts: list[str], capacity: int) -> None:
    corpus = write_corpus(new_folder() / "a.jsonl", texts, n=list(range(len(texts))))
    index = new_folder()
    build(corpus, index, shard_tokens=capacity, threads=1)
    shards = documents_of(index)
    assert [bytes(document).decode() for shard in shards for document in shard] == texts
    assert all(sum(len(document) + 1 for document in shard) <= capacity for shard in shards)
    with si.open(index) as opened:
        assert [opened.document(i).metadata["n"] for i in range(len(texts))] == list(range(len(texts)))
    si.verify(index, full=True)


def test_a_document_longer_than_a_shard_is_refused(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["short", "x" * 100, "short"])
    build(corpus, tmp_path / "fits", shard_tokens=101)
    sentence = r"^a document of 100 tokens does not fit a shard of 100, .* raise --memory or --shard-tokens, .*\"line\":2"
    with pytest.raises(si.BuildError, match=sentence):
        build(corpus, tmp_path / "index", shard_tokens=100)
    with pytest.raises(si.UnfinishedIndexError):
        si.open(tmp_path / "index")
    with pytest.raises(si.BuildError, match="no metadata kept"):
        build(corpus, tmp_path / "bare", shard_tokens=100, metadata=False)


# ---- the same bytes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", ["bytes", "words"])
def test_bytes_depend_on_neither_threads_nor_cuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: str) -> None:
    for number in range(3):
        write_corpus(tmp_path / "corpus" / f"{number}.jsonl", prose(number, 40), n=list(range(40)))
    options = {"tokenizer": tokenizer, "shard_tokens": 600 if tokenizer == "words" else 3000}
    reference = build(tmp_path / "corpus", tmp_path / "reference", threads=1, **options)
    expected = content_of(tmp_path / "reference")
    assert reference.num_shards > 1
    for number, (threads, block, batch) in enumerate([(2, 100, 1), (5, 1000, 5000), (5, 1 << 20, 1), (1, 37, 1000)]):
        monkeypatch.setattr(lines, "READ_BYTES", block)
        monkeypatch.setattr(team, "BATCH_BYTES", batch)
        build(tmp_path / "corpus", tmp_path / str(number), threads=threads, checkpoint_seconds=[0, 20][number % 2], **options)
        assert content_of(tmp_path / str(number)) == expected


def test_two_builds_are_equal_and_leave_nothing_behind(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", prose(5, 30))
    build(corpus, tmp_path / "one", "words", shard_tokens=150)
    build(corpus, tmp_path / "two", "words", shard_tokens=150)
    content = content_of(tmp_path / "one")
    assert content == content_of(tmp_path / "two")
    shards = json.loads(content["manifest.json"])["shards"]
    assert len(shards) > 2
    listed = {"manifest.json", "sources.jsonl", "vocabulary.txt", "vocabulary_offsets.u64", "vocabulary_order.u32"}
    for number, shard in enumerate(shards):
        listed |= {f"shards/{number:05d}/{name}" for name in (*shard["files"], "shard.json")}
    assert set(content) == listed


# ---- words -------------------------------------------------------------------------------------------------------


def test_words_are_numbered_by_first_occurrence(tmp_path: Path) -> None:
    texts = prose(9, 50)
    corpus = write_corpus(tmp_path / "a.jsonl", texts)
    build(corpus, tmp_path / "index", "words")
    documents, vocabulary = numbered(texts)
    assert documents_of(tmp_path / "index") == [documents]
    assert (tmp_path / "index" / "vocabulary.txt").read_bytes().decode().split("\n") == [*vocabulary, ""]
    with si.open(tmp_path / "index") as index:
        assert index.vocabulary_size == len(vocabulary)
        assert index.encode("THE w1! unheard—of").tolist() == [
            vocabulary.index("the"),
            vocabulary.index("w1"),
            0,
            vocabulary.index("of"),
        ]
        assert index.count("never seen") == 0


@pytest.mark.parametrize(
    ("distinct", "token_type"),
    [(1, "u8"), (254, "u8"), (255, "u16"), (65_534, "u16"), (65_535, "u32"), pytest.param(70_000, "u32", marks=pytest.mark.long)],
)
def test_words_take_the_narrowest_type(tmp_path: Path, distinct: int, token_type: str) -> None:
    texts = [" ".join(f"w{i}" for i in range(start, min(start + 1000, distinct))) for start in range(0, distinct, 1000)]
    corpus = write_corpus(tmp_path / "a.jsonl", [*texts, "w0"])
    report = build(corpus, tmp_path / "index", "words", shard_tokens=40_000)
    assert report.token_type == token_type
    names = {path.name for path in (tmp_path / "index").rglob("tokens.*")}
    assert names == {f"tokens.{token_type}"}
    manifest = json.loads((tmp_path / "index" / "manifest.json").read_text())
    assert manifest["vocabulary_size"] == distinct + 1
    assert manifest["separator"] == 2 ** int(token_type[1:]) - 1
    documents, _ = numbered([*texts, "w0"])
    assert [document for shard in documents_of(tmp_path / "index") for document in shard] == documents
    with si.open(tmp_path / "index") as index:
        assert index.count("w0") == 2
        assert index.count(f"w{distinct - 1}") == (2 if distinct == 1 else 1)
        assert index.next_distribution("w0").document_ends == (2 if distinct == 1 else 1)
    si.verify(tmp_path / "index", full=True)


def test_documents_without_words(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["", "...", " \n"])
    report = build(corpus, tmp_path / "index", "words")
    assert (report.num_documents, report.num_tokens, report.token_type) == (3, 0, "u8")
    with si.open(tmp_path / "index") as index:
        assert index.count([]) == 0
        assert index.count("word") == 0
        assert index.documents("word") == []


# ---- what a build says -------------------------------------------------------------------------------------------


def test_report_and_info_agree_with_the_corpus(tmp_path: Path) -> None:
    texts = ["one two", "", "three"]
    corpus = write_corpus(tmp_path / "a.jsonl", texts)
    with corpus.open("ab") as file:
        file.write(b'{"no": "text"}\n{"text": \n{"text": 1}\n{"text": 2}\n')
    report = build(corpus, tmp_path / "index", on_error="skip", shard_tokens=10, threads=2)
    skipped = {"no field 'text'": 1, "malformed JSON": 1, "field 'text' is no text": 2}
    files = [
        path for path in (tmp_path / "index").rglob("*") if path.name not in ("manifest.json", "provenance.json", "shard.json")
    ]
    size = sum(path.stat().st_size for path in files if path.is_file())
    assert report[:7] == (tmp_path / "index", 3, 12, 2, "u8", size, skipped)
    assert report.seconds.keys() == {"encode", "sort"}
    assert all(seconds >= 0 for seconds in report.seconds.values())
    assert report.peak_memory_bytes > 1 << 20
    assert json.loads((tmp_path / "index" / "manifest.json").read_text())["skipped"] == skipped
    with si.open(tmp_path / "index") as index:
        info = index.info()
    assert {
        key: info[key] for key in ("num_documents", "num_tokens", "num_shards", "num_bytes", "token_type", "vocabulary_size")
    } == {
        "num_documents": 3,
        "num_tokens": 12,
        "num_shards": 2,
        "num_bytes": size,
        "token_type": "u8",
        "vocabulary_size": 255,
    }
    assert info["skipped"] == skipped
    assert info["bytes_per_token"] == round(size / 12, 3)
    assert info["tokenizer"] == {"kind": "bytes"}
    assert info["settings"]["shard_capacity"] == 10
    assert info["provenance"]["threads"] == 2
    assert info["provenance"]["text_bytes"] == corpus.stat().st_size


def test_a_corpus_of_which_everything_is_skipped_is_empty(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["a"])
    with pytest.raises(si.CorpusError, match=r"^the corpus is empty: 1 inputs hold no document; skipped 1 \(no field 'body'\)$"):
        build(corpus, tmp_path / "index", "words", on_error="skip", text_field="body")


def test_a_second_call_does_nothing(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", prose(2, 10))
    first = build(corpus, tmp_path / "index", "words", shard_tokens=200)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in (tmp_path / "index").rglob("*") if path.is_file()}
    assert build(corpus, tmp_path / "index", "words", shard_tokens=200) == first
    assert build(corpus, tmp_path / "index", "words") == first  # the size of the shards is taken over
    assert build(corpus, tmp_path / "index", "words", threads=1, checkpoint_seconds=0) == first
    after = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in (tmp_path / "index").rglob("*") if path.is_file()}
    assert after == before


# ---- what a build refuses ----------------------------------------------------------------------------------------


def test_an_unknown_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["a"])
    with pytest.raises(si.TokenizerError, match=r"no file or folder ./tokenizer\.json"):
        build(corpus, tmp_path / "index", "./tokenizer.json")
    with pytest.raises(si.TokenizerError, match=r"has no tokenizer\.json"):
        build(corpus, tmp_path / "index", str(tmp_path))
    (tmp_path / "tokenizer.json").write_text('{"not": "one"}')
    with pytest.raises(si.TokenizerError, match=r"tokenizer\.json"):
        build(corpus, tmp_path / "index", str(tmp_path / "tokenizer.json"))
    assert not (tmp_path / "index").exists()


def test_the_output_is_a_file(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["a"])
    with pytest.raises(si.BuildError, match=rf"^{corpus} is a file: an index is a folder, choose another path$"):
        build(corpus, corpus)
    with pytest.raises(si.BuildError, match=r"a\.jsonl is a file: an index is a folder"):
        build(corpus, corpus / "index")
    assert corpus.read_text() == '{"text": "a"}\n'


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("name", ["thesis.tex", "shards/data.jsonl", "shards/00000.jsonl", "tokenizer.json", "vocabulary.txt"])
def test_a_folder_of_other_things_is_left_alone(tmp_path: Path, restart: bool, name: str) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["a"])
    mine = tmp_path / "index" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(
        si.BuildError, match=r"(is not empty and holds no index|which is no part of an index): choose another folder$"
    ):
        build(corpus, tmp_path / "index", restart=restart)
    assert mine.read_text() == "mine"
    assert [path for path in (tmp_path / "index").rglob("*") if path.is_file()] == [mine]


def test_a_foreign_file_beside_an_index_stops_a_restart(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["a"])
    build(corpus, tmp_path / "index")
    (tmp_path / "index" / "notes.txt").write_text("mine")
    with pytest.raises(si.BuildError, match=r"holds notes\.txt, which is no part of an index: choose another folder$"):
        build(corpus, tmp_path / "index", restart=True)
    assert si.open(tmp_path / "index").count("a") == 1


def leave_unfinished(corpus: Path, index: Path, **options: Any) -> None:
    """A build that stopped at its last record, which was mended meanwhile; all others are encoded."""
    whole = corpus.read_bytes()
    status = corpus.stat()
    broken = b'"test"'.join(whole.rsplit(b'"text"', 1))
    corpus.write_bytes(broken)
    os.utime(corpus, ns=(status.st_atime_ns, status.st_mtime_ns))
    with mock.patch.object(lines, "READ_BYTES", 30), mock.patch.object(team, "BATCH_BYTES", 1), pytest.raises(si.CorpusError):
        build(corpus, index, checkpoint_seconds=0, **options)
    corpus.write_bytes(whole)
    os.utime(corpus, ns=(status.st_atime_ns, status.st_mtime_ns))


OTHER = {
    "tokenizer": {"tokenizer": "words"},
    "shard_capacity": {"shard_tokens": 21},
    "text_field": {"text_field": "body"},
    "metadata": {"metadata": False},
    "on_error": {"on_error": "skip"},
}


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("what", OTHER)
def test_other_settings_are_refused_by_name(tmp_path: Path, finished: bool, what: str) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["some text"] * 3, body=["other"] * 3)
    options = {"tokenizer": "bytes", "shard_tokens": 20}
    if finished:
        build(corpus, tmp_path / "index", **options)
    else:
        leave_unfinished(corpus, tmp_path / "index", **options)
    before = content_of(tmp_path / "index")
    if what == "on_error" and not finished:  # nothing was skipped so far
        assert build(corpus, tmp_path / "index", **{**options, **OTHER[what]}).num_documents == 3
        return
    kind = "an index" if finished else "an unfinished build"
    sentence = rf"index holds {kind} of other settings \({what} differ\): choose another folder, or throw it away with --restart$"
    with pytest.raises(si.BuildError, match=sentence):
        build(corpus, tmp_path / "index", **{**options, **OTHER[what]})
    assert content_of(tmp_path / "index") == before
    assert build(corpus, tmp_path / "index", **options).num_documents == 3
    build(corpus, tmp_path / "index", **{**options, **OTHER[what]}, restart=True)
    build(corpus, tmp_path / "fresh", **{**options, **OTHER[what]})
    assert content_of(tmp_path / "index") == content_of(tmp_path / "fresh")


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("change", ["content", "time", "more"])
def test_a_changed_corpus_is_refused(tmp_path: Path, finished: bool, change: str) -> None:
    corpus = write_corpus(tmp_path / "corpus" / "a.jsonl", ["some text"] * 3)
    (build if finished else leave_unfinished)(corpus, tmp_path / "index")
    if change == "content":
        write_corpus(corpus, ["other text"] * 3)
    elif change == "time":
        os.utime(corpus, (1, 1))
    inputs = [corpus] if change != "more" else [corpus, write_corpus(tmp_path / "corpus" / "b.jsonl", ["b"])]
    with pytest.raises(si.BuildError, match=r"of other settings \(inputs differ\): choose another folder"):
        build(inputs, tmp_path / "index")
    assert build(inputs, tmp_path / "index", restart=True).num_documents == len(inputs) + 2


def test_a_damaged_state_says_how_to_start_anew(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["a"])
    leave_unfinished(corpus, tmp_path / "index")
    for content in ("{", "[]", '{"unknown": 1}', '"text"'):
        (tmp_path / "index" / "build.json").write_text(content)
        with pytest.raises(si.FormatError, match=r"build\.json is damaged: start anew with --restart"):
            build(corpus, tmp_path / "index")
    assert build(corpus, tmp_path / "index", restart=True).num_documents == 1


def test_files_shorter_than_the_checkpoint_say_how_to_start_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "READ_BYTES", 30)
    monkeypatch.setattr(team, "BATCH_BYTES", 1)
    corpus = write_corpus(tmp_path / "a.jsonl", ["some text"] * 20)
    with corpus.open("ab") as file:
        file.write(b"{")
    with pytest.raises(si.CorpusError):
        build(corpus, tmp_path / "index", checkpoint_seconds=0)
    assert json.loads((tmp_path / "index" / "build.json").read_text())["checkpoint"]["counts"]["documents"] > 5
    os.truncate(tmp_path / "index" / "shards" / "00000" / "tokens.u8", 3)
    with pytest.raises(
        si.BuildError, match=r"tokens\.u8 is shorter than when the build was interrupted: start anew with --restart"
    ):
        build(corpus, tmp_path / "index")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"memory": "1GiB", "shard_tokens": "1M"}, "memory and shard_tokens both set the size of the shards: give one"),
        ({"memory": "lots"}, "'lots' is no size: write it as 16GiB, 500MB or a number of bytes"),
        ({"memory": "-1GiB"}, "'-1GiB' is no size"),
        ({"shard_tokens": "many"}, "'many' is no number of tokens: write it as 500M, 2G or a number"),
        ({"shard_tokens": 0}, "'0' is no number of tokens|0 is no number of tokens"),
        ({"shard_tokens": -5}, "-5'? is no number of tokens"),
        ({"memory": "1MiB"}, "1 MiB of memory are too little for a build: give it [\\d,]+ MiB or more"),
        ({"memory": 0}, "0 MiB of memory are too little for a build"),
        ({"on_error": "ignore"}, "on_error is 'ignore': expected raise or skip"),
        ({"threads": 0}, "threads is 0: expected 1 or more"),
        ({"input_format": "xml"}, "unknown input format 'xml'"),
    ],
)
def test_settings_without_sense(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["a"])
    with pytest.raises(si.SuffixIndexError, match=sentence):
        build(corpus, tmp_path / "index", **options)
    assert not (tmp_path / "index").exists()


def test_the_least_memory_that_the_sentence_names_is_enough(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["a"])
    with pytest.raises(si.BuildError) as refused:
        build(corpus, tmp_path / "index", "words", memory="64MiB")
    least = str(refused.value).split("give it ")[1].removesuffix(" or more")
    assert build(corpus, tmp_path / "index", "words", memory=least).num_documents == 1


def test_a_second_build_of_the_same_folder_waits_for_nobody(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["a"])
    with locked(tmp_path / "index"):
        before = sorted((tmp_path / "index").iterdir())
        with pytest.raises(si.BuildError, match=r"^another build is writing to .*index: wait for it, or choose another folder$"):
            build(corpus, tmp_path / "index")
        assert sorted((tmp_path / "index").iterdir()) == before
    assert build(corpus, tmp_path / "index").num_documents == 1


def test_a_build_in_another_process_holds_the_folder(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["a"])
    index = tmp_path / "index"
    command = [sys.executable, "-m", "suffixindex", "build", "-", "-o", str(index), "--tokenizer", "bytes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        while not (index / "sources.jsonl").exists():
            assert process.poll() is None
            time.sleep(0.01)
        with pytest.raises(si.BuildError, match="another build is writing to"):
            build(corpus, index)
        with pytest.raises(si.BuildError, match="another build is writing to"):
            build(corpus, index, restart=True)
        process.stdin.write(b'{"text": "from the first"}\n')
        process.stdin.close()
        assert process.wait() == 0
    assert si.open(index).count("from the first") == 1


@pytest.mark.skipif(AS_ROOT, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.jsonl", ["a"])
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(si.BuildError, match=r"index cannot be made: Permission denied"):
        build(corpus, tmp_path / "locked" / "index")
    with pytest.raises(si.BuildError, match=r"locked cannot be written: Permission denied"):
        build(corpus, tmp_path / "locked")


def test_standard_input_starts_over_when_it_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "READ_BYTES", 30)
    monkeypatch.setattr(team, "BATCH_BYTES", 1)
    whole = b"".join(b'{"text": "document %d"}\n' % i for i in range(20))

    def build_from(content: bytes) -> Any:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        return build("-", tmp_path / "index", "words", checkpoint_seconds=0)

    with pytest.raises(si.CorpusError, match=r"^-, line 21: malformed JSON"):
        build_from(whole + b"{")
    assert build_from(whole).num_documents == 20
    with si.open(tmp_path / "index") as index:
        assert [index.decode(index.document(i).token_ids) for i in range(20)] == [f"document {i}" for i in range(20)]
