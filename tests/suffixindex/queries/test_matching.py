"""Texts against the corpus: longest matches, ∞-gram contexts and maximal spans, by brute force from the definitions."""

import math
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.queries import matching
from suffixindex.storage import matches as shard_matches
from tests import oracle
from tests.helpers import building
from tests.helpers.strategies import Corpus, corpora

Folder = Callable[[], Path]


@st.composite
def corpora_with_texts(draw: st.DrawFn) -> tuple[Corpus, list[list[int]]]:
    """Texts of the corpus's ids and of one that may be new, some of them pieced together from documents."""
    corpus = draw(corpora(max_length=14))
    token = st.sampled_from([*corpus.alphabet, corpus.vocabulary_size // 3])
    piece = st.one_of(
        st.lists(token, max_size=6),
        st.sampled_from(corpus.documents).flatmap(lambda document: st.integers(0, len(document)).map(lambda i: document[i:])),
    )
    text = st.lists(piece, max_size=4).map(lambda pieces: [token for part in pieces for token in part])
    return corpus, draw(st.lists(text, max_size=4))


TWICE = Corpus("u8", 255, [1, 2, 3], [[1, 2, 3, 1, 2, 1, 1], [3, 1, 2, 3, 1, 2, 1], [1, 2, 3, 1, 2, 1, 1]])
REPEATED = Corpus("u16", 65535, [4], [[4] * 9, [4] * 5])


@example(drawn=(TWICE, [[1, 2, 3, 1, 2, 1, 1], [3, 1, 2, 3, 1, 2, 1, 1, 9], []]), shards=2, cap=2)
@example(drawn=(REPEATED, [[4] * 12, [4, 5, 4, 4]]), shards=1, cap=3)
@example(drawn=(REPEATED, []), shards=1, cap=1)
@given(drawn=corpora_with_texts(), shards=st.sampled_from([1, 2, 5]), cap=st.sampled_from([1, 2, 3, 32]))
def test_whole_texts(new_folder: Folder, drawn: tuple[Corpus, list[list[int]]], shards: int, cap: int) -> None:
    corpus, texts = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    with mock.patch.object(shard_matches, "CAP", cap), mock.patch.object(matching, "POSITIONS", 8):
        matches, scores = index.matches(texts), index.scores(texts)
        assert len(matches) == len(scores) == len(texts)
        for text, found, score in zip(texts, matches, scores, strict=True):
            assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == oracle.longest_matches(corpus.documents, text)
            expected = [oracle.infgram(corpus.documents, text[:i], text[i], corpus.separator) for i in range(len(text))]
            assert list(zip(*map(np.ndarray.tolist, score), strict=True)) == expected
            spans = index.spans(text, limit=None)
            assert [(span.start, span.stop) for span in spans] == oracle.maximal_spans(corpus.documents, text)
            for span in spans:
                held = oracle.holding(corpus.documents, text[span.start : span.stop], corpus.separator)
                assert [(match.document_id, match.offsets.tolist()) for match in span.documents] == held
                assert span.count == sum(len(offsets) for _, offsets in held)
            for token in (*corpus.alphabet, corpus.separator):
                prob, *evidence = index.infgram(text, token)
                assert tuple(evidence) == oracle.infgram(corpus.documents, text, token, corpus.separator)
                assert prob == evidence[2] / max(evidence[1], 1)


def test_a_long_text_that_the_corpus_holds(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    document = generator.integers(0, 50, 3000)
    others = [generator.integers(0, 50, 300), np.concatenate([document[500:900], document[2000:2600]])]
    index = building.write_index(tmp_path / "index", [document.tolist(), *map(np.ndarray.tolist, others)], "u8", shards=2)
    text = np.concatenate([document[100:2900], [51], document[:40]])
    lengths, counts = index.match(text)
    assert lengths[:2800].tolist() == list(range(2800, 0, -1)) and lengths[2800] == 0
    assert counts[0] == 1 and counts[500] == 1 and (counts[2801:2820] == 1).all()
    scores = index.score(text)
    assert scores.suffix_lengths[:2801].tolist() == list(range(2801))
    assert scores.ngram_counts[2800] == 0 and scores.log_probs[2800] == -math.inf
    some = generator.integers(1, 2800, 60)
    assert index.counts([text[:i] for i in some]).tolist() == scores.context_counts[some].tolist()
    middle = index.match(document[2100:2500])
    assert middle.counts[0] == 2 == index.count(document[2100:2500])


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    index = building.write_index(tmp_path / "index", [[1, 2]], vocabulary_size=5)
    for ask in (index.score, index.matches, index.spans, lambda text: index.infgram(text, 1)):
        with pytest.raises(si.QueryError, match="outside the vocabulary"):
            ask([1, 5])
        with pytest.raises(si.QueryError, match="separator"):
            ask([1, index.separator])
    with pytest.raises(si.QueryError, match="found one"):
        index.scores("a text")
    with pytest.raises(si.QueryError, match="outside the vocabulary"):
        index.infgram([1], 5)
    with pytest.raises(si.QueryError, match="min_length"):
        index.spans([1], 0)
