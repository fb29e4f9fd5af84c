"""Every question that an index answers, against brute force from the definitions."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from unittest import mock

import building
import numpy as np
import oracle
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import Corpus, corpora, corpora_with_ngrams, questions, texts

import suffixindex as si
from suffixindex import shard
from suffixindex.format import FORMAT_VERSION

Folder = Callable[[], Path]
FEWER = max(5, settings.default.max_examples // 3)  # examples where each is a whole build, or many questions

SHARDS = st.sampled_from([1, 2, 5])
ONE_TOKEN = Corpus("u8", 255, [254], [[254]])
ALL_EMPTY = Corpus("u16", 65535, [7], [[], [], []])
ALL_EQUAL = Corpus("u8", 255, [3], [[3] * 6, [3], [], [3] * 3])
LARGEST = Corpus("u32", 2**32 - 1, [2**32 - 2, 0], [[2**32 - 2, 0, 2**32 - 2], [0, 2**32 - 2], []])


def asked(corpus: Corpus) -> list[list[int]]:
    """The n-grams of the named examples."""
    token, everything = corpus.alphabet[0], [token for document in corpus.documents for token in document]
    end = [corpus.separator]
    return [[], end, [token], [token] * 2, [token, *end], [*everything, token], corpus.documents[0] + end, corpus.documents[0]]


@contextmanager
def compiled() -> Iterator[None]:
    """Few are no reason to do without compiled code: the same answers as from a long life of large questions."""
    with mock.patch.object(shard, "FEW", 0):
        yield


def with_degenerate(test: Callable[..., None]) -> Callable[..., None]:
    """Always try the corpora where an edge is all there is."""
    for corpus in (ONE_TOKEN, ALL_EMPTY, ALL_EQUAL, LARGEST):
        test = example(drawn=(corpus, asked(corpus)), shards=2)(test)
    return test


# ---- occurrences -------------------------------------------------------------------------------------------------


@with_degenerate
@given(drawn=corpora_with_ngrams(), shards=SHARDS)
def test_counts(new_folder: Folder, drawn: tuple[Corpus, list[list[int]]], shards: int) -> None:
    corpus, asked = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    expected = [oracle.count(corpus.documents, ngram, corpus.separator) for ngram in asked]
    assert [index.count(ngram) for ngram in asked] == expected
    counts = index.counts(asked)
    assert counts.dtype == np.int64
    assert counts.tolist() == expected
    with compiled():
        assert [index.count(ngram) for ngram in asked] == expected
        assert index.counts(asked).tolist() == expected
    assert index.num_tokens == sum(map(len, corpus.documents)) == index.count([])
    assert index.num_documents == len(corpus.documents) == index.count([corpus.separator])


@with_degenerate
@given(drawn=corpora_with_ngrams(), shards=SHARDS)
def test_next_tokens(new_folder: Folder, drawn: tuple[Corpus, list[list[int]]], shards: int) -> None:
    corpus, asked = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    for context in asked:
        if context[-1:] == [corpus.separator]:
            with pytest.raises(si.QueryError, match="nothing follows"):
                index.next_tokens(context)
            continue
        expected = oracle.next_tokens(corpus.documents, context, corpus.separator)
        found = index.next_tokens(context)
        assert dict(zip(found.token_ids.tolist(), found.counts.tolist(), strict=True)) == expected
        assert found.token_ids.tolist() == sorted(expected)
        assert found.context_count == oracle.count(corpus.documents, context, corpus.separator) == found.counts.sum()
        assert found.document_ends == expected.get(corpus.separator, 0)
        assert found.probs.sum() == pytest.approx(1.0 if expected else 0.0)
        ranked = sorted(expected.items(), key=lambda entry: (-entry[1], entry[0]))
        total = max(sum(expected.values()), 1)
        for k in (1, 3, 100):
            assert found.top(k) == [(token, count, pytest.approx(count / total)) for token, count in ranked[:k]]
        for token, count in expected.items():
            assert index.count([*context, token]) == count
        small = 300 if corpus.vocabulary_size > 300 else corpus.vocabulary_size
        dense = found.dense(corpus.vocabulary_size) if corpus.vocabulary_size < 2**17 else None
        if dense is not None and expected:
            assert dense[:small].tolist() == [
                pytest.approx(expected.get(token, 0) / sum(expected.values())) for token in range(small)
            ]
            assert dense[-1] == pytest.approx(found.document_ends / found.context_count)
        elif dense is not None:
            assert np.isnan(dense).all()
        with compiled():
            halved = index.next_tokens(context)
        assert (halved.token_ids.tolist(), halved.counts.tolist()) == (found.token_ids.tolist(), found.counts.tolist())


@with_degenerate
@given(drawn=corpora_with_ngrams(), shards=SHARDS)
def test_concordance(new_folder: Folder, drawn: tuple[Corpus, list[list[int]]], shards: int) -> None:
    corpus, asked = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    for width, ngram in enumerate(asked):
        expected = oracle.concordance(corpus.documents, ngram, width, corpus.separator)

        def lines(ngram: list[int] = ngram, width: int = width, **page: int | None) -> list[tuple[object, ...]]:
            found = index.concordance(ngram, width, **page)  # type: ignore[arg-type]
            return [(line[0], line[1], *(part.tolist() for part in line[2:])) for line in found]

        assert lines(limit=None) == expected
        assert lines() == expected[:10]
        for limit, offset in [(1, 0), (2, 1), (3, 4), (0, 0), (5, len(expected)), (2, 10_000)]:
            assert lines(limit=limit, offset=offset) == expected[offset : offset + limit]
        assert lines(limit=None, offset=2) == expected[2:]


# ---- documents ---------------------------------------------------------------------------------------------------


@with_degenerate
@given(drawn=corpora_with_ngrams(), shards=SHARDS)
def test_documents(new_folder: Folder, drawn: tuple[Corpus, list[list[int]]], shards: int) -> None:
    corpus, asked = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    for ngram in asked:
        expected = oracle.holding(corpus.documents, ngram, corpus.separator)
        found = index.documents(ngram, limit=None)
        assert [(match.document_id, match.offsets.tolist()) for match in found] == expected
        assert [match.ngram_count for match in found] == [len(offsets) for _, offsets in expected]
        assert index.document_ids([ngram]).tolist() == [number for number, _ in expected]
        assert [match.num_tokens for match in found] == [len(corpus.documents[number]) for number, _ in expected]
        for limit, offset in [(1, 0), (2, 1), (3, 2), (0, 0), (5, len(expected))]:
            page = index.documents(ngram, limit=limit, offset=offset)
            assert [match.document_id for match in page] == [number for number, _ in expected[offset : offset + limit]]
    expected_counts = [oracle.document_count(corpus.documents, ngram, corpus.separator) for ngram in asked]
    assert [index.document_count(ngram) for ngram in asked] == expected_counts
    assert index.document_counts(asked).tolist() == expected_counts
    with compiled():
        assert index.document_counts(asked).tolist() == expected_counts
        assert [[match.document_id for match in index.documents(ngram, limit=None)] for ngram in asked] == [
            [number for number, _ in oracle.holding(corpus.documents, ngram, corpus.separator)] for ngram in asked
        ]
    for number, document in enumerate(corpus.documents):
        found_document = index.document(number)
        assert found_document.token_ids.tolist() == document
        assert found_document.token_ids.dtype == index.dtype
        assert (found_document.document_id, found_document.path, found_document.line, found_document.metadata) == (
            number,
            None,
            None,
            {},
        )


def test_documents_are_ten_unless_asked_for_more(tmp_path: Path) -> None:
    index = building.write_index(tmp_path / "index", [[5]] * 12, shards=5)
    assert [match.document_id for match in index.documents([5])] == list(range(10))
    assert len(index.documents([5], limit=None)) == 12


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_documents_say_where_they_came_from(tmp_path: Path, shards: int) -> None:
    records = [{"path": "a.jsonl", "line": number, "metadata": {"set": "é" * number}} for number in range(1, 8)]
    index = building.write_index(tmp_path / "index", [[number % 2] for number in range(7)], "u8", shards=shards, metadata=records)
    found = [(match.path, match.line, match.metadata) for match in index.documents([1])]
    assert found == [("a.jsonl", number, {"set": "é" * number}) for number in (2, 4, 6)]
    assert [index.document(i)[2:] for i in range(7)] == [tuple(record.values()) for record in records]
    assert index.sample_documents([0], 9, seed=1)[-1].metadata == {"set": "é" * 7}


@given(drawn=corpora_with_ngrams(), shards=SHARDS, seed=st.integers(0, 2**32), k=st.integers(0, 12))
@settings(max_examples=FEWER)
def test_sampled_documents_hold_the_ngram(
    new_folder: Folder, drawn: tuple[Corpus, list[list[int]]], shards: int, seed: int, k: int
) -> None:
    corpus, asked = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    whole = building.write_index(new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size)
    for ngram in asked:
        holding = dict(oracle.holding(corpus.documents, ngram, corpus.separator))
        sample = index.sample_documents(ngram, k, seed)
        ids = [match.document_id for match in sample]
        assert len(ids) == min(k, len(holding))
        assert ids == sorted(set(ids))
        assert all(match.offsets.tolist() == holding[match.document_id] for match in sample)
        assert ids == [match.document_id for match in whole.sample_documents(ngram, k, seed)]


def test_sampling_is_uniform_over_documents_not_occurrences(tmp_path: Path) -> None:
    documents = [[1] * number + [2] for number in range(1, 13)] + [[2]] * 5  # some hold the n-gram twelve times as often
    index = building.write_index(tmp_path / "index", documents, "u8", shards=5)
    draws, k, holding = 400, 3, 12
    drawn = np.zeros(len(documents), int)
    for seed in range(draws):
        for match in index.sample_documents([1], k, seed):
            drawn[match.document_id] += 1
    share = k / holding
    deviation = (draws * share * (1 - share)) ** 0.5
    assert drawn[holding:].sum() == 0
    assert np.abs(drawn[:holding] - draws * share).max() < 4.5 * deviation


# ---- co-occurrence -----------------------------------------------------------------------------------------------


@st.composite
def corpora_with_questions(draw: st.DrawFn) -> tuple[Corpus, list[list[list[list[int]]]], int]:
    corpus = draw(corpora())
    return corpus, draw(st.lists(questions(corpus), min_size=1, max_size=6)), draw(st.integers(0, 6))


@example(drawn=(ONE_TOKEN, [[[[]]], [[[255]], [[254]]]], 1), shards=1)
@example(drawn=(ALL_EMPTY, [[[[]]], [[[65535]], [[]]], [[[7], [65535]]]], 0), shards=2)
@example(drawn=(Corpus("u8", 255, [1, 2], [[1, 2], [2], [1]]), [[[[1]], [[2]]]], 0), shards=2)  # apart by the cut of a document
@given(drawn=corpora_with_questions(), shards=SHARDS)
def test_cooccurrence(new_folder: Folder, drawn: tuple[Corpus, list[list[list[list[int]]]], int], shards: int) -> None:
    corpus, questions, window = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    which = [oracle.together(corpus.documents, question, corpus.separator) for question in questions]
    which_near = [oracle.together(corpus.documents, question, corpus.separator, window) for question in questions]
    everywhere, near = list(map(len, which)), list(map(len, which_near))
    assert [index.document_ids(*question).tolist() for question in questions] == which
    assert [index.document_ids(*question, window=window).tolist() for question in questions] == which_near
    assert [np.flatnonzero(index.holding(*question, window=window)).tolist() for question in questions] == which_near
    with compiled():
        assert [index.document_ids(*question).tolist() for question in questions] == which
    assert [index.cooccurrence(*question) for question in questions] == everywhere
    assert [index.cooccurrence(*question, window=window) for question in questions] == near
    assert index.cooccurrences(questions).tolist() == everywhere
    assert index.cooccurrences(questions, window=window).tolist() == near
    # no order of clauses or of aliases matters, and a window that spans any document is none
    assert index.cooccurrences([question[::-1] for question in questions], window=window).tolist() == near
    assert index.cooccurrences([[clause[::-1] for clause in question] for question in questions]).tolist() == everywhere
    assert index.cooccurrences(questions, window=10**6).tolist() == everywhere
    # growing a window never shrinks
    grown = [index.cooccurrences(questions, window=size) for size in range(12)]
    assert all((more >= less).all() for less, more in pairwise(grown))


def test_cooccurrence_of_single_ngrams_and_aliases(tmp_path: Path) -> None:
    documents = [[1, 2, 3], [1, 3], [2, 3], [4], [1, 4, 4, 4, 2]]
    index = building.write_index(tmp_path / "index", documents, shards=2)
    assert index.cooccurrence([1], [2]) == 2  # ids alone are one n-gram
    assert index.cooccurrence([[1], [4]], [3]) == 2  # (1 or 4) and 3
    assert index.cooccurrence([[1, 2], [1, 3]], [3]) == 2
    assert index.cooccurrence([1, 2], [3]) == 1
    assert index.cooccurrence((1, 2), ([3],)) == 1
    assert index.cooccurrence(np.array([1, 2]), [np.array([3])]) == 1
    assert index.cooccurrence([4]) == 2
    assert index.cooccurrence([1], [2], window=3) == 1
    assert index.cooccurrence([1], [2], window=4) == 2
    assert index.cooccurrence([1], [2], [3], window=2) == 1
    assert index.cooccurrences([([1], [2]), ([[1], [4]], [3]), ([9], [1])]).tolist() == [2, 2, 0]
    assert index.cooccurrences([]).tolist() == []
    assert index.document_ids([[1], [4]], [3]).tolist() == [0, 1]
    assert index.document_ids([1], [2], window=3).tolist() == [0]
    assert index.holding([1], [2], [3]).tolist() == [True, False, False, False, False]


def test_documents_that_hold_something_restrict_any_question(tmp_path: Path) -> None:
    documents = [[1, 2, 3], [1, 3], [2, 3], [4], [1, 4, 4, 4, 2]]
    index = building.write_index(tmp_path / "index", documents, shards=2)
    both = index.holding([1], [2])
    assert not both.flags.writeable
    assert [match.document_id for match in index.documents([1], where=both)] == [0, 4]
    assert index.next_tokens([1], both).token_ids.tolist() == [2, 4]
    assert index.count([3], both) == 1
    assert [(line.document_id, line.offset) for line in index.concordance([4], where=index.holding([1]))] == [
        (4, 1),
        (4, 2),
        (4, 3),
    ]
    assert index.document_ids([1], where=index.holding([3])).tolist() == [0, 1]
    assert index.holding([9]).sum() == 0 and index.document_ids([9], [1]).tolist() == []
    for nothing in ([], [[]], [[1], []]):
        with pytest.raises(si.QueryError, match="at least one clause, and a clause at least one n-gram"):
            index.document_ids(*nothing)
    with pytest.raises(si.QueryError, match="window is -1: expected 0 or more"):
        index.holding([1], [2], window=-1)


# ---- what no answer may depend on --------------------------------------------------------------------------------


@given(drawn=corpora_with_ngrams(max_size=4), question=st.data(), shards=SHARDS)
@settings(max_examples=FEWER)
def test_no_answer_depends_on_the_order_of_documents_or_on_shards(
    new_folder: Folder, drawn: tuple[Corpus, list[list[int]]], question: st.DataObject, shards: int
) -> None:
    corpus, asked = drawn
    permuted = question.draw(st.permutations(corpus.documents))
    clauses = question.draw(questions(corpus))
    one = building.write_index(new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size)
    other = building.write_index(new_folder(), permuted, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards)
    assert one.counts(asked).tolist() == other.counts(asked).tolist()
    assert one.document_counts(asked).tolist() == other.document_counts(asked).tolist()
    assert one.cooccurrence(*clauses, window=2) == other.cooccurrence(*clauses, window=2)
    for context in asked:
        if context[-1:] != [corpus.separator]:
            left, right = one.next_tokens(context), other.next_tokens(context)
            assert left.token_ids.tolist() == right.token_ids.tolist()
            assert left.counts.tolist() == right.counts.tolist()


@given(drawn=corpora_with_ngrams(min_size=3), shards=SHARDS)
@settings(max_examples=FEWER)
def test_bulk_next_tokens(new_folder: Folder, drawn: tuple[Corpus, list[list[int]]], shards: int) -> None:
    corpus, asked = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    contexts = [context for context in asked if context[-1:] != [corpus.separator]]
    for one, context in zip(index.bulk_next_tokens(contexts), contexts, strict=True):
        assert [part.tolist() for part in one[:2]] == [part.tolist() for part in index.next_tokens(context)[:2]]
    with pytest.raises(si.QueryError, match="nothing follows"):
        index.bulk_next_tokens([*contexts, [corpus.separator]])


@given(drawn=corpora_with_ngrams(min_size=3), shards=SHARDS)
@settings(max_examples=FEWER)
def test_a_bulk_call_is_many_single_calls(new_folder: Folder, drawn: tuple[Corpus, list[list[int]]], shards: int) -> None:
    corpus, asked = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    many = asked * (-(-shard.MANY // len(asked)) + 1)
    assert len(many) >= shard.MANY
    assert index.counts(many).tolist() == [index.count(ngram) for ngram in asked] * (len(many) // len(asked))
    pairs = [([ngram], [asked[0]]) for ngram in asked]
    assert index.cooccurrences(pairs).tolist() == [index.cooccurrence(*pair) for pair in pairs]


def test_eight_threads_get_the_answers_of_one(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    documents = [generator.integers(0, 4, generator.integers(0, 30)).tolist() for _ in range(60)]
    path = building.write_index(tmp_path / "index", documents, "u8", shards=3).path
    asked = [generator.integers(0, 4, generator.integers(0, 5)).tolist() for _ in range(shard.FEW + 20)]

    def answers(index: si.SuffixIndex) -> list[object]:
        following = index.next_tokens(asked[7])
        return [
            index.counts(asked).tolist(),
            [index.count(ngram) for ngram in asked[:20]],
            index.document_counts(asked[:20]).tolist(),
            index.cooccurrence([0, 1], [[2], [3, 3]], window=3),
            index.cooccurrence([0, 1], [2]),
            index.cooccurrence_matrix(asked[:9], asked[5:12]).tolist(),
            [scores.ngram_counts.tolist() for scores in index.scores(documents[:8])],
            (following.token_ids.tolist(), following.counts.tolist()),
            [match.document_id for match in index.sample_documents([1, 2], 5, seed=3)],
            [line.offset for line in index.concordance([1], limit=None)],
        ]

    expected = answers(si.open(path))
    with si.open(path) as shared, ThreadPoolExecutor(8) as pool:  # fresh: nothing is mapped yet
        for future in [pool.submit(answers, shared) for _ in range(16)]:
            assert future.result() == expected


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
    assert small.next_tokens(ngram).context_count == 3


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
        small.next_tokens,
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
    asked = [*query, *written, "".join(written) + "a"]
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
        assert index.count(text) == oracle.count(documents, ids, index.separator)
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
    assert words.counts(["the pond", "pond the", "no such word", ""]).tolist() == [1, 0, 0, 13]
    assert words.cooccurrence("old", "pond") == 1
    assert words.cooccurrence(["old", "frog"], "pond") == 2
    assert words.cooccurrences([("old", "pond"), (["old", "frog"], ["pond"])]).tolist() == [1, 2]
    assert words.cooccurrence("frog", "pond", window=3) == 0
    assert words.cooccurrence("frog", "pond", window=4) == 1
    assert words.pieces(words.next_tokens("pond").token_ids) == ["<end of document>"]
    assert words.next_tokens("pond").document_ends == 2
    assert [match.metadata for match in words.documents("silence")] == [{"verse": 3}]
    assert [match.line for match in characters.sample_documents("pond", 5, seed=0)] == [1, 2]
    assert words.document(1).path.endswith("haiku.jsonl")
    line = words.concordance("jumps into", width=2)[0]
    assert [words.decode(part) for part in line[2:]] == ["a frog", "jumps into", "the pond"]


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
            index.next_tokens,
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


def test_a_context_manager_closes_and_may_be_asked_again(haiku: tuple[si.SuffixIndex, si.SuffixIndex]) -> None:
    with si.open(haiku[0].path) as index:
        assert index.counts(["pond"] * 300).tolist() == [2] * 300
        pool = index._pool
    with pytest.raises(RuntimeError):
        pool.submit(int)
    assert index.counts(["pond"] * 300).tolist() == [2] * 300
    index.close()
    index.close()


def test_a_question_changes_nothing_on_disk(haiku: tuple[si.SuffixIndex, si.SuffixIndex]) -> None:
    document = haiku[0].document(0)
    with pytest.raises(ValueError, match="read-only"):
        document.token_ids[0] = 0
