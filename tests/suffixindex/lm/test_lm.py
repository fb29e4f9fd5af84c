"""Language models against brute force from their definitions, over widths and shards."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex import lm
from suffixindex.lm import kneser_ney
from suffixindex.lm.base import draw
from suffixindex.queries import statistics
from tests import oracle
from tests.helpers import building
from tests.helpers.foreign_building import write_infinigram
from tests.helpers.strategies import Corpus, corpora

Folder = Callable[[], Path]

SHARDS = st.sampled_from([1, 2, 5])
ORDERS = st.integers(1, 5)
SMALL = 7  # ids of vocabularies whose every outcome is asked for
ONE_TOKEN = Corpus("u8", SMALL, [6], [[6]])
ALL_EQUAL = Corpus("u8", SMALL, [3], [[3] * 6, [3], [], [3] * 3])
STARTS_EMPTY = Corpus("u16", 3, [1, 2], [[], [1, 2, 1], [], [2, 1], [1, 2, 1]])
WHOLE_TYPE = Corpus("u8", 255, [254, 0], [[254, 0, 254], [0, 254], [], [0, 254]])
LONG = Corpus("u16", 3, [1, 2], [[1, 2] * 9, [2, 1] * 8, [1] * 12, [1] * 11 + [2]])
rng = np.random.default_rng(5)
# large enough for discounts that are estimated, not the fallback
NATURAL = Corpus("u8", SMALL, [0, 1, 2, 3], [np.minimum(rng.geometric(0.4, 12) - 1, SMALL - 1).tolist() for _ in range(12)])


@st.composite
def small_corpora(draw: st.DrawFn) -> Corpus:
    """A corpus that holds a token, over a vocabulary whose every outcome can be asked for."""
    found = draw(corpora(token_types=("u8", "u16")).filter(lambda corpus: any(corpus.documents)))
    ids = {token: i for i, token in enumerate(dict.fromkeys(found.alphabet))}
    documents = [[ids[token] for token in document] for document in found.documents]
    return Corpus(found.token_type, SMALL, list(ids.values()), documents)


def with_degenerate(test: Callable[..., None]) -> Callable[..., None]:
    """Always try the corpora where an edge is all there is."""
    for corpus, (shards, order) in product(
        (ONE_TOKEN, ALL_EQUAL, STARTS_EMPTY, WHOLE_TYPE, LONG, NATURAL), ((1, 1), (2, 3), (5, 5))
    ):
        test = example(corpus=corpus, shards=shards, order=order)(test)
    return given(corpus=small_corpora(), shards=SHARDS, order=ORDERS)(test)


def indexed(folder: Path, corpus: Corpus, shards: int) -> si.SuffixIndex:
    size = corpus.vocabulary_size
    return building.write_index(folder, corpus.documents, corpus.token_type, vocabulary_size=size, shards=shards)


def texts_of(corpus: Corpus) -> list[list[int]]:
    """Texts that a corpus holds, in part and not at all."""
    first = max(corpus.documents, key=len)
    absent = corpus.vocabulary_size - 1
    return [first, [*first[1:3], *corpus.alphabet, *first[:2]], [absent, *first[:2], absent, first[0]], [], corpus.alphabet[::-1]]


def outcomes(corpus: Corpus) -> list[int]:
    return [*range(corpus.vocabulary_size), corpus.separator]


@pytest.fixture(params=[1, None], ids=["blocks of few ranks", "one block"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(statistics, "BLOCK_TOKENS", request.param)
        monkeypatch.setattr(kneser_ney, "CHUNK", request.param)


# ---- modified Kneser-Ney -----------------------------------------------------------------------------------------


@with_degenerate
@pytest.mark.usefixtures("blocks")
def test_counts_of_continuation_counts(new_folder: Folder, corpus: Corpus, shards: int, order: int) -> None:
    model = lm.KneserNey(indexed(new_folder(), corpus, shards), order)
    for n in range(1, order + 1):
        counts = oracle.kneser_ney_counts(corpus.documents, n, order, corpus.separator)
        found = model._corpus.count_of_counts[n - 1].tolist()
        assert found == [sum(c == i for c in counts.values()) for i in (1, 2, 3, 4)]
        assert [0.0, *model.discounts[n - 1]] == oracle.kneser_ney_discounts(list(counts.values()))
    counts = oracle.kneser_ney_counts(corpus.documents, 1, order, corpus.separator)
    assert model._corpus.unigrams.tolist() == [counts.get((token,), 0) for token in outcomes(corpus)]


@with_degenerate
@pytest.mark.usefixtures("blocks")
def test_kneser_ney(new_folder: Folder, corpus: Corpus, shards: int, order: int) -> None:
    model = lm.KneserNey(indexed(new_folder(), corpus, shards), order)
    texts = texts_of(corpus)
    scores = model._score([np.array(text, np.int64) for text in texts])
    for text, together in zip(texts, scores, strict=True):
        alone = model.log_probs(text)
        assert alone.shape == (len(text),) and alone.dtype == np.float64
        np.testing.assert_allclose(alone, together, rtol=1e-12)
        for place, token in list(enumerate(text))[-12:]:
            expected = oracle.kneser_ney(corpus.documents, order, outcomes(corpus), corpus.separator, text[:place])
            np.testing.assert_allclose(np.exp(alone[place]), expected[token], rtol=1e-12)
            probs = model.next_probs(text[:place])
            np.testing.assert_allclose(probs, expected, rtol=1e-12)
            assert probs.sum() == pytest.approx(1, abs=1e-12)
            assert (probs > 0).all()


def test_kneser_ney_worked_by_hand(tmp_path: Path) -> None:
    """Two documents, "0 1" and "0 2": order 2, the fallback's discounts."""
    model = lm.KneserNey(building.write_index(tmp_path / "index", [[0, 1], [0, 2]], vocabulary_size=3), 2)
    # before 0: the start; before 1 and 2: 0; before the end: 1 and 2. Discounts 0.5, 0.5, 0.5 and 1 leave 2.5 of 5 to 1/4
    unigrams = np.array([0.5, 0.5, 0.5, 1.0]) / 5 + 2.5 / 5 / 4
    np.testing.assert_allclose(model.next_probs([]), unigrams, rtol=1e-15)
    # after 0: 1 and 2, once each
    np.testing.assert_allclose(model.next_probs([0]), np.array([0, 0.5, 0.5, 0]) / 2 + 1 / 2 * unigrams, rtol=1e-15)
    # after 1 the document ends
    np.testing.assert_allclose(model.next_probs([2, 1]), np.array([0, 0, 0, 0.5]) / 1 + 0.5 * unigrams, rtol=1e-15)
    np.testing.assert_allclose(np.exp(model.log_probs([0, 1])), [unigrams[0], 0.25 + unigrams[1] / 2], rtol=1e-15)


