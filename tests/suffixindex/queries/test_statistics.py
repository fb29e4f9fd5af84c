"""Statistics of the whole corpus against brute force, over widths, shards and sizes of blocks."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.queries import duplicates, statistics
from tests import oracle
from tests.helpers import building
from tests.helpers.strategies import Corpus, corpora

Folder = Callable[[], Path]

SHARDS = st.sampled_from([1, 2, 5])
ONE_TOKEN = Corpus("u8", 255, [254], [[254]])
ALL_EMPTY = Corpus("u16", 65535, [7], [[], [], []])
ALL_EQUAL = Corpus("u8", 255, [3], [[3] * 6, [3], [], [3] * 3])
LARGEST = Corpus("u32", 2**32 - 1, [2**32 - 2, 0], [[2**32 - 2, 0, 2**32 - 2], [0, 2**32 - 2], [], [0, 2**32 - 2]])
LONG = Corpus("u16", 65535, [1, 2], [[1, 2] * 9, [2, 1] * 8, [1] * 12, [1] * 11 + [2]])


def with_degenerate(test: Callable[..., None]) -> Callable[..., None]:
    """Always try the corpora where an edge is all there is."""
    for corpus, shards in product((ONE_TOKEN, ALL_EMPTY, ALL_EQUAL, LARGEST, LONG), (1, 2)):
        test = example(corpus=corpus, shards=shards)(test)
    return given(corpus=corpora(), shards=SHARDS)(test)


def indexed(folder: Path, corpus: Corpus, shards: int) -> si.SuffixIndex:
    size = corpus.vocabulary_size
    return building.write_index(folder, corpus.documents, corpus.token_type, vocabulary_size=size, shards=shards)


@pytest.fixture(params=[1, None], ids=["blocks of few ranks", "one block"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(statistics, "BLOCK_TOKENS", request.param)


# ---- n-grams -----------------------------------------------------------------------------------------------------


@with_degenerate
@pytest.mark.usefixtures("blocks")
def test_top_ngrams(new_folder: Folder, corpus: Corpus, shards: int) -> None:
    index = indexed(new_folder(), corpus, shards)
    for n, k in [(1, 1), (1, 100), (2, 2), (3, 100), (9, 3), (10**9, 1)]:
        found = index.top_ngrams(n, k)
        assert found == oracle.top_ngrams(corpus.documents, n, k)
        assert [index.count(ngram.token_ids) for ngram in found] == [ngram.count for ngram in found]


@with_degenerate
@pytest.mark.usefixtures("blocks")
def test_ngram_statistics(new_folder: Folder, corpus: Corpus, shards: int) -> None:
    index = indexed(new_folder(), corpus, shards)
    for max_n, max_count in [(1, 1), (3, 4), (25, 2)]:
        num_ngrams, num_distinct, count_of_counts = oracle.ngram_statistics(corpus.documents, max_n, max_count)
        found = index.ngram_statistics(max_n, max_count)
        assert [part.dtype for part in found] == [np.int64] * 4
        assert found.n.tolist() == list(range(1, max_n + 1))
        assert found.num_ngrams.tolist() == num_ngrams
        assert found.num_distinct.tolist() == num_distinct
        assert found.count_of_counts.tolist() == count_of_counts
        assert index.distinct_ngrams(max_n).tolist() == num_distinct
        assert index.count_of_counts(max_n, max_count).tolist() == count_of_counts


def test_an_ngram_that_fills_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "BLOCK_TOKENS", 1)
    documents = [[1] * 300, [0] * 5, [1] * 50 + [2], [2] * 5]
    for shards in (1, 3):
        index = building.write_index(tmp_path / f"{shards}", documents, shards=shards)
        assert index.top_ngrams(2, 2) == oracle.top_ngrams(documents, 2, 2)
        _, *found = index.ngram_statistics(4, 60)
        assert tuple(part.tolist() for part in found) == oracle.ngram_statistics(documents, 4, 60)


# ---- novelty -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("blocks")
@given(corpus=corpora(), shards=SHARDS, data=st.data())
def test_novelty(new_folder: Folder, corpus: Corpus, shards: int, data: st.DataObject) -> None:
    index = indexed(new_folder(), corpus, shards)
    parts = st.one_of(st.sampled_from(corpus.documents), st.lists(st.integers(0, corpus.vocabulary_size - 1), max_size=2))
    text = [token for part in data.draw(st.lists(parts, max_size=4)) for token in part]
    for max_n in (1, 4, 60):
        found = index.novelty(text, max_n)
        expected = oracle.novel(corpus.documents, text, max_n)
        assert list(zip(found.num_ngrams.tolist(), found.num_novel.tolist(), strict=True)) == expected
        assert found.n.tolist() == list(range(1, max_n + 1))
        shares = [share for share, total in zip(found.share, found.num_ngrams, strict=True) if total]
        assert shares == [novel / total for total, novel in expected if total]
        assert np.isnan(found.share).sum() == max_n - len(shares)
        assert shares == sorted(shares)  # a longer n-gram is never better known


# ---- duplicates --------------------------------------------------------------------------------------------------

SIEVES: dict[str, Any] = {
    "a sieve that lets all pass": {"BASES": (0,), "SLOTS": 0},
    "a sieve of many parts": {"MAX_BYTES": 8, "SAMPLED": 2},
    "samples of few parts": {"SAMPLED": 2, "MOST_PARTS": 1},
    "the sieve": {},
}


@pytest.fixture(params=SIEVES)
def sieve(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SIEVES[request.param].items():
        monkeypatch.setattr(duplicates, name, value)


@with_degenerate
@pytest.mark.usefixtures("sieve")
def test_duplicates(new_folder: Folder, corpus: Corpus, shards: int) -> None:
    index = indexed(new_folder(), corpus, shards)
    for min_length in (1, 2, 3, 8, 100):
        expected = oracle.repeated_passages(corpus.documents, min_length)
        found = index.duplicates(min_length, limit=None, max_documents=None)
        assert found.num_passages == len(found.passages) == len(expected)
        assert found.num_tokens == oracle.repeated_tokens(corpus.documents, min_length)
        for passage in found.passages:
            documents = expected[tuple(passage.token_ids.tolist())]
            assert passage.token_ids.dtype == index.dtype
            assert passage.count == len(documents)
            assert passage.document_ids.tolist() == sorted(set(documents))
            assert passage.num_documents == len(set(documents))
            assert passage.saved_tokens == (len(documents) - 1) * len(passage.token_ids)
        saved = [(-p.saved_tokens, -len(p.token_ids), p.token_ids.tolist()) for p in found.passages]
        assert saved == sorted(saved)
        by_length = index.duplicates(min_length, limit=None, order="length", max_documents=1).passages
        assert {p.document_ids.tolist()[0] for p in by_length} == {p.document_ids.tolist()[0] for p in found.passages}
        assert all(len(p.document_ids) == 1 for p in by_length)
        lengths = [(-len(p.token_ids), -p.count, p.token_ids.tolist()) for p in by_length]
        assert lengths == sorted(lengths)
        some = index.duplicates(min_length, limit=2, max_documents=0)
        assert (some.num_passages, some.num_tokens) == (found.num_passages, found.num_tokens)
        assert [p.token_ids.tolist() for p in some.passages] == [p.token_ids.tolist() for p in found.passages[:2]]


def test_documents_that_are_repeated_many_times(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    size, copies = (3000, 40) if building.COMPILED else (60, 5)
    document, other = rng.integers(0, 60_000, size).tolist(), rng.integers(0, 60_000, size).tolist()
    documents = [document, other] * copies + [[1, *document[:-1], 2]]
    index = building.write_index(tmp_path / "index", documents, shards=3)
    found = index.duplicates(20, limit=None, max_documents=3)
    expected = [(document, copies, [0, 2, 4]), (document[:-1], copies + 1, [0, 2, 4]), (other, copies, [1, 3, 5])]
    assert sorted((p.token_ids.tolist(), p.count, p.document_ids.tolist()) for p in found.passages) == sorted(expected)
    assert found.num_tokens == 2 * copies * size + size - 1
    assert index.duplicates(size - 1, limit=None).num_passages == 3


def test_too_much_to_compare_is_a_sentence(tmp_path: Path) -> None:
    index = building.write_index(tmp_path / "index", [[1, 2, 3], [1, 2, 3]])
    with mock.patch("suffixindex.system.memory.MAX_TOKENS", 7), pytest.raises(si.QueryError, match="ask for longer ones"):
        index.duplicates(2)


# ---- errors ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_counted_is_refused_with_a_sentence(tmp_path: Path) -> None:
    index = building.write_index(tmp_path / "index", [[1, 2, 1]], vocabulary_size=3)
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: index.top_ngrams(0, 1), "n is 0: expected 1 or more"),
        (lambda: index.top_ngrams(1, 0), "k is 0: expected 1 or more"),
        (lambda: index.distinct_ngrams(0), "max_n is 0: expected 1 or more"),
        (lambda: index.count_of_counts(1, 0), "max_count is 0: expected 1 or more"),
        (lambda: index.duplicates(0), "min_length is 0: expected 1 or more"),
        (lambda: index.duplicates(1, limit=-1), "limit is -1: expected 0 or more"),
        (lambda: index.duplicates(1, max_documents=-1), "max_documents is -1: expected 0 or more"),
        (lambda: index.duplicates(1, order="count"), "order is 'count': expected 'saved' or 'length'"),  # type: ignore[arg-type]
        (lambda: index.novelty([1], 0), "max_n is 0: expected 1 or more"),
        (lambda: index.novelty([1, 3], 1), "id 3 is outside the vocabulary of 3 ids"),
        (lambda: index.novelty([1, index.separator], 1), "a text holds no separator"),
    ]
    for question, sentence in refused:
        with pytest.raises(si.QueryError, match=sentence):
            question()
