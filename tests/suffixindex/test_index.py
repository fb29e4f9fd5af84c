"""What an index takes for a question, text and ids; and the index as an object: opened, shared, pickled, closed."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.storage.format import FORMAT_VERSION
from tests import oracle
from tests.helpers import building
from tests.helpers.strategies import texts

Folder = Callable[[], Path]
FEWER = max(5, settings.default.max_examples // 3)  # examples where each is a whole build


# ---- what is taken for an n-gram ---------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["u8", "u16", "u32"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> si.SuffixIndex:
    """Ids 0 to 99: ``1 2 3 | 1 2 | (nothing) | 2 1 2``."""
    documents = [[1, 2, 3], [1, 2], [], [2, 1, 2]]
    return building.write_index(tmp_path_factory.mktemp("small") / "index", documents, request.param, vocabulary_size=100, shards=2)


@pytest.mark.parametrize(
    "ngram",
    [
        [1, 2],
        (1, 2),
        [np.int64(1), np.uint8(2)],
        [1, np.int32(2)],
        np.array([1, 2]),
        np.array([1, 2], np.uint8),
        np.array([1, 2], np.uint64),
        np.array([[1, 0, 2]])[0, ::2],
        range(1, 3),
    ],
    ids=repr,
)
def test_many_kinds_of_ids_are_one_ngram(small: si.SuffixIndex, ngram: object) -> None:
    assert small.count(ngram) == 3
    assert small.counts([ngram, [3], ngram]).tolist() == [3, 1, 3]
    assert small.document_count(ngram) == 3
    assert small.cooccurrence(ngram, [3]) == 1
    assert len(small.documents(ngram)) == len(small.concordance(ngram)) == 3
    assert small.next_distribution(ngram).context_count == 3


@pytest.mark.parametrize("empty", [[], (), np.empty(0), np.empty(0, np.int64), range(0)], ids=repr)
def test_the_empty_ngram_occurs_at_every_token(small: si.SuffixIndex, empty: object) -> None:
    assert small.count(empty) == 8
    assert small.counts([empty]).tolist() == [8]
    assert small.document_count(empty) == 3  # one document has no token


def test_rows_of_a_two_dimensional_array_are_ngrams(small: si.SuffixIndex) -> None:
    rows = np.array([[1, 2], [2, 1], [3, 3]], np.uint16)
    assert small.counts(rows).tolist() == [3, 1, 0]
    assert small.counts(np.tile(rows, (100, 1))).tolist() == [3, 1, 0] * 100
    assert small.counts(np.empty((0, 2), int)).tolist() == []
    assert small.counts(np.empty((3, 0), int)).tolist() == [8] * 3
    assert small.document_counts(rows).tolist() == [3, 1, 0]
    assert small.counts([]).tolist() == small.counts(()).tolist() == []
    assert small.counts(iter([[1, 2], [2]])).tolist() == [3, 4]


@pytest.mark.parametrize(
    ("ngram", "message"),
    [
        ([1, 100], "id 100 is outside the vocabulary of 100 ids"),
        ([-1], "id -1 is outside"),
        ([2**40], "outside"),
        ([2**64 - 1], "outside"),
        ([2**70], None),
        (np.array([1, -2], np.int8), "id -2 is outside"),
        ([1.0, 2.0], "integer ids, found float64"),
        (np.array([1.5]), "integer ids"),
        ([True, False], "integer ids, found bool"),
        ([[1, 2]], "2 dimensions"),
        ([[1], [2, 3]], None),
        (5, "0 dimensions"),
        (None, None),
        (["1"], "integer ids"),
        (b"\x01\x02", "bytes"),
        (bytearray(b"\x01"), "bytes"),
        ({1, 2}, None),
    ],
    ids=repr,
)
def test_what_is_no_ngram_is_refused(small: si.SuffixIndex, ngram: object, message: str | None) -> None:
    for ask in (
        small.count,
        small.next_distribution,
        small.documents,
        small.concordance,
        small.document_count,
        lambda ngram: small.counts([[1], ngram]),
        lambda ngram: small.counts([[1]] * 300 + [ngram]),
        lambda ngram: small.sample_documents(ngram, 1, seed=0),
    ):
        with pytest.raises(si.QueryError, match=message):
            ask(ngram)


def test_a_separator_may_only_end_an_ngram(small: si.SuffixIndex) -> None:
    end = small.separator
    assert small.count([2, end]) == 2
    assert small.count([end]) == 4
    for ngram in ([end, 1], [1, end, 2], [end, end]):
        for ask in (
            small.count,
            small.documents,
            lambda ngram: small.counts([[1], ngram]),
            lambda ngram: small.cooccurrence([1], ngram),
        ):
            with pytest.raises(si.QueryError, match="may only be the last"):
                ask(ngram)


def test_a_bad_ngram_of_a_batch_is_named(small: si.SuffixIndex) -> None:
    with pytest.raises(si.QueryError, match="n-gram 2: id 100"):
        small.counts([[1], [], [5, 100], [101]])
    with pytest.raises(si.QueryError, match="n-gram 1: "):
        small.counts([[1], [1.5]])
    with pytest.raises(si.QueryError, match="n-gram 1: id 400"):
        small.counts(np.array([[1, 2], [400, 1]]))
    with pytest.raises(si.QueryError, match="float"):
        small.counts(np.array([[1.0, 2.0]]))
    with pytest.raises(si.QueryError, match="list"):
        small.counts("one text")
    with pytest.raises(si.QueryError):
        small.counts([1, 2, 3])  # ids, not n-grams


def test_a_question_without_an_answer_is_refused(small: si.SuffixIndex) -> None:
    for clauses in ((), ([],), ([1], []), ([1], ())):
        with pytest.raises(si.QueryError, match="at least one"):
            small.cooccurrence(*clauses)
    with pytest.raises(si.QueryError, match="window is -1"):
        small.cooccurrence([1], [2], window=-1)
    with pytest.raises(si.QueryError, match="outside"):
        small.cooccurrence([1], [[2], [100]])
    with pytest.raises(si.QueryError):
        small.cooccurrence([1], [1.5])
    with pytest.raises(si.QueryError):
        small.cooccurrences([[1, 2]])  # a pair is two n-grams, not two ids
    with pytest.raises(si.QueryError):
        small.cooccurrences(["12"])  # a text is no pair
    for document_id in (-1, 4, 10**30):
        with pytest.raises(si.QueryError, match="outside the corpus of 4 documents"):
            small.document(document_id)
    for ask in (small.documents, small.concordance):
        with pytest.raises(si.QueryError, match="-1"):
            ask([1], limit=-1)
        with pytest.raises(si.QueryError, match="-1"):
            ask([1], offset=-1)
    with pytest.raises(si.QueryError, match="-1"):
        small.concordance([1], width=-1)
    with pytest.raises(si.QueryError, match="-1"):
        small.sample_documents([1], -1, seed=0)


# ---- text --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_fsync")
@given(written=texts(), query=texts(1, 4), capacity=st.sampled_from([None, 60]))
@example(written=[], query=["a"], capacity=None)
@example(written=["", ""], query=["", "a"], capacity=None)
@settings(max_examples=FEWER)
def test_text_built_as_bytes(new_folder: Folder, written: list[str], query: list[str], capacity: int | None) -> None:
    folder = new_folder()
    folder.mkdir()
    corpus = building.write_jsonl(folder / "corpus.jsonl", written)

    def build() -> si.BuildReport:
        return si.build(corpus, folder / "index", tokenizer="bytes", shard_tokens=capacity, progress=False)

    if not written:
        with pytest.raises(si.CorpusError, match="empty"):
            build()
        return
    build()
    index = si.open(folder / "index")
    documents = [list(text.encode()) for text in written]
    assert (index.num_documents, index.num_tokens) == (len(written), sum(map(len, documents)))
    asked = [text for text in (*query, *written, "".join(written) + "a") if text]
    expected = [oracle.count(documents, list(text.encode()), 255) for text in asked]
    assert [index.count(text) for text in asked] == expected
    assert index.counts(asked).tolist() == expected
    assert index.counts([list(text.encode()) for text in asked]).tolist() == expected
    assert [index.decode(index.document(number).token_ids) for number in range(len(written))] == written
    for text in asked:
        ids = index.encode(text)
        assert ids.tolist() == list(text.encode())
        assert index.decode([*ids.tolist(), 255]) == text
        assert len(index.pieces(ids)) == len(ids)


@pytest.mark.usefixtures("no_fsync")
@given(written=texts(1), query=texts(1, 4))
@example(written=["ΟΔΥΣΣΕΥΣ İstanbul Ⱥ", "ὈΔΥΣΣΕΎΣ"], query=["οδυσσευς", "Σ", "i̇stanbul ⱥ"])
@settings(max_examples=FEWER)
def test_text_built_as_words(new_folder: Folder, written: list[str], query: list[str]) -> None:
    folder = new_folder()
    folder.mkdir()
    corpus = building.write_jsonl(folder / "corpus.jsonl", written)
    si.build(corpus, folder / "index", tokenizer="words", progress=False)
    index = si.open(folder / "index")
    vocabulary, documents = oracle.number_words(written)
    assert index.vocabulary_size == len(vocabulary)
    assert [index.document(number).token_ids.tolist() for number in range(len(written))] == documents
    for text in [*query, *written]:
        found = oracle.words(text)
        ids = [vocabulary.index(word) if word in vocabulary else 0 for word in found]
        assert index.encode(text).tolist() == ids
        assert index.count(text if ids else []) == oracle.count(documents, ids, index.separator)
        assert index.pieces(ids) == [word if word in vocabulary else "?" for word in found]
    assert index.decode(index.document(0).token_ids) == " ".join(oracle.words(written[0]))


@pytest.fixture(scope="module")
def haiku(tmp_path_factory: pytest.TempPathFactory) -> tuple[si.SuffixIndex, si.SuffixIndex]:
    """The same three lines as bytes and as words."""
    folder = tmp_path_factory.mktemp("haiku")
    corpus = building.write_jsonl(
        folder / "haiku.jsonl",
        ["An old silent pond…", "A frog jumps into the pond,", "splash! Silence again."],
        verse=[1, 2, 3],
    )
    for kind in ("bytes", "words"):
        si.build(corpus, folder / kind, tokenizer=kind, progress=False)
    return si.open(folder / "bytes"), si.open(folder / "words")


def test_text_is_encoded_for_every_question(haiku: tuple[si.SuffixIndex, si.SuffixIndex]) -> None:
    characters, words = haiku
    assert characters.count("pond") == words.count("pond") == 2
    assert characters.count("an ") == 0  # case counts in bytes
    assert words.count("an") == words.count("AN!") == 1
    assert words.count("silen") == 0  # a word, not a part of one
    assert characters.count("ilen") == 2
    assert words.counts(["the pond", "pond the", "no such word"]).tolist() == [1, 0, 0]
    assert words.cooccurrence("old", "pond") == 1
    assert words.cooccurrence(["old", "frog"], "pond") == 2
    assert words.cooccurrences([("old", "pond"), (["old", "frog"], ["pond"])]).tolist() == [1, 2]
    assert words.cooccurrence("frog", "pond", window=3) == 0
    assert words.cooccurrence("frog", "pond", window=4) == 1
    assert words.pieces(words.next_distribution("pond").token_ids) == ["<end of document>"]
    assert words.next_distribution("pond").document_ends == 2
    assert [match.metadata for match in words.documents("silence")] == [{"verse": 3}]
    assert [match.line for match in characters.sample_documents("pond", 5, seed=0)] == [1, 2]
    assert words.document(1).path.endswith("haiku.jsonl")
    _, _, *parts = words.concordance("jumps into", width=2)[0]
    assert [words.decode(part) for part in parts] == ["a frog", "jumps into", "the pond"]


def test_text_and_ids_mix_in_a_batch(haiku: tuple[si.SuffixIndex, si.SuffixIndex]) -> None:
    words = haiku[1]
    assert words.counts(["pond", words.encode("the pond"), words.encode("pond").tolist(), []]).tolist() == [2, 1, 2, 13]


def test_pieces_and_separators(haiku: tuple[si.SuffixIndex, si.SuffixIndex]) -> None:
    characters, words = haiku
    assert characters.pieces([65, 10, 255]) == ["A", "\\x0a", "<end of document>"]
    ids = words.encode("old pond").tolist()
    assert words.pieces([ids[0], words.separator, ids[1], 0]) == ["old", "<end of document>", "pond", "?"]
    assert words.decode([words.separator]) == ""
    assert words.pieces([]) == []
    for bad in ([words.vocabulary_size], [-1], [words.separator - 1]):
        for ask in (words.pieces, words.decode):
            with pytest.raises(si.QueryError, match="outside the vocabulary"):
                ask(bad)


def test_half_a_surrogate_pair_is_no_text(haiku: tuple[si.SuffixIndex, si.SuffixIndex]) -> None:
    for index in haiku:
        for ask in (
            index.count,
            index.encode,
            index.next_distribution,
            index.documents,
            lambda text: index.cooccurrence("pond", ["a", text]),
        ):
            with pytest.raises(si.QueryError, match="not Unicode"):
                ask("a\ud800")
        with pytest.raises(si.QueryError, match=r"n-gram 1: .*not Unicode"):
            index.counts(["a", "\udfff"])


# ---- the object --------------------------------------------------------------------------------------------------


def test_info_is_plain_data(haiku: tuple[si.SuffixIndex, si.SuffixIndex]) -> None:
    info = haiku[1].info()
    assert json.loads(json.dumps(info)) == info
    assert info["tokenizer"]["kind"] == "words"
    assert (info["num_documents"], info["num_tokens"], info["num_shards"], info["token_type"]) == (3, 13, 1, "u8")
    assert info["vocabulary_size"] == 13 and info["format_version"] == FORMAT_VERSION  # twelve words and the reserved one
    unlisted = ("manifest.json", "provenance.json", "shard.json")
    files = sum(path.stat().st_size for path in haiku[1].path.rglob("*") if path.is_file() and path.name not in unlisted)
    assert info["num_bytes"] == files
    assert info["bytes_per_token"] == pytest.approx(files / 13, abs=0.001)
    assert info["provenance"]["seconds"].keys() >= {"encode", "sort"}
    assert repr(haiku[1]).endswith("words tokenizer, 3 documents, 13 tokens, 1 shard)")


def test_info_without_provenance(small: si.SuffixIndex) -> None:
    assert small.info()["provenance"] == {}


def test_an_index_pickles_by_its_path(haiku: tuple[si.SuffixIndex, si.SuffixIndex]) -> None:
    words = haiku[1]
    words.counts(["pond"] * 300)  # its threads run
    pickled = pickle.dumps(words)
    assert len(pickled) < 1000
    copy = pickle.loads(pickled)
    assert copy.path == words.path
    assert copy.counts(["pond", "frog"]).tolist() == [2, 1]
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).count('pond'))"
    other = subprocess.run([sys.executable, "-c", code], input=pickled, capture_output=True, check=True, cwd=os.getcwd())
    assert other.stdout == b"2\n"


def test_an_index_pickles_from_a_relative_path(
    haiku: tuple[si.SuffixIndex, si.SuffixIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(haiku[1].path.parent)
    pickled = pickle.dumps(si.open("words"))
    monkeypatch.chdir("/")
    assert pickle.loads(pickled).count("pond") == 2


def test_a_closed_index_refuses_questions(haiku: tuple[si.SuffixIndex, si.SuffixIndex]) -> None:
    with si.open(haiku[1].path) as index:
        assert index.counts(["pond"] * 300).tolist() == [2] * 300
        document = index.document(1).token_ids
        pool = index.local.pool
    questions: list[Callable[[], object]] = [
        lambda: index.count("pond"),
        lambda: index.count([1]),
        lambda: index.counts([[1]] * 300),
        lambda: index.next_distribution([1]),
        lambda: index.document(0),
        lambda: index.documents([1]),
        lambda: index.document_counts([[1]]),
        lambda: index.cooccurrence([1], [2]),
        lambda: index.counts_by([1], "path"),
        lambda: index.match([1, 2]),
        lambda: index.top_ngrams(2, 3),
        lambda: index.duplicates(2),
        lambda: index.encode("pond"),
        lambda: pool.submit(int),
    ]
    for question in questions:
        with pytest.raises(si.QueryError, match="the index is closed: open it again"):
            question()
    assert document.tolist() == haiku[1].document(1).token_ids.tolist()  # what was handed out stays
    assert index.num_documents == 3 and "3 documents" in repr(index)
    index.close()
    index.close()


def test_a_question_changes_nothing_on_disk(haiku: tuple[si.SuffixIndex, si.SuffixIndex]) -> None:
    document = haiku[0].document(0)
    with pytest.raises(ValueError, match="read-only"):
        document.token_ids[0] = 0