def test_discounts() -> None:
    assert kneser_ney.estimate_discounts(100, 30, 15, 8) == pytest.approx((0.625, 2 - 3 * 0.625 * 0.5, 3 - 4 * 0.625 * 8 / 15))
    for counts in [(0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (10, 1, 9, 1), (0, 0, 0, 0)]:
        assert kneser_ney.estimate_discounts(*counts) == kneser_ney.FALLBACK


def test_order_of_documents_and_shards_do_not_matter(tmp_path: Path) -> None:
    text = NATURAL.documents[3]
    answers = []
    for number, (documents, shards) in enumerate(product((NATURAL.documents, NATURAL.documents[::-1]), (1, 2, 5))):
        index = indexed(tmp_path / f"{number}", NATURAL._replace(documents=documents), shards)
        answers.append(lm.KneserNey(index, 4).log_probs(text).tolist())
    assert all(answer == answers[0] for answer in answers)


# ---- ∞-gram ------------------------------------------------------------------------------------------------------


@with_degenerate
def test_infgram(new_folder: Folder, corpus: Corpus, shards: int, order: int) -> None:
    model = lm.Infgram(indexed(new_folder(), corpus, shards))
    for text in texts_of(corpus):
        scores = model.log_probs(text)
        for place, token in enumerate(text):
            expected = oracle.infgram_probs(corpus.documents, outcomes(corpus), corpus.separator, text[:place])
            np.testing.assert_allclose(np.exp(scores[place]), expected[token], rtol=1e-12)
            np.testing.assert_allclose(model.next_probs(text[:place]), expected, rtol=1e-12)


# ---- stupid backoff ----------------------------------------------------------------------------------------------


@with_degenerate
def test_stupid_backoff(new_folder: Folder, corpus: Corpus, shards: int, order: int) -> None:
    model = lm.StupidBackoff(indexed(new_folder(), corpus, shards), order, alpha=0.3)
    for text in texts_of(corpus):
        scores = model.score(text)
        assert scores.shape == (len(text),)
        for place, token in list(enumerate(text))[:8]:
            asked = [token] if corpus.vocabulary_size > SMALL else outcomes(corpus)
            question = corpus.documents, order, 0.3, corpus.separator, text[:place]
            expected = {one: oracle.stupid_backoff(*question, one) for one in asked}
            assert scores[place] == pytest.approx(expected[token], rel=1e-12)
            found = model.next_scores(text[:place])
            assert [found[min(one, corpus.vocabulary_size)] for one in asked] == pytest.approx(list(expected.values()), rel=1e-12)


# ---- perplexity and samples --------------------------------------------------------------------------------------


def test_perplexity(tmp_path: Path) -> None:
    index = indexed(tmp_path / "index", NATURAL, 2)
    model = lm.KneserNey(index, 3)
    texts = [NATURAL.documents[0], [], [5, 6]]
    logs = np.concatenate([model.log_probs(text) for text in texts])
    found = model.perplexity(texts)
    assert found == (pytest.approx(np.exp(-logs.mean())), len(logs), 0)
    assert model.perplexity(iter(texts)) == found
    infgram = lm.Infgram(indexed(tmp_path / "other", ALL_EQUAL, 1))
    assert infgram.perplexity([[3, 3], [3, 5, 5]]) == (np.inf, 5, 2)  # said, not left out


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_samples_follow_the_probabilities(tmp_path: Path, temperature: float) -> None:
    model = lm.KneserNey(indexed(tmp_path / "index", NATURAL, 2), 3)
    expected = model.next_probs([0, 1]) ** (1 / temperature)
    expected /= expected.sum()
    draws, generator = 20_000, np.random.default_rng(1)
    drawn = np.bincount([draw(model.next_probs([0, 1]), temperature, generator) for _ in range(100)], minlength=SMALL + 1)
    probs = model.next_probs([0, 1])
    drawn += np.bincount([draw(probs, temperature, generator) for _ in range(draws - 100)], minlength=SMALL + 1)
    chi_square = ((drawn - draws * expected) ** 2 / (draws * expected)).sum()
    assert chi_square < 24.3  # of 7 degrees of freedom: one in a thousand is larger


def test_samples_are_seeded_and_stop_where_the_document_ends(tmp_path: Path) -> None:
    index = indexed(tmp_path / "index", NATURAL, 2)
    model = lm.KneserNey(index, 3)
    once, again = model.sample([1], 30, seed=7), model.sample([1], 30, seed=7)
    assert once.tolist() == again.tolist() and once.dtype == np.int64
    samples = [model.sample([1], 30, seed=seed).tolist() for seed in range(20)]
    assert len({tuple(sample) for sample in samples}) > 5
    assert any(len(sample) < 30 for sample in samples) and max(map(max, filter(None, samples))) < SMALL
    assert model.sample([1], 0, seed=0).tolist() == []
    document = max(NATURAL.documents, key=len)
    copied = lm.Infgram(index).sample(document[:8], 100, seed=0)
    assert copied.tolist() == document[8:]  # eight tokens that occur once: the corpus, word for word, and its end


# ---- interpolation -----------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), num_buckets=st.integers(1, 3))
def test_weights_are_the_most_probable(seed: int, num_buckets: int) -> None:
    generator = np.random.default_rng(seed)
    with np.errstate(divide="ignore"):
        infgram = np.log(generator.choice([0, 0.1, 0.5, 1], 60))
    neural = np.log(generator.uniform(1e-9, 1, 60))
    buckets = generator.integers(0, num_buckets, 60)
    weights = lm.fit_weights(infgram, neural, buckets, num_buckets)
    grid = np.linspace(0, 1, 501)
    for bucket in range(num_buckets):
        here = buckets == bucket

        def likelihood(weight: float, here: np.ndarray = here) -> float:
            return float(lm.interpolate(infgram[here], neural[here], weight).sum())

        assert likelihood(float(weights[bucket])) >= max(map(likelihood, grid)) - 1e-9


def test_interpolate() -> None:
    infgram, neural = np.log([0.5, 1.0, 0.25]), np.log([0.1, 0.2, 0.3])
    found = lm.interpolate(infgram, neural, [0.5, 0.0, 1.0], [0, 1, 2])
    np.testing.assert_allclose(np.exp(found), [0.3, 0.2, 0.25])
    zero = lm.interpolate([-np.inf, -np.inf], [-np.inf, 0.0], 1.0)
    assert zero.tolist() == [-np.inf, -np.inf]
    pooled = lm.fit_weights(infgram, neural, [0, 0, 0], num_buckets=2)
    assert pooled[0] == pooled[1]  # nothing of bucket 1 was held out


def test_buckets(tmp_path: Path) -> None:
    documents = [[0, 1, 2], [0, 1, 3], [4, 1, 2]]
    index = building.write_index(tmp_path / "index", documents, vocabulary_size=6, shards=3)
    scores = index.score([0, 1, 2, 5, 4, 5])
    assert scores.suffix_lengths.tolist() == [0, 1, 2, 3, 0, 1]
    # after 0 always 1; after 0 1 both 2 and 3; after 0 1 2 the end; after 5, which the corpus lacks, anything; after 4 always 1
    assert lm.buckets_by_sparsity(index, [0, 1, 2, 5, 4, 5], scores).tolist() == [0, 1, 0, 1, 0, 1]
    assert lm.buckets_by_length(scores, [1, 3]).tolist() == [0, 1, 1, 2, 0, 1]


# ---- errors ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_answered_is_refused_with_a_sentence(tmp_path: Path) -> None:
    index = building.write_index(tmp_path / "index", [[1, 2, 1]], vocabulary_size=3)
    model, backoff, infgram = lm.KneserNey(index, 2), lm.StupidBackoff(index, 2), lm.Infgram(index)
    empty = lm.Infgram(building.write_index(tmp_path / "empty", [[], []], vocabulary_size=3))
    scores = index.score([1, 2])
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: lm.KneserNey(index, 0), "order is 0: expected 1 or more"),
        (lambda: lm.StupidBackoff(index, 0), "order is 0: expected 1 or more"),
        (lambda: lm.StupidBackoff(index, 2, alpha=0), "alpha is 0: expected a number above 0 and up to 1"),
        (lambda: lm.StupidBackoff(index, 2, alpha=1.5), "alpha is 1.5"),
        (lambda: lm.StupidBackoff(index, 2, alpha=float("nan")), "alpha is nan"),
        (lambda: backoff.perplexity([[1]]), "scores, not probabilities"),
        (lambda: backoff.score([3]), "id 3 is outside the vocabulary of 3 ids"),
        (lambda: model.log_probs([1, 3]), "id 3 is outside the vocabulary of 3 ids"),
        (lambda: model.next_probs([1, index.separator]), "a text holds no separator"),
        (lambda: infgram.log_probs([-1]), "id -1 is outside the vocabulary of 3 ids"),
        (lambda: empty.next_probs([]), "the corpus holds no token"),
        (lambda: model.perplexity([]), "perplexity of no tokens"),
        (lambda: model.perplexity([[]]), "perplexity of no tokens"),
        (lambda: model.perplexity("the"), "put it in a list"),
        (lambda: model.sample([1], -1, seed=0), "max_tokens is -1: expected 0 or more"),
        (lambda: model.sample([1], 1, seed=0, temperature=0), "temperature is 0: expected a number above 0"),
        (lambda: lm.buckets_by_sparsity(index, [1], scores), "a text of 1 tokens with scores of 2"),
        (lambda: lm.buckets_by_length(scores, [2, 1]), "expected ascending suffix lengths"),
        (lambda: lm.interpolate([0.0], [0.0, 0.0], 0.5), "expected one of each for each token"),
        (lambda: lm.interpolate([0.5], [0.0], 0.5), "above 0 or nan"),
        (lambda: lm.interpolate([0.0], [np.nan], 0.5), "above 0 or nan"),
        (lambda: lm.interpolate([0.0], [0.0], 1.5), "expected numbers from 0 to 1"),
        (lambda: lm.interpolate([0.0], [0.0], [0.5], [1]), "in bucket 1, but there are weights of 1"),
        (lambda: lm.interpolate([0.0], [0.0], [0.5], [-1]), "buckets are numbers from 0"),
        (lambda: lm.fit_weights([-np.inf], [-np.inf]), "nothing to fit the weights to"),
        (lambda: lm.fit_weights([0.0], [0.0], [2], num_buckets=2), "expected buckets below 2"),
    ]
    for question, sentence in refused:
        with pytest.raises(si.QueryError, match=sentence):
            question()


