"""Every question that an index answers, against brute force from the definitions."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.queries import cooccurrence as together
from suffixindex.queries import documents, occurrences
from suffixindex.storage import shard
from tests import oracle
from tests.helpers import building
from tests.helpers.strategies import Corpus, corpora, corpora_with_ngrams, questions

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
    with mock.patch.object(shard, "FEW", 0), mock.patch.object(together, "FEW", 0):
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
                index.next_distribution(context)
            continue
        expected = oracle.next_tokens(corpus.documents, context, corpus.separator)
        found = index.next_distribution(context)
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
            halved = index.next_distribution(context)
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
            return [(one.document_id, one.offset, *(part.tolist() for part in (one.left, one.match, one.right))) for one in found]

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


@given(drawn=corpora_with_ngrams(min_size=3), at_once=st.integers(1, 9), share=st.integers(1, 3))
@settings(max_examples=FEWER)
def test_a_page_that_is_read_is_the_page_that_is_listed(
    new_folder: Folder, drawn: tuple[Corpus, list[list[int]]], at_once: int, share: int
) -> None:
    corpus, asked = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=2
    )
    some = np.arange(index.num_documents) % share == 0

    def pages() -> list[Any]:
        return [
            [(match.document_id, match.offsets.tolist()) for match in index.documents(ngram, limit, offset, where)]
            + [(line.document_id, line.offset, line.right.tolist()) for line in index.concordance(ngram, 2, limit, offset, where)]
            for ngram in asked
            for where in (None, some)
            for limit, offset in [(0, 0), (1, 0), (2, 1), (9, 0)]
        ]

    listed = pages()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occurrences, "READ_FROM", 1)
        patch.setattr(documents, "READ_FROM", 1)
        patch.setattr(occurrences, "READ_AT_ONCE", at_once)
        for patience in (2, 10**6):
            patch.setattr(occurrences, "READ", patience)
            assert pages() == listed


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
        assert [index.document_ids(*question, window=window).tolist() for question in questions] == which_near
        assert index.cooccurrences(questions, window=window).tolist() == near
        with mock.patch.object(together, "NEAR", 0):
            assert index.cooccurrences(questions, window=window).tolist() == near
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
    assert index.next_distribution([1], both).token_ids.tolist() == [2, 4]
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
            left, right = one.next_distribution(context), other.next_distribution(context)
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
    for one, context in zip(index.next_distributions(contexts), contexts, strict=True):
        assert one == index.next_distribution(context)
    with pytest.raises(si.QueryError, match="nothing follows"):
        index.next_distributions([*contexts, [corpus.separator]])


@given(drawn=corpora_with_ngrams(min_size=3), shards=SHARDS)
@settings(max_examples=FEWER)
def test_a_bulk_call_is_many_single_calls(new_folder: Folder, drawn: tuple[Corpus, list[list[int]]], shards: int) -> None:
    corpus, asked = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    many = asked * (-(-shard.MANY // len(asked)) + 1)
    assert len(many) >= shard.MANY
    times = len(many) // len(asked)
    some = np.arange(index.num_documents) % 2 == 0
    assert index.counts(many).tolist() == [index.count(ngram) for ngram in asked] * times
    assert index.counts(many, some).tolist() == [index.count(ngram, some) for ngram in asked] * times
    assert index.document_counts(many).tolist() == [index.document_count(ngram) for ngram in asked] * times
    assert index.document_counts(many, some).tolist() == [index.document_count(ngram, some) for ngram in asked] * times
    pairs = [([ngram], [asked[0]]) for ngram in asked]
    assert index.cooccurrences(pairs).tolist() == [index.cooccurrence(*pair) for pair in pairs]


def test_eight_threads_get_the_answers_of_one(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    documents = [generator.integers(0, 4, generator.integers(0, 30)).tolist() for _ in range(60)]
    path = building.write_index(tmp_path / "index", documents, "u8", shards=3).path
    asked = [generator.integers(0, 4, generator.integers(0, 5)).tolist() for _ in range(shard.FEW + 20)]

    def answers(index: si.SuffixIndex) -> list[object]:
        following = index.next_distribution(asked[7])
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