def test_a_corpus_without_tokens_leaves_what_its_ends_leave(tmp_path: Path) -> None:
    index = building.write_index(tmp_path / "index", [[], []], vocabulary_size=3)
    for order, expected in [(1, [1 / 8, 1 / 8, 1 / 8, 5 / 8]), (2, [1 / 8, 1 / 8, 1 / 8, 5 / 8])]:
        np.testing.assert_allclose(lm.KneserNey(index, order).next_probs([1, 2]), expected)


def test_a_vocabulary_of_which_nothing_is_known_is_asked_for(tmp_path: Path) -> None:
    """Ids of another engine's u32 may be any: no array of 32 GiB is tried."""
    write_infinigram(tmp_path / "v4_index", [[[1, 2], [1]]], token_type="u32")
    index = si.open(tmp_path / "v4_index", token_type="u32")
    assert index.vocabulary_size == 2**32 - 1
    assert lm.Infgram(index).log_probs([1, 2]).tolist() == [pytest.approx(np.log(2 / 3)), pytest.approx(np.log(1 / 2))]
    assert len(lm.StupidBackoff(index, 2).score([1, 2])) == 2
    for ask in (lm.Infgram(index).next_probs, lm.StupidBackoff(index, 2).next_scores, lm.KneserNey(index, 2).next_probs):
        with pytest.raises(si.QueryError, match=r"may be any below 4,294,967,295, .*: open it with vocabulary_size=…"):
            ask([1])
    assert lm.KneserNey(si.open(tmp_path / "v4_index", token_type="u32", vocabulary_size=9), 2).next_probs(
        [1]
    ).sum() == pytest.approx(1)
    ours = building.write_index(tmp_path / "index", [[1, 2], [1]], "u32")
    with pytest.raises(si.QueryError, match=r"build it anew with the tokenizer that made them"):
        lm.KneserNey(ours, 2).log_probs([1])
